"""Two columns beside each other: agreement, table of both, where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_semst import keys
from napari_semst.errors import SemstError
from napari_semst.explore.compare import compare
from napari_semst.explore.labels import read_labels
from napari_semst.viewer import colourings
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.forms import (
    add_row,
    form_layout,
    note_label,
    push_button,
    short_combo,
    stacked,
)
from napari_semst.widgets.shared.worker import BackgroundTask
from napari_semst.wording import for_window

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.explore.compare import Comparison

_ROW = 22
_MOST_ROWS = 10


class ComparePanel(QWidget):
    """Choose two columns of labels; read how they agree; paint where they do not."""

    colours_wanted = Signal(str)  # key of a colouring

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tissue: AnnData | None = None
        self.task = BackgroundTask(compare)
        self.task.done.connect(self._on_compared)
        self.task.failed.connect(self._on_failed)
        self.one, self.other = (short_combo(TIPS["compare"]) for _ in range(2))
        for combo in (self.one, self.other):
            combo.currentIndexChanged.connect(self._on_chosen)
        self.message = note_label()
        self.table = QTableWidget()
        self.table.setToolTip(TIPS["confusion"])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.verticalHeader().setDefaultSectionSize(_ROW)
        self.table.horizontalHeader().setDefaultSectionSize(58)
        self.table.horizontalHeader().setSectionResizeMode(
            QHeaderView.ResizeMode.Interactive
        )
        self.button = push_button("Show where they differ", TIPS["differ"])
        self.button.clicked.connect(self._on_differ)
        rows = form_layout()
        add_row(rows, "Rows", self.one)
        add_row(rows, "Columns", self.other)
        stacked(self, rows, self.message, self.table, self.button, spacing=6, top=4)

    def set_tissue(self, tissue: AnnData | None) -> None:
        """Offer the labels that a section has now; keep what is chosen and there."""
        self._tissue = tissue
        names = [] if tissue is None else label_columns(tissue)
        kept = self.one.currentText(), self.other.currentText()
        for index, combo in enumerate((self.one, self.other)):
            spare = names[index] if index < len(names) else ""
            with QSignalBlocker(combo):
                combo.clear()
                combo.addItems(names)
                combo.setCurrentText(kept[index] if kept[index] in names else spare)
        self._on_chosen()

    def _on_chosen(self) -> None:
        self.task.drop()
        names = self.one.currentText(), self.other.currentText()
        if self._tissue is None or not all(names) or names[0] == names[1]:
            self._answer(None, texts.NOTHING_TO_COMPARE)
            return
        # What is shown is of before: it stays, greyed, until the answer is there.
        self.table.setEnabled(False)
        self.button.setEnabled(False)
        try:
            self.task.start(*(read_labels(self._tissue, name) for name in names))
        except SemstError as error:
            self._answer(None, for_window(error))

    def _on_compared(self, comparison: Comparison) -> None:
        text = texts.AGREEMENT.format(
            ari=comparison.ari,
            nmi=comparison.nmi,
            share=comparison.share,
            spots=int(comparison.known.sum()),
        )
        self._answer(comparison, text)

    def _on_failed(self, error: Exception, _: str) -> None:
        self._answer(None, for_window(error))

    def _answer(self, comparison: Comparison | None, text: str) -> None:
        self.message.setText(text)
        self.table.setEnabled(True)
        self.table.setVisible(comparison is not None)
        self.button.setEnabled(comparison is not None)
        if comparison is not None:
            self._show(comparison)

    def shutdown(self) -> None:
        """Drop an answer that is awaited; for when the dock goes."""
        self.task.drop()

    def _show(self, comparison: Comparison) -> None:
        table = self.table
        table.clear()
        table.setRowCount(len(comparison.rows))
        table.setColumnCount(len(comparison.columns))
        table.setVerticalHeaderLabels(list(comparison.rows))
        for place, name in enumerate(comparison.columns):
            # Long names are cut at their end, and whole on hovering.
            title = QTableWidgetItem(name)
            title.setTextAlignment(
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            )
            title.setToolTip(name)
            table.setHorizontalHeaderItem(place, title)
        totals = comparison.table.sum(axis=1)
        for row, partner in enumerate(comparison.partner):
            for column in range(len(comparison.columns)):
                count = int(comparison.table[row, column])
                item = QTableWidgetItem(f"{count:,}" if count else "")
                item.setTextAlignment(
                    Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                )
                share = count / max(int(totals[row]), 1)
                item.setBackground(QColor(58, 134, 200, round(200 * share)))
                font = item.font()
                font.setBold(bool(column == partner))
                item.setFont(font)
                names = comparison.rows[row], comparison.columns[column]
                item.setToolTip(
                    f"{count:,} spots: {names[0]} and {names[1]} "
                    f"({share:.0%} of {names[0]})"
                )
                table.setItem(row, column, item)
        shown = min(len(comparison.rows), _MOST_ROWS)
        head = table.horizontalHeader().sizeHint().height()
        table.setFixedHeight(head + _ROW * shown + 20)

    def _on_differ(self) -> None:
        key = colourings.differing_key(self.one.currentText(), self.other.currentText())
        self.colours_wanted.emit(key)


def label_columns(tissue: AnnData) -> list[str]:
    """Return the columns that hold labels: of runs, made by hand, the user's own."""
    runs = [f"semst_domain_{run}" for run in colourings.runs(tissue)]
    levels = list(colourings.kept_levels(tissue))
    others = [
        str(column)
        for column in tissue.obs.columns
        if not str(column).startswith(keys.RESULTS)
        and getattr(colourings.obs_colouring(tissue, column), "kind", "")
        == "categories"
    ]
    return [*runs, *levels, *others]
