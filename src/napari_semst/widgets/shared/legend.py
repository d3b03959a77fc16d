"""The legend of a categorical colouring: chip, name, spots, share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

    from napari_semst.viewer.colour import LegendEntry

ROWS_BEFORE_SCROLLING = 12
_CHIP = 14
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class LegendTree(QTreeWidget):
    """A table with chip, name, spots and share of categories.

    Parameters
    ----------
    row_height
        In pixels.
    """

    def __init__(self, row_height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row_height = row_height
        self._removed: list[QTreeWidgetItem | None] = []
        self._release = QTimer(self, interval=0, singleShot=True)
        self._release.timeout.connect(self._removed.clear)
        self.setColumnCount(3)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        # The viewer's theme leaves headers to the platform, which does not match it.
        header.setStyleSheet(
            "QHeaderView::section { background: transparent; border: none;"
            " padding: 2px 4px; }"
        )

    def begin(self, heading: str, others: tuple[str, str] = ("Spots", "Share")) -> None:
        """Take every row out, and put headings above the columns.

        The rows are freed only when Qt is done with them: a tick or a new name leads
        here from within the row that has it, which Qt reads once more afterwards.
        Freed at once, it ends the program.
        """
        rows = range(self.topLevelItemCount())
        self._removed += [self.takeTopLevelItem(0) for _ in rows]
        self._release.start()
        heads = QTreeWidgetItem([heading, *others])
        for column in (1, 2):
            heads.setTextAlignment(column, _RIGHT)
        self.setHeaderItem(heads)

    def new_row(self, entry: LegendEntry) -> QTreeWidgetItem:
        """Return the row of a category, which is not in the table yet."""
        share = f"{entry.share:.1%}"
        row = QTreeWidgetItem([entry.name, f"{entry.count:,}", share])
        row.setIcon(0, colour_chip(entry.color, self.devicePixelRatioF()))
        row.setToolTip(0, entry.name)
        row.setSizeHint(0, QSize(0, self._row_height))
        for column in (1, 2):
            row.setTextAlignment(column, _RIGHT)
        return row

    def fit_height(self, least_rows: int) -> None:
        """Be as high as the rows, or as many as are shown before it scrolls."""
        rows = max(self.topLevelItemCount(), least_rows)
        height = self._row_height * min(rows, ROWS_BEFORE_SCROLLING)
        frame = 2 * self.frameWidth() + 2
        self.setFixedHeight(self.header().sizeHint().height() + height + frame)


class Legend(LegendTree):
    """The categories on show, to be read only."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(21, parent)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip("The colours on the tissue, with the spots of each.")
        self.header().setMinimumSectionSize(64)

    def show_entries(self, entries: Sequence[LegendEntry], heading: str) -> None:
        """Show the rows under a heading for the first column."""
        self.begin(heading)
        self.addTopLevelItems([self.new_row(entry) for entry in entries])
        self.fit_height(1)


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
