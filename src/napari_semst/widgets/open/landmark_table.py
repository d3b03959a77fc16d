"""The pairs of landmarks as a table: number, error, and error when left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from napari_semst.io.places.landmark_facts import error_in_words
from napari_semst.widgets.open.texts import TIPS

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_semst.registration.accuracy import LandmarkErrors

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_FAR_OFF = QColor(208, 135, 0)
_ROWS, _ROW = 6, 21


class LandmarkTable(QTreeWidget):
    """Pairs of landmarks; the one that contradicts the others is marked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(TIPS["pairs"])
        self.setHeaderLabels(["Pair", "Error", "Left out"])
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
            self.headerItem().setTextAlignment(column, _RIGHT)
        # The viewer's theme leaves headers to the platform, which does not match it.
        header.setStyleSheet(
            "QHeaderView::section { background: transparent; border: none;"
            " padding: 2px 4px; }"
        )
        # Of one height, so that nothing below it jumps as pairs are set.
        rows = _ROWS * _ROW
        frame = 2 * self.frameWidth() + 2
        self.setFixedHeight(header.sizeHint().height() + rows + frame)

    @property
    def chosen(self) -> int:
        """The chosen pair from 0, -1 for none."""
        row = self.currentItem()
        return -1 if row is None else self.indexOfTopLevelItem(row)

    def show_pairs(
        self,
        n_pairs: int,
        half: str,
        errors: LandmarkErrors | None,
        microns: float | None,
    ) -> None:
        """Show the pairs.

        Parameters
        ----------
        n_pairs
            How many are complete.
        half
            What the last one lacks, in words; empty for nothing.
        errors
            Of the complete ones, None while they are not known.
        microns
            Micrometres in a unit of the coordinates, None where unknown.
        """
        kept = self.chosen
        self.clear()
        for pair in range(n_pairs):
            told = ["", ""]
            if errors is not None and pair < len(errors.fitted):
                told = [
                    error_in_words(float(values[pair]), microns)
                    for values in (errors.fitted, errors.left_out)
                ]
            row = QTreeWidgetItem([str(pair + 1), *told])
            if errors is not None and pair in errors.far_off:
                row.setText(0, f"{pair + 1}: far off")
                for column in range(3):
                    row.setForeground(column, _FAR_OFF)
            self._add(row)
        if half:
            self._add(QTreeWidgetItem([f"{n_pairs + 1}: {half}", "", ""]))
        again = self.topLevelItem(kept) if kept >= 0 else None
        if again is not None:
            self.setCurrentItem(again)

    def _add(self, row: QTreeWidgetItem) -> None:
        row.setSizeHint(0, QSize(0, _ROW))
        for column in (1, 2):
            row.setTextAlignment(column, _RIGHT)
        self.addTopLevelItem(row)
