"""How the domains on show lie beside each other: a table, a colouring, a plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore.annotate import edited_columns
from napari_semst.explore.labels import read_labels, same_column
from napari_semst.explore.neighbourhoods import (
    Neighbourhoods,
    border_zone,
    section_neighbourhoods,
)
from napari_semst.explore.recovery import BORDER_DISTANCE
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action
from napari_semst.viewer.adapter import snapshot
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.errors import describe_error
from napari_semst.widgets.shared.forms import note_label, push_button, row_of, stacked
from napari_semst.widgets.shared.unsaved import mark_unsaved
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.widgets.explore.context import ExploreContext

_ROW, _MOST_ROWS = 22, 10


@dataclass(frozen=True, eq=False)
class _Answer:
    tissue: AnnData
    looked_at: AnnData
    column: str
    found: Neighbourhoods


class NeighboursPart(QWidget):
    """A button, and for each domain its area, thickness and who touches it."""

    genes_wanted = Signal(object, object, str)  # spots at a border, codes, about

    def __init__(self, context: ExploreContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.answer: _Answer | None = None
        self.task = BackgroundTask(_look)
        self.button = push_button("Look at borders", TIPS["borders"])
        self.distance_button = push_button("Colour by distance", TIPS["distance"])
        self.genes_button = push_button("Genes at border", TIPS["border_genes"])
        self.message = note_label()
        self.message.setText(texts.BORDERS_ASK)
        self.table = QTableWidget(0, len(texts.BORDER_COLUMNS))
        self.table.setHorizontalHeaderLabels(list(texts.BORDER_COLUMNS))
        self.table.setToolTip(TIPS["border_table"])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(_ROW)
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setStretchLastSection(True)
        buttons = row_of(
            self.button, self.distance_button, self.genes_button, spacing=6
        )
        stacked(self, buttons, self.message, self.table, spacing=6, top=4)
        self.button.clicked.connect(self.look)
        self.distance_button.clicked.connect(self._on_distance)
        self.genes_button.clicked.connect(self._on_genes)
        self.task.done.connect(self._on_done)
        self.task.failed.connect(self._on_failed)
        context.section_changed.connect(self.clear)
        context.explained.connect(self._refresh)
        self.clear()

    def look(self) -> None:
        """Look at the borders of the labels on show, in the background."""
        tissue, column = self._context.tissue, self._column()
        if tissue is not None and column:
            self.button.setEnabled(False)
            self.message.setText(texts.BORDERS_BUSY)
            self.task.start(tissue, snapshot(tissue), column)

    def clear(self) -> None:
        """Show nothing; ask."""
        self.task.drop()
        self._show(None)
        self._refresh()

    def shutdown(self) -> None:
        """Drop an answer that is awaited; for when the dock goes."""
        self.task.drop()

    def _column(self) -> str:
        tissue, colouring = self._context.tissue, self._context.colouring
        if tissue is None or colouring is None or colouring.kind != "categories":
            return ""
        return colouring.column if colouring.column in tissue.obs else ""

    def _refresh(self, *_: object) -> None:
        self.button.setEnabled(bool(self._column()) and not self.task.busy)

    def _on_done(self, answer: _Answer) -> None:
        if answer.tissue is self._context.tissue:
            self._show(answer)
        self._refresh()

    def _on_failed(self, error: Exception, details: str) -> None:
        self._show(None)
        self.message.setText("\n".join(describe_error(error)))
        self._refresh()

    def _show(self, answer: _Answer | None) -> None:
        self.answer = answer
        self.table.setVisible(answer is not None)
        for button in (self.distance_button, self.genes_button):
            button.setEnabled(answer is not None)
        if answer is None:
            self.message.setText(texts.BORDERS_ASK)
            return
        found = answer.found
        self.message.setText(texts.BORDERS_OF.format(column=answer.column))
        total = max(float(found.area.sum()), 1e-300)
        self.table.setRowCount(len(found.names))
        for row, name in enumerate(found.names):
            touching = found.touching(name)
            thick = float(found.thickness[row])
            cells = (
                name,
                f"{found.area[row] / total:.1%}",
                _length(thick),
                ", ".join(other + "*" * (p < texts.RARE) for other, _, p in touching),
            )
            tip = "\n".join(
                texts.TOUCHES.format(
                    other=other,
                    count=count,
                    expected=found.expected[row, found.names.index(other)],
                    p=p,
                )
                for other, count, p in touching
            )
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                if column in (1, 2):
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                item.setToolTip(tip)
                self.table.setItem(row, column, item)
        head = self.table.horizontalHeader().sizeHint().height()
        shown = min(len(found.names), _MOST_ROWS)
        self.table.setFixedHeight(head + _ROW * shown + 6)

    def _on_distance(self) -> None:
        """Write each spot's distance to its border as a column, and colour by it."""
        answer = self._standing()
        if answer is None:
            return
        tissue, column = answer.tissue, distance_column(answer.tissue, answer.column)
        tissue.obs[column] = answer.found.distance.astype(np.float32)
        given = {"of": answer.column, "column": column}
        record_action(tissue, Action("border_distance", given))
        mark_unsaved(self._context.viewer, tissue)
        self._context.state.tissue_changed.emit(tissue, self)
        self._context.colour_by(column)

    def _on_genes(self) -> None:
        """Ask what sets the spots at a domain's border apart from its others."""
        answer, row = self._standing(), self.table.currentRow()
        if answer is None:
            return
        if row < 0:
            self.message.setText(texts.BORDER_CHOOSE)
            return
        name = answer.found.names[row]
        labels = read_labels(answer.tissue, answer.column)
        try:
            near, _ = border_zone(answer.found, labels, name)
        except InputError as error:
            self.message.setText("\n".join(describe_error(error)))
            return
        self.message.setText(texts.BORDER_GENES.format(name=name))
        about = texts.AT_THE_BORDER.format(name=name)
        self.genes_wanted.emit(near, labels.codes, about)

    def _standing(self) -> _Answer | None:
        """Return what was found if the labels are still those that it is of."""
        answer = self.answer
        if answer is None or same_column(
            answer.tissue, answer.looked_at, answer.column
        ):
            return answer
        self._show(None)
        self.message.setText(texts.BORDERS_CHANGED.format(column=answer.column))
        return None


def _length(value: float) -> str:
    """Return a length with three digits, nothing where there is none."""
    if not np.isfinite(value):
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def distance_column(tissue: AnnData, column: str) -> str:
    """Return the column for the distances to the borders of another column's labels."""
    latest = str(tissue.uns.get(keys.LATEST, ""))
    stem = keys.of_run(keys.DOMAIN, latest) if column == keys.DOMAIN else column
    name = f"{stem.removeprefix('semst_')}{BORDER_DISTANCE}"
    # A column of labels that somebody named so is not written over.
    return f"{name}_2" if name in edited_columns(tissue) else name


def _look(original: AnnData, tissue: AnnData, column: str) -> _Answer:
    """Return how the labels of a column lie beside each other; for a worker."""
    return _Answer(original, tissue, column, section_neighbourhoods(tissue, column))
