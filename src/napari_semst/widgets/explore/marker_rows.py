"""Markers as rows for Qt: text to show, numbers to sort by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from napari_semst.widgets.explore import texts

if TYPE_CHECKING:
    import pandas as pd

Index = QModelIndex | QPersistentModelIndex

COLUMNS = (
    ("gene", "Gene", "{}"),
    ("log2_fold_change", "log2 FC", "{:.2f}"),
    ("share_in", "In", "{:.0%}"),
    ("share_out", "Out", "{:.0%}"),
    ("auc", "AUC", "{:.2f}"),
    ("p_adjusted", "FDR", "{:.1e}"),
)


class MarkerRows(QAbstractTableModel):
    """A table of markers for Qt: text to show, numbers to sort by."""

    def __init__(self) -> None:
        super().__init__()
        self._table: pd.DataFrame | None = None

    def show_table(self, table: pd.DataFrame | None) -> None:
        """Take another table, or none."""
        self.beginResetModel()
        self._table = table
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:  # noqa: N802  Qt's
        """Return the number of genes."""
        return 0 if self._table is None else len(self._table)

    def columnCount(self, parent: Index | None = None) -> int:  # noqa: N802  Qt's
        """Return the number of columns."""
        return len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a cell's text, number or alignment."""
        if self._table is None or not index.isValid():
            return None
        key, _, form = COLUMNS[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.UserRole):
            return None
        value = self._table[key].iloc[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return str(value) if not index.column() else float(value)
        return form.format(value)

    def headerData(  # noqa: N802  Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = 0
    ) -> object:
        """Return a column's name, and what it means on hovering."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        key, label, _ = COLUMNS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return texts.MARKER_COLUMNS[key]
        return label if role == Qt.ItemDataRole.DisplayRole else None
