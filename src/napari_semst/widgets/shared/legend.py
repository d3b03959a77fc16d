"""The legend of a categorical colouring: chip, name, spots, share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

    from napari_semst.viewer.colour import LegendEntry

ROWS_BEFORE_SCROLLING = 12
_CHIP = 14
_ROW = 21


class Legend(QTreeWidget):
    """A compact table of the categories on show; it scrolls when there are many."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setColumnCount(3)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip("The colours on the tissue, with the spots of each.")
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(64)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        # The viewer's theme leaves headers to the platform, which does not match it.
        header.setStyleSheet(
            "QHeaderView::section { background: transparent; border: none;"
            " padding: 2px 4px; }"
        )

    def show_entries(self, entries: Sequence[LegendEntry], heading: str) -> None:
        """Show the rows under a heading for the first column."""
        self.clear()
        heads = QTreeWidgetItem([heading, "Spots", "Share"])
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for column in (1, 2):
            heads.setTextAlignment(column, right)
        self.setHeaderItem(heads)
        for entry in entries:
            share = f"{entry.share:.1%}"
            item = QTreeWidgetItem([entry.name, f"{entry.count:,}", share])
            item.setIcon(0, colour_chip(entry.color, self.devicePixelRatioF()))
            item.setToolTip(0, entry.name)
            item.setSizeHint(0, QSize(0, _ROW))
            for column in (1, 2):
                item.setTextAlignment(column, right)
            self.addTopLevelItem(item)
        self._fit_height(len(entries))

    def _fit_height(self, rows: int) -> None:
        shown = min(max(rows, 1), ROWS_BEFORE_SCROLLING)
        frame = 2 * self.frameWidth() + 2
        self.setFixedHeight(self.header().sizeHint().height() + _ROW * shown + frame)


def colour_chip(color: str, ratio: float) -> QIcon:
    """Return a small rounded square of a colour, sharp on dense screens too."""
    pixmap = QPixmap(round(_CHIP * ratio), round(_CHIP * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(color))
    painter.setPen(QColor(128, 128, 128, 160))
    painter.drawRoundedRect(QRectF(0.5, 0.5, _CHIP - 1, _CHIP - 1), 3, 3)
    painter.end()
    icon = QIcon(pixmap)
    # A row that is chosen must not tint the colour that it explains.
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    return icon
