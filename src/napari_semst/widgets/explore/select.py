"""Select spots by hand on the tissue, and say how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QWidget

from napari_semst.viewer import picking, spots
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.correct.assign import AssignPart
from napari_semst.widgets.explore.correct.refining import RefinePart
from napari_semst.widgets.explore.drawing import DrawingTool
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.forms import (
    heading,
    note_label,
    push_button,
    row_of,
    stacked,
)
from napari_semst.widgets.shared.section_colours import hidden_spots

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_semst.viewer.picking import SelectionMode
    from napari_semst.widgets.explore.context import ExploreContext

    Mask = NDArray[np.bool_]

_RADIUS = 3.0
# Up to so many spots the selection follows the brush, else when it is lifted.
_MOST_LIVE = 20_000


class SelectPart(QWidget):
    """Lasso, brush, invert and clear; and names for the spots selected.

    Parameters
    ----------
    dock
        In all of which the shortcuts work.
    """

    def __init__(self, context: ExploreContext, dock: QWidget) -> None:
        super().__init__(dock)
        self._context, self._dock = context, dock
        self.tool = DrawingTool(context.viewer, self)
        self.lasso = push_button("Lasso", TIPS["lasso"], checkable=True, narrow=True)
        self.brush = push_button("Brush", TIPS["brush"], checkable=True, narrow=True)
        self.invert_button = push_button("Invert", TIPS["invert"], narrow=True)
        self.clear_button = push_button("Clear", TIPS["clear"], narrow=True)
        self.radius = QDoubleSpinBox()
        self.radius.setToolTip(TIPS["radius"])
        self.radius.setAccessibleName("Radius of the brush")
        self.radius.setRange(0.5, 100.0)
        self.radius.setDecimals(1)
        self.radius.setSingleStep(0.5)
        self.radius.setValue(_RADIUS)
        self.radius.setPrefix("radius ")
        self.count = QLabel(texts.NOTHING_SELECTED)
        self.hint = note_label()
        self.hint.setText(texts.TOOL_HINT)
        self.hint.hide()
        self.assign = AssignPart(context)
        self.refine = RefinePart(context)
        self._stroke: tuple[Mask | None, Mask, Any, Mask] | None = None
        self._build()
        self._connect()
        self._on_section()

    def _build(self) -> None:
        row = row_of(self.lasso, self.brush, self.radius, spacing=4, stretch=True)
        for part in (self.invert_button, self.clear_button):
            row.addWidget(part)
        stacked(
            self,
            heading("Select"),
            row,
            self.hint,
            self.count,
            self.assign,
            self.refine,
            spacing=6,
        )

    def _connect(self) -> None:
        self.lasso.toggled.connect(self._on_lasso)
        self.brush.toggled.connect(self._on_brush)
        self.radius.valueChanged.connect(self._on_radius)
        self.invert_button.clicked.connect(self.invert)
        self.clear_button.clicked.connect(self.clear)
        self.tool.begun.connect(self._on_begun)
        self.tool.surrounded.connect(self._on_surrounded)
        self.tool.traced.connect(self._on_traced)
        self.tool.brushed.connect(self._on_brushed)
        self.tool.lifted.connect(self._on_lifted)
        self.tool.ended.connect(self._on_ended)
        self._context.section_changed.connect(self._on_section)
        self._context.state.selection_changed.connect(self._on_selection)
        for keys, slot in (
            ("Ctrl+L", self.lasso.click),
            ("Ctrl+B", self.brush.click),
            ("Ctrl+D", self.clear),
        ):
            self._shortcut(keys, slot)
        # Only while a tool is on: Escape has other work in fields and lists.
        self._escape = self._shortcut("Escape", self.tool.stop)
        self._escape.setEnabled(False)

    def _shortcut(self, keys: str, slot: Any) -> QShortcut:
        shortcut = QShortcut(QKeySequence(keys), self._dock)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(slot)
        return shortcut

    # --- the selection

    def take(self, spots: Mask, how: SelectionMode) -> None:
        """Select spots that were drawn around, of those on show.

        Parameters
        ----------
        spots
            Which ones, shape ``(n_spots,)``.
        how
            Whether they take the place of those selected, or come to them, or go.
        """
        tissue = self._context.tissue
        if tissue is not None:
            old = self._context.selection
            new = picking.combined(old, spots & self.on_show(), how)
            self._context.state.select(tissue, new)

    def on_show(self) -> Mask:
        """Return which spots can be seen: by their section, and by their name."""
        layer, tissue = self._context.layer, self._context.tissue
        colouring = self._context.colouring
        if layer is None or tissue is None:
            return np.zeros(0, bool)
        if not spots.holds_its_spots(layer) or not layer.visible:
            # Points were deleted or added: which is which spot is not known.
            return np.zeros(tissue.n_obs, bool)
        shown = picking.spots_on_show(layer)
        if colouring is not None:
            choices = self._context.sections.choices
            hidden = hidden_spots(tissue, colouring, choices)
            if hidden is not None:
                shown = shown & ~hidden
        return shown

    def invert(self) -> None:
        """Select the visible spots that are not selected, and no others."""
        tissue = self._context.tissue
        if tissue is not None:
            old, shown = self._context.selection, self.on_show()
            self._context.state.select(tissue, shown if old is None else shown & ~old)

    def clear(self) -> None:
        """Select nothing."""
        if self._context.tissue is not None:
            self._context.state.select(self._context.tissue, None)

    def _on_selection(self, tissue: AnnData | None = None) -> None:
        tissue = self._context.tissue
        spots = self._context.selection
        self.clear_button.setEnabled(spots is not None)
        text = texts.NOTHING_SELECTED
        if tissue is not None and spots is not None:
            n = int(np.count_nonzero(spots))
            text = texts.SELECTED.format(n=n, total=tissue.n_obs)
        self.count.setText(text)

    def _on_section(self) -> None:
        self.tool.stop()
        self.setEnabled(self._context.tissue is not None)
        self._on_selection()

    def _whole(self) -> bool:
        """Return whether the layer has the spots of its tissue, or say so."""
        layer = self._context.layer
        if layer is None or spots.holds_its_spots(layer):
            return True
        self._context.card.show_status("warning", texts.NOT_WHOLE, texts.NOT_WHOLE_HELP)
        return False

    def shutdown(self) -> None:
        """Leave the canvas as it was before a tool was on; for when the dock goes."""
        self.refine.shutdown()
        self.tool.stop()

    # --- the tools

    def _on_lasso(self, on: bool) -> None:
        self._turn("lasso", on)

    def _on_brush(self, on: bool) -> None:
        self._turn("brush", on)

    def _turn(self, kind: str, on: bool) -> None:
        """Turn a tool on, and the other off; or both off."""
        layer = self._context.layer
        if not on or layer is None:
            if self.tool.kind in {kind, ""}:
                self.tool.stop()
            return
        if not layer.visible:
            self._press("")
            self._context.card.show_status("warning", texts.HIDDEN, texts.HIDDEN_HELP)
            return
        places = picking.section_positions(layer)
        home = spots.to_world(layer, places[:1])[0] if len(places) else np.zeros(2)
        self._on_radius()
        if self.tool.start(kind, home, layer):
            self._escape.setEnabled(True)
            self._press(kind)
        else:
            self._press("")
            self._context.card.show_status(
                "warning", texts.FLAT_ONLY, texts.FLAT_ONLY_HELP
            )

    def _press(self, kind: str) -> None:
        self.hint.setVisible(bool(kind))
        for name, button in (("lasso", self.lasso), ("brush", self.brush)):
            with QSignalBlocker(button):
                button.setChecked(name == kind)

    def _on_ended(self) -> None:
        self._stroke = None
        self._escape.setEnabled(False)
        self._press("")

    def _on_radius(self) -> None:
        if self._context.layer is not None:
            layer = self._context.layer
            diameter = picking.usual_diameter(layer) * spots.world_per_place(layer)
            self.tool.radius = self.radius.value() * diameter

    def _on_surrounded(self, corners: NDArray[np.float64], how: SelectionMode) -> None:
        layer = self._context.layer
        if layer is not None and self._whole():
            # Where the lasso is not seen its spots were selected while it was drawn.
            self._take_back()
            self.take(self._inside(layer, corners), how)
        self._stroke = None

    def _on_traced(self, corners: NDArray[np.float64], how: SelectionMode) -> None:
        """Select what a lasso that is not seen surrounds by now."""
        layer = self._context.layer
        if self._stroke is None or layer is None or len(self._stroke[1]) > _MOST_LIVE:
            return
        self._take_back()
        self.take(self._inside(layer, corners), how)

    def _inside(self, layer: Layer, corners: NDArray[np.float64]) -> Mask:
        polygon = spots.to_places(layer, corners)
        return picking.spots_in_polygon(picking.section_positions(layer), polygon)

    def _take_back(self) -> None:
        """Select what was selected when the stroke began; nobody is told."""
        tissue = self._context.tissue
        if tissue is not None and self._stroke is not None:
            with QSignalBlocker(self._context.state):
                self._context.state.select(tissue, self._stroke[0])

    def _on_begun(self) -> None:
        layer, tissue = self._context.layer, self._context.tissue
        if layer is None or tissue is None or not self._whole():
            return
        positions = picking.section_positions(layer)
        none = np.zeros(len(positions), bool)
        old = self._context.selection
        self._stroke = old, none, positions, self.on_show()

    def _on_brushed(self, start: Any, end: Any, how: SelectionMode) -> None:
        layer, tissue = self._context.layer, self._context.tissue
        if layer is None or tissue is None or self._stroke is None:
            return
        old, done, positions, shown = self._stroke
        ends = spots.to_places(layer, np.stack([start, end]))
        radius = self.tool.radius / spots.world_per_place(layer)
        done |= shown & picking.spots_near(positions, ends[0], ends[1], radius)
        self._how = how
        if len(done) <= _MOST_LIVE:
            self._context.state.select(tissue, picking.combined(old, done, how))

    def _on_lifted(self) -> None:
        tissue = self._context.tissue
        if tissue is not None and self._stroke is not None:
            old, done, _, _ = self._stroke
            new = picking.combined(old, done, self._how)
            self._context.state.select(tissue, new)
        self._stroke = None
