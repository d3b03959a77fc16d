"""Rows of labels and fields, alike in every part of a dock."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

# Wide enough for the longest label, so that fields line up from part to part.
_LABEL_WIDTH = 104


def form(parent: QWidget | None = None) -> QFormLayout:
    """Return a form whose fields take the width that is left."""
    layout = QFormLayout(parent) if parent is not None else QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(8)
    layout.setVerticalSpacing(6)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return layout


def add_row(layout: QFormLayout, label: str, field: QWidget) -> None:
    """Add a field with its label; the label shows the field's tooltip too."""
    text = QLabel(label)
    text.setMinimumWidth(_LABEL_WIDTH)
    text.setToolTip(field.toolTip())
    text.setBuddy(field)
    layout.addRow(text, field)


def heading(text: str) -> QLabel:
    """Return the heading of a part of the dock."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def note() -> QLabel:
    """Return a label for one or two lines of explanation."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    font = label.font()
    font.setItalic(True)
    label.setFont(font)
    return label
