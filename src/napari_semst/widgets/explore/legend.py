"""The legend as a table to work in: show, rename, recolour, merge, split, reorder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QMenu,
    QPushButton,
    QTreeWidgetItem,
    QWidget,
)

from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.forms import push_button, row_of, stacked
from napari_semst.widgets.shared.legend import LegendTree

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari_semst.viewer.colour import LegendEntry

_ROW = 22
_NAME = Qt.ItemDataRole.UserRole
_COLOR = Qt.ItemDataRole.UserRole + 1


class LegendTable(QWidget):
    """Names with their colours, spots and shares, and what can be done with them."""

    shown_changed = Signal(object)  # frozenset of the names hidden
    renamed = Signal(str, str)
    recoloured = Signal(str, str)
    merged = Signal(object)  # names, the first one stays
    split = Signal(str, str)  # name; "pieces" or "latent"
    moved = Signal(str, int)
    zoom_wanted = Signal(object)  # names
    chosen_changed = Signal(object)  # names
    undo_wanted = Signal()
    redo_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tree = LegendTree(_ROW)
        self.tree.setToolTip(TIPS["legend"])
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self._buttons: dict[str, QPushButton] = {}
        self._chosen: list[str] = []
        self._editable = True
        self._build()
        self.tree.itemChanged.connect(self._on_item)
        self.tree.itemSelectionChanged.connect(self._on_chosen)

    def _build(self) -> None:
        rows = (
            (("isolate", "Isolate"), ("show_all", "Show all"), ("zoom", "Zoom to"),
             ("colour", "Colour...")),
            (("merge", "Merge"), ("split", "Split"), ("up", "\N{UPWARDS ARROW}"),
             ("down", "\N{DOWNWARDS ARROW}"), ("undo", "Undo"), ("redo", "Redo")),
        )  # fmt: skip
        layout = stacked(self, self.tree, spacing=4)
        for row in rows:
            buttons = {
                name: push_button(text, TIPS[name], narrow=True) for name, text in row
            }
            shares = [int(len(text) > 1) for _, text in row]
            layout.addLayout(row_of(*buttons.values(), spacing=4, shares=shares))
            self._buttons |= buttons
        act = self._buttons
        act["isolate"].clicked.connect(self._on_isolate)
        act["show_all"].clicked.connect(self._on_show_all)
        act["zoom"].clicked.connect(self._on_zoom)
        act["colour"].clicked.connect(self._on_colour)
        act["merge"].clicked.connect(self._on_merge)
        act["up"].clicked.connect(self._on_up)
        act["down"].clicked.connect(self._on_down)
        act["undo"].clicked.connect(self.undo_wanted)
        act["redo"].clicked.connect(self.redo_wanted)
        menu = QMenu(self)
        menu.addAction(texts.SPLIT_PIECES, self._on_split_pieces)
        menu.addAction(texts.SPLIT_TWO, self._on_split_latent)
        act["split"].setMenu(menu)

    def button(self, name: str) -> QPushButton:
        """Return a button by the name of its action."""
        return self._buttons[name]

    @property
    def chosen(self) -> list[str]:
        """The names chosen, in the order in which they were."""
        return list(self._chosen)

    def show_entries(
        self,
        entries: Sequence[LegendEntry],
        heading: str,
        hidden: Collection[str] = (),
        *,
        editable: bool = True,
    ) -> None:
        """Show the rows of a colouring; what was chosen and is there stays chosen.

        Parameters
        ----------
        entries
            Of `napari_semst.viewer.colour.CategoryPaint`.
        hidden
            Names that are not ticked.
        editable
            Whether names can be worked on, not only shown.
        """
        kept, self._editable = self._chosen, editable
        with QSignalBlocker(self.tree):
            self.tree.begin(heading)
            for entry in entries:
                row = self.tree.new_row(entry)
                row.setData(0, _NAME, entry.name)
                row.setData(0, _COLOR, entry.color)
                shown = entry.name not in hidden
                state = Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked
                row.setCheckState(0, state)
                if editable and entry.name != "none":
                    row.setFlags(row.flags() | Qt.ItemFlag.ItemIsEditable)
                self.tree.addTopLevelItem(row)
                row.setSelected(entry.name in kept)
        names = {entry.name for entry in entries}
        self._chosen = [name for name in kept if name in names]
        self.tree.fit_height(2)
        self._refresh()

    def set_undo(self, *, can_undo: bool, can_redo: bool) -> None:
        """Tell whether there are edits to take back, or to do again."""
        self._buttons["undo"].setEnabled(can_undo)
        self._buttons["redo"].setEnabled(can_redo)

    def _items(self) -> list[QTreeWidgetItem]:
        rows = (self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount()))
        return [item for item in rows if item is not None]

    def _hidden(self) -> frozenset[str]:
        off = Qt.CheckState.Unchecked
        return frozenset(
            item.data(0, _NAME) for item in self._items() if item.checkState(0) == off
        )

    def _on_item(self, item: QTreeWidgetItem, column: int) -> None:
        """Tell a rename from a tick: both come as one signal."""
        name, text = item.data(0, _NAME), item.text(0).strip()
        if text == name:
            self.shown_changed.emit(self._hidden())
            return
        with QSignalBlocker(self.tree):
            item.setText(0, name)  # until the edit is accepted
        self.renamed.emit(name, text)

    def _on_chosen(self) -> None:
        now = [item.data(0, _NAME) for item in self.tree.selectedItems()]
        kept = [name for name in self._chosen if name in now]
        self._chosen = kept + [name for name in now if name not in kept]
        self._refresh()
        self.chosen_changed.emit(self.chosen)

    def _refresh(self) -> None:
        n = len(self._chosen)
        for name in ("isolate", "zoom"):
            self._buttons[name].setEnabled(n > 0)
        if not self._editable or "none" in self._chosen:
            n = 0
        for name in ("colour", "split", "up", "down"):
            self._buttons[name].setEnabled(n == 1)
        self._buttons["merge"].setEnabled(n > 1)

    def _show_only(self, names: Collection[str] | None) -> None:
        with QSignalBlocker(self.tree):
            for item in self._items():
                shown = names is None or item.data(0, _NAME) in names
                state = Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked
                item.setCheckState(0, state)
        self.shown_changed.emit(self._hidden())

    def _on_isolate(self) -> None:
        self._show_only(self._chosen)

    def _on_show_all(self) -> None:
        self._show_only(None)

    def _on_zoom(self) -> None:
        self.zoom_wanted.emit(self.chosen)

    def _on_merge(self) -> None:
        self.merged.emit(self.chosen)

    def _on_up(self) -> None:
        self.moved.emit(self._chosen[0], -1)

    def _on_down(self) -> None:
        self.moved.emit(self._chosen[0], 1)

    def _on_split_pieces(self) -> None:
        self.split.emit(self._chosen[0], "pieces")

    def _on_split_latent(self) -> None:
        self.split.emit(self._chosen[0], "latent")

    def _on_colour(self) -> None:
        name = self._chosen[0]
        now = next(i for i in self._items() if i.data(0, _NAME) == name).data(0, _COLOR)
        color = QColorDialog.getColor(QColor(now), self, f"Colour of {name}")
        if color.isValid():
            self.recoloured.emit(name, color.name())
