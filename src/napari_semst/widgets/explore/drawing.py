"""Draw around spots on the canvas: a lasso or a brush, on a layer of its own.

The layer is there while the tool is on, so that what is drawn is seen and no layer of
the user's gets the mouse. Afterwards the layers are as they were. In a grid it would
take a cell: there it is hidden, and what is selected follows the mouse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_semst.viewer.canvas.units import canvas_per_layer, layer_units
from napari_semst.widgets.explore import texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_semst.viewer.picking import SelectionMode

    Floats = NDArray[np.float64]

# Of the line on the screen, and what a hand must move to add a corner.
_LINE, _STEP = 2.5, 3.0
_COLOR = "#1fb4ff"
_CIRCLE = np.linspace(0, 2 * np.pi, 49)


def how_of(modifiers: Collection[str]) -> SelectionMode:
    """Return what the keys held ask for: Shift adds, Alt or Ctrl takes away."""
    if "Shift" in modifiers:
        return "add"
    # Asked one by one: the canvas gives keys that are equal to their names.
    return "subtract" if "Alt" in modifiers or "Control" in modifiers else "replace"


class DrawingTool(QObject):
    """A lasso or a brush on a viewer's canvas."""

    begun = Signal()  # a stroke
    traced = Signal(object, str)  # corners of a lasso that is not seen; how
    # Places are (y, x) in the world of the layer drawn for, in its unit.
    surrounded = Signal(object, str)  # corners; how
    brushed = Signal(object, object, str)  # from and to; how
    lifted = Signal()  # the brush
    ended = Signal()  # the tool, not a stroke

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # The stand-in that plugins are handed keeps layers from being told apart.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._layer: Layer | None = None
        self._kind = ""
        self._panning = False
        self._before: tuple[Layer | None, list[Layer]] = (None, [])
        self._zooming: list[tuple[int, Any]] = []
        self._per_layer = 1.0
        self.radius = 1.0
        """Of the brush, in the unit of the layer drawn for."""

    @property
    def kind(self) -> str:
        """``lasso`` or ``brush``, empty while the tool is off."""
        return self._kind if self._layer is not None else ""

    def start(self, kind: str, at: Floats, of: Layer) -> bool:
        """Take the mouse on the canvas, until `stop` or Escape.

        Parameters
        ----------
        kind
            ``lasso`` or ``brush``.
        at
            A place (y, x) within what is looked at, in the layer's world.
        of
            The layer drawn for: what is drawn has its unit, since layers in several
            units that do not go together would lose theirs.

        Returns
        -------
        bool
            False where the view is not flat, in which nothing can be drawn.
        """
        if self._layer is not None and self._layer in self._viewer.layers:
            self._kind = kind
            self._name()
            self._show([])
            return True
        if self._viewer.dims.ndisplay != 2:
            return False
        from napari.layers import Vectors

        layers = self._viewer.layers
        self._before = (layers.selection.active, list(layers.selection))
        self._kind, self._home = kind, np.asarray(at, dtype=np.float64)
        self._layer = Vectors(
            _path([self._home] * 2),
            name=texts.TOOL_NAMES[kind],
            edge_color=_COLOR,
            vector_style="line",
            opacity=1.0,
            **layer_units(of),
        )
        self._layer.mouse_pan = False
        self._layer.mouse_drag_callbacks.append(self._on_drag)
        self._layer.mouse_move_callbacks.append(self._on_move)
        self._layer.bind_key("Escape", self._on_escape)
        self._layer.bind_key("Space", self._on_space)
        self._zoom_box_off()
        self._add()
        self._name()  # after it was added, which sets the help
        layers.selection.active = self._layer
        layers.selection.events.active.connect(self._on_active)
        layers.events.removed.connect(self._on_removed)
        self._viewer.dims.events.ndisplay.connect(self._on_turned)
        grid_of(self._viewer).events.enabled.connect(self._on_grid)
        return True

    def _add(self) -> None:
        """Add the layer so that it takes no cell of a grid, and moves no other."""
        layer, layers = self._layer, self._viewer.layers
        assert layer is not None
        grid = grid_of(self._viewer)
        layer.visible = not grid.enabled
        # Cells are counted from the first layer, or from the last one.
        layers.insert(len(layers) if grid.stride > 0 else 0, layer)
        self._per_layer = canvas_per_layer(layers, layer)

    def _on_grid(self, event: Any = None) -> None:
        if self._layer is not None:
            self._layer.visible = not grid_of(self._viewer).enabled

    def stop(self) -> None:
        """Leave the canvas and its layers as they were."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        layers = self._viewer.layers
        # Where another layer was chosen meanwhile, that one stays.
        was_active = layers.selection.active is layer or layer not in layers
        layers.selection.events.active.disconnect(self._on_active)
        layers.events.removed.disconnect(self._on_removed)
        self._viewer.dims.events.ndisplay.disconnect(self._on_turned)
        grid_of(self._viewer).events.enabled.disconnect(self._on_grid)
        if layer in layers:
            layers.remove(layer)
        for index, callback in self._zooming:
            self._viewer.mouse_drag_callbacks.insert(index, callback)
        self._zooming = []
        active, selected = self._before
        self._before = (None, [])
        if was_active:
            layers.selection.clear()
            layers.selection.update(one for one in selected if one in layers)
            if active in layers:
                layers.selection.active = active
        self.ended.emit()

    def _name(self) -> None:
        if self._layer is not None:
            self._layer.name = texts.TOOL_NAMES[self._kind]
            self._layer.help = texts.TOOL_HELP

    def _zoom_box_off(self) -> None:
        """Keep Alt from drawing napari's own box while it takes spots away."""
        callbacks = self._viewer.mouse_drag_callbacks
        self._zooming = [
            (index, one)
            for index, one in enumerate(callbacks)
            if getattr(one, "__name__", "") == "drag_to_zoom"
        ]
        for _, one in self._zooming:
            callbacks.remove(one)

    # --- what the mouse and keys do

    def _on_drag(self, layer: Layer, event: Any) -> Iterator[None]:
        if event.button != 1 or self._panning:
            return
        event.handled = True
        how = how_of(event.modifiers)
        self._per_layer = canvas_per_layer(self._viewer.layers, layer)
        place, pixel = self._place(event), np.asarray(event.pos)
        path = [place]
        self.begun.emit()
        if self._kind == "brush":
            self.brushed.emit(place, place, how)
            self._show(path)
        yield
        while event.type == "mouse_move":
            event.handled = True
            now = np.asarray(event.pos)
            if np.abs(now - pixel).max() >= _STEP:
                path.append(self._place(event))
                pixel = now
                self._go_on(path, how)
            yield
        if self._layer is None:
            return
        if len(path) > 1 and np.abs(np.asarray(event.pos) - pixel).max() >= _STEP:
            path.append(self._place(event))  # the last moves may not have been told
        self._show([])
        if self._kind == "lasso" and len(path) > 2:
            self.surrounded.emit(np.array(path), how)
        elif self._kind == "brush":
            self.lifted.emit()

    def _go_on(self, path: list[Floats], how: SelectionMode) -> None:
        """Tell of a stroke's last corner, and draw it."""
        if self._kind == "brush":
            self.brushed.emit(path[-2], path[-1], how)
        elif self._layer is not None and not self._layer.visible and len(path) > 2:
            self.traced.emit(np.array(path), how)
        self._show(path)

    def _on_move(self, layer: Layer, event: Any) -> None:
        if self._kind == "brush":
            self._show([self._place(event)])

    def _place(self, event: Any) -> Floats:
        """Return where the mouse is in the world of the layer drawn for."""
        place = np.asarray(event.position, dtype=np.float64)[-2:]
        return np.asarray(place / self._per_layer)

    def _show(self, path: list[Floats]) -> None:
        """Draw a lasso closed, or a brush with its way."""
        if self._layer is None:
            return
        if self._kind == "lasso":
            lines = _path([*path, path[0]] if path else [self._home] * 2)
        elif path:
            around = np.stack([np.sin(_CIRCLE), np.cos(_CIRCLE)], axis=1)
            circle = _path(list(path[-1] + self.radius * around))
            lines = np.concatenate([_path(path), circle]) if path[1:] else circle
        else:
            lines = _path([self._home] * 2)
        camera = getattr(self._viewer, "scene", self._viewer).camera
        width = _LINE / max(float(camera.zoom) * self._per_layer, 1e-12)
        if self._layer.edge_width != width:
            self._layer.edge_width = width
        self._layer.data = lines

    def _on_escape(self, layer: Layer) -> None:
        self.stop()

    def _on_space(self, layer: Layer) -> Iterator[None]:
        """Move the view while Space is held."""
        self._panning = layer.mouse_pan = True
        yield
        self._panning = layer.mouse_pan = False

    def _on_active(self, event: Any = None) -> None:
        # Later: this may be told while our own layer is being removed.
        QTimer.singleShot(0, self._stop_if_left)

    def _stop_if_left(self) -> None:
        if self._viewer.layers.selection.active is not self._layer:
            self.stop()

    def _on_turned(self, event: Any = None) -> None:
        self.stop()

    def _on_removed(self, event: Any = None) -> None:
        if self._layer is not None and self._layer not in self._viewer.layers:
            self.stop()


def grid_of(viewer: Any) -> Any:
    """Return a viewer's grid, which has moved from one version to the next."""
    return getattr(getattr(viewer, "canvas", None), "grid", None) or viewer.grid


def _path(places: list[Floats]) -> Floats:
    """Return a path as vectors: where each begins, and how far it goes."""
    corners = np.asarray(places, dtype=np.float64)
    return np.stack([corners[:-1], np.diff(corners, axis=0)], axis=1)
