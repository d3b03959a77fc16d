"""Landmarks on the canvas: points on the image and points among the spots, in pairs.

Both are layers of the viewer's own, so that points are set, moved and deleted with its
tools. What they stand for is kept as the section's own places: on the image as its
file puts it, so that a point stays on its structure when the image is moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.alignment import image_placement
from napari_semst.viewer import adapter, spots
from napari_semst.viewer.canvas.drawn import drawn_as
from napari_semst.viewer.canvas.units import layer_units

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ON_IMAGE, AMONG_SPOTS = "Landmarks on the image", "Landmarks among the spots"
_LOOKS: dict[str, dict[str, Any]] = {
    ON_IMAGE: {
        "symbol": "cross",
        "face_color": "#e69f00",
        "border_color": "#e69f00",
    },
    AMONG_SPOTS: {
        "symbol": "disc",
        "face_color": "#56b4e9",
        "border_color": "#56b4e9",
    },
}
# On the screen, however close the view is.
_PIXELS = 10


class LandmarkLayers:
    """The two layers of points of a section's image.

    Parameters
    ----------
    viewer
        Gets the layers.
    layer, image
        The spots, and the layer of their image.
    on_image, among_spots
        Pairs to begin with, (x, y) as `napari_semst.registration.landmarks.Landmarks`
        has them, ``(n, 2)``.
    when_changed
        Called when points were set, moved or deleted.
    """

    def __init__(
        self,
        viewer: Viewer,
        layer: Layer,
        image: Layer,
        on_image: Floats,
        among_spots: Floats,
        when_changed: Callable[[], None],
    ) -> None:
        self._viewer, self._spots, self._image = viewer, layer, image
        self.on_image, self.among_spots = on_image.copy(), among_spots.copy()
        self._when_changed = when_changed
        self._showing = False
        self.layers = {
            name: viewer.add_points(
                np.empty((0, 2)),
                name=name,
                size=1,
                border_width=0,
                canvas_size_limits=(_PIXELS, _PIXELS),
                features={"pair": np.empty(0, int)},
                text={
                    "string": "{pair}",
                    "color": _LOOKS[name]["face_color"],
                    "size": 14,
                    "anchor": "upper_left",
                },
                **_LOOKS[name],
                **layer_units(layer),
            )
            for name in (ON_IMAGE, AMONG_SPOTS)
        }
        self.show()
        for points in self.layers.values():
            points.events.data.connect(self._on_data)
        self._go_on()

    @property
    def on_canvas(self) -> bool:
        """Whether both layers are still in the viewer."""
        return all(points in self._viewer.layers for points in self.layers.values())

    @property
    def n_pairs(self) -> int:
        """How many pairs are complete."""
        return min(len(self.on_image), len(self.among_spots))

    def set_pairs(self, on_image: Floats, among_spots: Floats) -> None:
        """Show other pairs."""
        self.on_image, self.among_spots = on_image.copy(), among_spots.copy()
        self.show()
        self._go_on()

    def remove_pair(self, pair: int) -> None:
        """Remove a pair, counted from 0, or half a one."""
        self.on_image = np.delete(self.on_image, slice(pair, pair + 1), axis=0)
        self.among_spots = np.delete(self.among_spots, slice(pair, pair + 1), axis=0)
        self.show()
        self._go_on()

    def show(self) -> None:
        """Put all points to where they are now: the image may have been moved."""
        places = (self._image_on_canvas(), self._spots_on_canvas())
        self._showing = True
        try:
            for points, data in zip(self.layers.values(), places, strict=True):
                points.selected_data = set()
                points.data = data
                points.features = {"pair": np.arange(1, len(data) + 1)}
                points.text.refresh(points.features)
                points.refresh()
        finally:
            self._showing = False

    def remove(self) -> None:
        """Take the layers off the canvas; the pairs stay known."""
        for points in self.layers.values():
            points.events.data.disconnect(self._on_data)
            if points in self._viewer.layers:
                self._viewer.layers.remove(points)

    def _go_on(self) -> None:
        """Let the next click set what comes next: on the image, among the spots."""
        if not self.on_canvas:
            return
        behind = len(self.among_spots) < len(self.on_image)
        points = self.layers[AMONG_SPOTS if behind else ON_IMAGE]
        self._viewer.layers.selection.active = points
        points.mode = "add"

    def _on_data(self, event: Any) -> None:
        done = str(getattr(event.action, "value", event.action))
        if self._showing or done not in ("added", "changed", "removed"):
            return
        points = event.source
        on_image = points is self.layers[ON_IMAGE]
        data = np.asarray(points.data, np.float64).reshape(-1, 2)
        known = self.on_image if on_image else self.among_spots
        if done == "removed":
            # The other one of each pair goes with it, or pairs were mixed up.
            gone = _removed(event, len(known), len(data))
            for pair in gone:
                self.on_image = np.delete(self.on_image, slice(pair, pair + 1), axis=0)
                self.among_spots = np.delete(
                    self.among_spots, slice(pair, pair + 1), axis=0
                )
        elif on_image:
            self.on_image = self._in_file(data)
        else:
            self.among_spots = self._own(data)
        self.show()
        if done == "added":
            self._go_on()
        self._when_changed()

    # --- places of the section and of the canvas

    def _placement(self) -> Any:
        library = self._image.metadata[adapter.PLACEMENT].library
        tissue = spots.tissue_of(self._spots)
        assert tissue is not None
        return image_placement(tissue, library)

    def _in_file(self, world: Floats) -> Floats:
        """Return where the file puts what is seen of the image at world places."""
        kept = self._image.metadata[adapter.PLACEMENT]
        pixels = np.array([self._image.world_to_data(one)[-2:] for one in world])
        own = pixels.reshape(-1, 2) * kept.scale + kept.translate
        return np.asarray(self._placement().in_file(own)[:, ::-1])

    def _image_on_canvas(self) -> Floats:
        """Return where the image's landmarks are seen, in the world."""
        kept = self._image.metadata[adapter.PLACEMENT]
        own = self._placement().in_world(self.on_image[:, ::-1])
        pixels = (own - kept.translate) / kept.scale
        world = np.array([self._image.data_to_world(one)[-2:] for one in pixels])
        return world.reshape(-1, 2)

    def _section(self) -> tuple[Floats, Floats]:
        """Return what takes the section's own (y, x) to its place beside others."""
        kept, image = self._image.metadata[adapter.PLACEMENT], drawn_as(self._image)
        if image is None:
            return np.ones(2), np.zeros(2)
        factor = image.scale / kept.scale
        return factor, image.translate - np.multiply(kept.translate, factor)

    def _own(self, world: Floats) -> Floats:
        if not len(world):
            return np.empty((0, 2))
        factor, shift = self._section()
        places = spots.to_places(self._spots, world)
        return np.asarray(((places - shift) / factor)[:, ::-1])

    def _spots_on_canvas(self) -> Floats:
        factor, shift = self._section()
        return spots.to_world(self._spots, self.among_spots[:, ::-1] * factor + shift)


def _removed(event: Any, before: int, after: int) -> list[int]:
    """Return which points were deleted, the last one first."""
    told = {int(index) % max(before, 1) for index in event.data_indices}
    if len(told) != before - after:
        # Not told: those at the end.
        told = set(range(after, before))
    return sorted(told, reverse=True)
