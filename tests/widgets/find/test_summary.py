from __future__ import annotations

import pytest

from napari_semst.io.notes import warn
from napari_semst.widgets.find.summary import (
    device_line,
    format_duration,
    section_status,
)
from napari_semst.widgets.shared.sections import NO_SECTION


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (42.4, "42 s"), (180, "3 min"), (185, "3 min 5 s")],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


def test_device_line():
    said = {"device": {"name": "cpu", "reason": "Torch finds no CUDA GPU."}}
    assert device_line(said) == "Used the CPU. Torch finds no CUDA GPU."
    assert device_line({}) == ""


def test_what_was_noticed_while_reading_is_said(tissue):
    assert section_status(None)[1] == NO_SECTION
    assert section_status(tissue)[0] == "ready"
    warn(tissue, "3 spots have no counts.")
    kind, _, text = section_status(tissue)
    assert kind == "warning"
    assert text.endswith("3 spots have no counts.")
