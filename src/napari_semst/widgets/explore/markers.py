"""Marker genes of the chosen domains: a table to sort, click and save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import (  # type: ignore[attr-defined]
    QModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_semst.explore.markers import marker_table, neighbouring_spots
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.marker_rows import MarkerRows
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.errand import Errand
from napari_semst.widgets.shared.forms import note

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

_ROWS_SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Which spots to compare, told apart when the button was pressed.

    Parameters
    ----------
    tissue
        The section.
    coordinates
        Of the spots, ``(n_spots, 2)``.
    inside
        The spots asked about.
    codes
        Domain of each spot, negative for none.
    against
        ``rest`` or ``neighbours``.
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
        self.errand = Errand(find)
        self.table: pd.DataFrame | None = None
        self.against = QComboBox()
        self.against.setToolTip(TIPS["against"])
        for key, label in texts.AGAINST.items():
            self.against.addItem(label, key)
        self.find_button = _button("Find markers", "find_markers")
        self.plot_button = _button("Dot plot", "dot_plot")
        self.save_button = _button("Save table...", "save_markers")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search a gene")
        self.search.setToolTip(TIPS["search_marker"])
        self.search.setClearButtonEnabled(True)
        self.said = note()
        self.rows = MarkerRows()
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
        self.view.selectionModel().currentRowChanged.connect(self._on_row)
        self.errand.done.connect(self._on_done)
        self.errand.failed.connect(self._on_failed)
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
        above, below = QHBoxLayout(), QHBoxLayout()
        above.addWidget(self.against)
        above.addWidget(self.find_button)
        below.addWidget(self.search)
        below.addWidget(self.plot_button)
        below.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(above)
        layout.addWidget(self.said)
        layout.addWidget(view)
        layout.addLayout(below)

    def ask(self, question: Question) -> None:
        """Find markers in a worker thread."""
        self.find_button.setEnabled(False)
        self.said.setText(texts.MARKERS_BUSY.format(about=question.about))
        self.errand.start(question)

    def show_table(self, table: pd.DataFrame | None, said: str) -> None:
        """Show markers, or none, and a line on what they are of."""
        self.table = table
        self.rows.show_table(table)
        header = self.view.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.said.setText(said)
        for part in (self.view, self.search, self.plot_button, self.save_button):
            part.setVisible(table is not None)

    def chosen_genes(self, most: int = 12) -> list[str]:
        """Return the genes of the rows chosen, else of the first rows."""
        rows = sorted({i.row() for i in self.view.selectionModel().selectedIndexes()})
        if len(rows) < 2:
            rows = list(range(min(self.sorted.rowCount(), 6)))
        index = (self.sorted.index(row, 0) for row in rows[:most])
        return [str(self.sorted.data(one)) for one in index]

    def _on_done(self, answer: tuple[Question, pd.DataFrame, int]) -> None:
        question, table, n_outside = answer
        self.find_button.setEnabled(True)
        said = texts.MARKERS_OF.format(
            about=question.about,
            inside=int(question.inside.sum()),
            outside=n_outside,
            against=texts.AGAINST[question.against].lower(),
        )
        self.show_table(table, said)

    def _on_failed(self, error: Exception, details: str) -> None:
        self.find_button.setEnabled(True)
        self.show_table(None, texts.NO_MARKERS)
        self.failed.emit(error, details)

    def _on_row(self, now: QModelIndex, before: QModelIndex) -> None:
        if now.isValid():
            self.gene_wanted.emit(
                str(self.sorted.data(self.sorted.index(now.row(), 0)))
            )

    def _on_plot(self) -> None:
        self.plot_wanted.emit(self.chosen_genes())

    def _on_save(self) -> None:
        self.save_wanted.emit(self.table)


def find(question: Question) -> tuple[Question, pd.DataFrame, int]:
    """Return markers, and how many spots they were compared with."""
    outside = ~question.inside
    if question.against == "neighbours":
        outside = neighbouring_spots(
            question.coordinates, question.inside, question.codes
        )
    table = marker_table(question.tissue, question.inside, outside)
    return question, table, int(outside.sum())


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(TIPS[tip])
    return button
