"""Give the spots selected a name in a column made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QComboBox, QCompleter, QWidget

from napari_semst.explore.annotate import edited_columns
from napari_semst.explore.label_edits import LabelEdit
from napari_semst.explore.labels import free_name, read_labels
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.forms import (
    add_row,
    form_layout,
    push_button,
    row_of,
    stacked,
    typed_combo,
)

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.widgets.explore.context import ExploreContext


class AssignPart(QWidget):
    """A column, a name, and the buttons that put it on the spots or take it away."""

    def __init__(self, context: ExploreContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.column = _editable(TIPS["assign_column"], texts.COLUMN_HINT)
        self.name = _editable(TIPS["assign_name"], texts.NAME_HINT)
        self.assign_button = push_button("Assign", TIPS["assign"])
        self.remove_button = push_button("Remove name", TIPS["remove_name"])
        rows = form_layout()
        add_row(rows, "Assign to column", self.column)
        add_row(rows, "Name", self.name)
        buttons = row_of(self.assign_button, self.remove_button, spacing=6)
        stacked(self, rows, buttons, spacing=6)
        self.assign_button.clicked.connect(self.assign)
        self.remove_button.clicked.connect(self.remove_name)
        enter = self.name.lineEdit()
        if enter is not None:
            enter.returnPressed.connect(self.assign)
        self.column.editTextChanged.connect(self._on_column)
        self.name.editTextChanged.connect(self._refresh)
        context.section_changed.connect(self._on_section)
        context.state.tissue_changed.connect(self._on_tissue_changed)
        context.state.selection_changed.connect(self._refresh)
        self._on_section()

    def assign(self) -> None:
        """Give the selected spots the name, in a column that is made if need be."""
        name = self.name.currentText().strip()
        if self.assign_button.isEnabled():
            self._change(name, texts.ASSIGNED, texts.ASSIGNED_HELP)

    def remove_name(self) -> None:
        """Leave the selected spots without a name."""
        if self.remove_button.isEnabled():
            self._change(None, texts.REMOVED, texts.REMOVED_HELP)

    def _change(self, name: str | None, title: str, text: str) -> None:
        tissue, wanted = self._context.tissue, self.column.currentText().strip()
        spots = self._context.selection
        if tissue is None or spots is None:
            return
        done = self._context.editing.edit(
            LabelEdit("assigned", {"spots": spots, "name": name}),
            wanted,
            begin=name is not None,
        )
        if not done:
            return
        self.column.setEditText(done)
        if done == wanted:  # else the card says that a copy was made
            n = int(np.count_nonzero(spots))
            text = text.format(n=n, name=name, column=done)
            self._context.card.show_status("success", title, text)

    def _on_section(self) -> None:
        tissue = self._context.tissue
        taken = [] if tissue is None else list(tissue.obs.columns)
        made = _made(tissue)
        _offer(self.column, made)
        self.column.setEditText(
            made[-1] if made else free_name(texts.NEW_COLUMN, list(map(str, taken)))
        )
        self._on_column()

    def _on_tissue_changed(self, tissue: object, by: object) -> None:
        if tissue is self._context.tissue:
            _offer(self.column, _made(self._context.tissue))
            self._on_column()

    def _on_column(self) -> None:
        """Offer the names that the column has."""
        tissue, column = self._context.tissue, self.column.currentText().strip()
        names: list[str] = []
        if tissue is not None and column in _made(self._context.tissue):
            names = list(read_labels(tissue, column).names)
        _offer(self.name, names)
        self._refresh()

    def _refresh(self, *_: object) -> None:
        tissue, column = self._context.tissue, self.column.currentText().strip()
        some = self._context.selection is not None
        ready = some and bool(column)
        self.assign_button.setEnabled(ready and bool(self.name.currentText().strip()))
        there = tissue is not None and column in tissue.obs
        self.remove_button.setEnabled(ready and there)


def _editable(tip: str, hint: str) -> QComboBox:
    combo = typed_combo(tip)
    line, completer = combo.lineEdit(), combo.completer()
    if line is not None and completer is not None:
        line.setPlaceholderText(hint)
        # Names differ in case: neither is one put in the place of another, nor
        # finished before it is typed.
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseSensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
    return combo


def _offer(combo: QComboBox, names: list[str]) -> None:
    """Put names into a list; what is typed stays."""
    typed = combo.currentText()
    with QSignalBlocker(combo):
        combo.clear()
        combo.addItems(names)
        combo.setEditText(typed)


def _made(tissue: AnnData | None) -> list[str]:
    """Return the columns of a section that were made by hand."""
    return [] if tissue is None else list(edited_columns(tissue))
