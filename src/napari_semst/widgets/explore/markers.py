"""Marker genes of the chosen domains: a table to sort, click and save."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import ref

from qtpy.QtCore import (  # type: ignore[attr-defined]
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QTableView,
    QWidget,
)

from napari_semst.explore.markers import (
    marker_table,
    neighbouring_spots,
    rest_of_domains,
)
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.forms import note_label, push_button, row_of, stacked
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

_ROWS_SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class MarkerQuestion:
    """Which spots to compare, told apart when the button was pressed.

    Parameters
    ----------
    coordinates
        Of the spots, ``(n_spots, 2)``.
    codes
        Domain of each spot, negative for none.
    against
        ``rest``, ``neighbours``, ``domain`` or ``border``.
    about
        Their names, for people.
    """

    tissue: AnnData
    coordinates: NDArray[np.float64]
    inside: NDArray[np.bool_]
    codes: NDArray[np.int32]
    against: str
    about: str


class MarkerPanel(QWidget):
    """Ask for markers, show them, colour the tissue by the one clicked."""

    gene_wanted = Signal(str)
    asked = Signal()
    plot_wanted = Signal(object)  # genes
    save_wanted = Signal(object)  # table
    failed = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.task = BackgroundTask(markers_asked_for)
        self.table: pd.DataFrame | None = None
        self._tissue: ref[AnnData] | None = None
        # What was asked last, and a table with its line for each section; by number
        # and held weakly: sections cannot be keys, and should go when closed.
        self._awaited: tuple[ref[AnnData], str] | None = None
        self._kept: dict[int, tuple[ref[AnnData], pd.DataFrame, str]] = {}
        self.against = QComboBox()
        self.against.setToolTip(TIPS["against"])
        for key, label in texts.AGAINST.items():
            self.against.addItem(label, key)
        self.find_button = push_button("Find markers", TIPS["find_markers"])
        self.plot_button = push_button("Dot plot", TIPS["dot_plot"])
        self.save_button = push_button("Save table...", TIPS["save_markers"])
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search a gene")
        self.search.setToolTip(TIPS["search_marker"])
        self.search.setClearButtonEnabled(True)
        self.message = note_label()
        self.rows = MarkerTableModel()
        self.sorted = QSortFilterProxyModel(self)
        self.sorted.setSourceModel(self.rows)
        self.sorted.setSortRole(Qt.ItemDataRole.UserRole)
        self.sorted.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.view = QTableView()
        self._build()
        self.find_button.clicked.connect(self.asked)
        self.plot_button.clicked.connect(self._on_plot)
        self.save_button.clicked.connect(self._on_save)
        self.search.textChanged.connect(self.sorted.setFilterFixedString)
        # Not where the current row changes: that happens while a search is typed.
        self.view.clicked.connect(self._on_gene)
        self.view.activated.connect(self._on_gene)
        self.task.done.connect(self._on_done)
        self.task.failed.connect(self._on_failed)
        self.show_table(None, texts.NO_MARKERS)

    def _build(self) -> None:
        view = self.view
        view.setModel(self.sorted)
        view.setToolTip(TIPS["markers"])
        # As they come, the best first, until a heading is clicked.
        view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        view.setSortingEnabled(True)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.verticalHeader().hide()
        view.setShowGrid(False)
        view.verticalHeader().setDefaultSectionSize(22)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = view.horizontalHeader()
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, self.rows.columnCount()):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        view.setFixedHeight(header.sizeHint().height() + 22 * _ROWS_SHOWN + 4)
        above = row_of(self.against, self.find_button)
        below = row_of(self.search, self.plot_button, self.save_button)
        stacked(self, above, self.message, view, below, spacing=6, top=4)

    def set_tissue(self, tissue: AnnData | None) -> None:
        """Show the markers that were found for a section, none for any other."""
        if tissue is not None and tissue is _there(self._tissue):
            return
        self._tissue = None if tissue is None else ref(tissue)
        self.search.clear()
        self._kept = {
            k: held for k, held in self._kept.items() if _there(held[0]) is not None
        }
        kept = self._kept.get(id(tissue))
        waits = self._awaited is not None and _there(self._awaited[0]) is tissue
        self.find_button.setEnabled(tissue is None or not waits)
        if kept is not None:
            self.show_table(*kept[1:])
        else:
            self.show_table(None, texts.NO_MARKERS)
        if self._awaited is not None and tissue is not None and waits:
            self.message.setText(self._awaited[1])

    def ask(self, question: MarkerQuestion) -> None:
        """Find markers in a worker thread."""
        self.set_tissue(question.tissue)
        self.find_button.setEnabled(False)
        busy = texts.MARKERS_BUSY.format(about=question.about)
        self._awaited = ref(question.tissue), busy
        self.message.setText(busy)
        self.task.start(question)

    def show_table(self, table: pd.DataFrame | None, said: str) -> None:
        """Show markers, or none, and a line on what they are of."""
        self.table = table
        self.rows.show_table(table)
        header = self.view.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.message.setText(said)
        for part in (self.view, self.search, self.plot_button, self.save_button):
            part.setVisible(table is not None)

    def chosen_genes(self, most: int = 12) -> list[str]:
        """Return the genes of the rows chosen, else of the first rows."""
        rows = sorted({i.row() for i in self.view.selectionModel().selectedIndexes()})
        if len(rows) < 2:
            rows = list(range(min(self.sorted.rowCount(), 6)))
        index = (self.sorted.index(row, 0) for row in rows[:most])
        return [str(self.sorted.data(cell)) for cell in index]

    def _on_done(self, answer: tuple[MarkerQuestion, pd.DataFrame, int]) -> None:
        question, table, n_outside = answer
        tissue, self._awaited = question.tissue, None
        said = texts.MARKERS_OF.format(
            about=question.about,
            inside=int(question.inside.sum()),
            outside=n_outside,
            against=texts.COMPARED[question.against].lower(),
        )
        self._kept[id(tissue)] = ref(tissue), table, said
        if tissue is _there(self._tissue):
            self.find_button.setEnabled(True)
            self.show_table(table, said)

    def _on_failed(self, error: Exception, details: str) -> None:
        asked, self._awaited = self._awaited, None
        if asked is not None and _there(asked[0]) is _there(self._tissue):
            self.find_button.setEnabled(True)
            self.show_table(None, texts.NO_MARKERS)
        self.failed.emit(error, details)

    def _on_gene(self, now: QModelIndex) -> None:
        gene = self.sorted.data(self.sorted.index(now.row(), 0))
        self.gene_wanted.emit(str(gene))

    def _on_plot(self) -> None:
        self.plot_wanted.emit(self.chosen_genes())

    def _on_save(self) -> None:
        self.save_wanted.emit(self.table)


def markers_asked_for(
    question: MarkerQuestion,
) -> tuple[MarkerQuestion, pd.DataFrame, int]:
    """Return markers, and how many spots they were compared with."""
    inside, outside = question.inside, ~question.inside
    if question.against in ("domain", "border"):
        inside, outside = rest_of_domains(inside, question.codes)
    if question.against == "neighbours":
        outside = neighbouring_spots(
            question.coordinates, question.inside, question.codes
        )
    table = marker_table(question.tissue, inside, outside)
    return replace(question, inside=inside), table, int(outside.sum())


def _there(held: ref[AnnData] | None) -> AnnData | None:
    return None if held is None else held()


Index = QModelIndex | QPersistentModelIndex
MARKER_TABLE_COLUMNS = (
    ("gene", "Gene", "{}"),
    ("log2_fold_change", "log2 FC", "{:.2f}"),
    ("share_in", "In", "{:.0%}"),
    ("share_out", "Out", "{:.0%}"),
    ("auc", "AUC", "{:.2f}"),
    ("p_adjusted", "FDR", "{:.1e}"),
)


class MarkerTableModel(QAbstractTableModel):
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
        return len(MARKER_TABLE_COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a cell's text, number or alignment."""
        if self._table is None or not index.isValid():
            return None
        key, _, form = MARKER_TABLE_COLUMNS[index.column()]
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
        key, label, _ = MARKER_TABLE_COLUMNS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return texts.MARKER_COLUMNS[key]
        return label if role == Qt.ItemDataRole.DisplayRole else None
