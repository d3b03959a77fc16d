"""The legend that is read only."""

from __future__ import annotations

from napari_semst.viewer.colour import LegendEntry
from napari_semst.widgets.shared.legend import ROWS_BEFORE_SCROLLING, Legend


def entries(count):
    return [LegendEntry(f"{i}", "#aa3300", 10, 1 / count) for i in range(count)]


def test_rows_are_freed_only_when_qt_is_done_with_them(qtbot):
    legend = Legend()
    qtbot.addWidget(legend)
    legend.show_entries(entries(3), "Domain")
    row = legend.topLevelItem(1)
    assert [row.text(column) for column in range(3)] == ["1", "10", "33.3%"]
    legend.show_entries(entries(2), "Domain")
    assert legend.topLevelItemCount() == 2
    assert any(one is row for one in legend._removed)
    qtbot.waitUntil(lambda: not legend._removed)


def test_it_is_as_high_as_its_rows_until_it_scrolls(qtbot):
    legend = Legend()
    qtbot.addWidget(legend)
    heights = []
    for count in (1, 2, ROWS_BEFORE_SCROLLING, ROWS_BEFORE_SCROLLING + 5):
        legend.show_entries(entries(count), "Domain")
        heights.append(legend.height())
    assert heights[1] - heights[0] == 21
    assert heights[2] == heights[3]
