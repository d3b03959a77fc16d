"""Texts in narrow docks: every line of them is on show."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_semst.widgets.find.settings import SettingsForm
from napari_semst.widgets.shared.forms import (
    WrappedLabel,
    add_row,
    form_layout,
    note_label,
)
from napari_semst.widgets.shared.status import Banner

LONG = "A sentence of several words that no dock is wide enough for. " * 3


@pytest.mark.parametrize("made", [note_label, Banner])
def test_no_line_is_cut_off_in_a_form_within_a_form(qtbot, made):
    window, inner, label = QWidget(), QWidget(), made()
    qtbot.addWidget(window)
    outer = form_layout(window)
    add_row(form_layout(inner), "Label", label)
    outer.addRow(inner)
    label.say("warning", LONG) if made is Banner else label.setText(LONG)
    window.resize(400, 300)
    window.show()
    for width in (400, 700, 365):
        window.resize(width, 300)
        qtbot.waitUntil(
            lambda: label.height() == label.heightForWidth(label.width()), timeout=5000
        )
    tall = label.height()
    label.setText("Short.")
    qtbot.waitUntil(lambda: label.height() < tall / 2, timeout=5000)


def test_no_line_of_the_settings_is_cut_off(qtbot):
    area, settings, content = QScrollArea(), SettingsForm(), QWidget()
    qtbot.addWidget(area)
    column = QVBoxLayout(content)
    column.addWidget(settings)
    column.addStretch(1)
    area.setWidgetResizable(True)
    area.setWidget(content)
    area.resize(400, 900)
    area.show()
    for index in range(settings.semantics.count()):
        settings.semantics.setCurrentIndex(index)
        settings.control.setCurrentIndex(index % 2)
        qtbot.waitUntil(lambda: not cut_off(settings), timeout=5000)


def cut_off(part):
    labels = [x for x in part.findChildren(WrappedLabel) if x.isVisible()]
    assert labels
    return [x.text() for x in labels if x.height() != x.heightForWidth(x.width())]
