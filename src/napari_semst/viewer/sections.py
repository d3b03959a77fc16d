"""Several sections on one layer of spots: moved, shown alone, and looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.viewer import adapter, spots
from napari_semst.viewer.arrange import arrange, bounds
from napari_semst.viewer.canvas.drawn import remember_place
from napari_semst.viewer.canvas.units import canvas_per_layer
from napari_semst.viewer.spots import PAIR, tissue_of
from napari_semst.viewer.spots_as_image import raster_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anndata import AnnData
    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_semst.io.alignment import Placement
    from napari_semst.viewer.arrange import CanvasArrangement
    from napari_semst.viewer.spot_image import SpotRaster

# Of the canvas, around what is looked at; as napari's own.
_MARGIN = 0.05


def images_of(layer: Layer, layers: Iterable[Layer]) -> list[Layer]:
    """Return those layers that hold the images of a layer of spots."""
    pair = layer.metadata.get(PAIR)
    return [
        one
        for one in layers
        if pair and one.metadata.get(PAIR) == pair and _placement(one)
    ]


def _placement(image: Layer) -> Placement | None:
    placement: Placement | None = image.metadata.get(adapter.PLACEMENT)
    return placement


def sections_by(layer: Layer) -> str:
    """Return the column that tells a layer's sections apart, empty for one section."""
    return str(layer.metadata.get(adapter.SECTIONS_BY, ""))


def sections_on(layer: Layer) -> tuple[str, ...]:
    """Return the names of a layer's sections, nothing for a single section."""
    return tuple(layer.metadata.get(adapter.SECTIONS, {}))


def section_shown(layer: Layer) -> str:
    """Return the section that a layer shows alone, empty where it shows all."""
    return str(layer.metadata.get(adapter.SECTION_SHOWN, ""))


@dataclass(frozen=True, slots=True, eq=False)
class SpotMove:
    """Where spots and images are to stand, worked out before they are moved.

    Parameters
    ----------
    tissue, key, column
        What was asked, see `napari_semst.viewer.arrange.arrange`.
    arrangement
        The places.
    raster
        The spots as an image, where they are drawn as one.
    """

    tissue: AnnData
    key: str | None
    column: str
    arrangement: CanvasArrangement
    raster: SpotRaster | None


def plan_move(tissue: AnnData, key: str | None, column: str) -> SpotMove:
    """Return where a tissue's spots are to stand; no layer is touched.

    Raises
    ------
    InputError
        As `napari_semst.viewer.arrange.arrange` does.
    """
    arrangement = arrange(tissue, key, column)
    raster = raster_for(tissue, arrangement, key)
    if raster is not None:
        raster.warm()
    return SpotMove(tissue, key, column, arrangement, raster)


def move_spots(
    layer: Layer,
    key: str | None,
    column: str | None = None,
    images: Sequence[Layer] = (),
    moved: SpotMove | None = None,
) -> None:
    """Move a layer's spots to other coordinates, or to stand in other sections.

    Parameters
    ----------
    layer
        The spots; all of them are shown again.
    key
        obsm key of the coordinates.
    column
        The obs column that tells sections apart, empty for one section; `None`
        leaves it as it is.
    images
        The layer's images, which move with their sections.
    moved
        The places, where they are known already; no other layer may share them.

    Raises
    ------
    InputError
        If the coordinates are not two finite numbers for each spot, or the column
        does not tell every spot's section; nothing is moved.
    """
    tissue = tissue_of(layer)
    if tissue is None or not spots.holds_its_spots(layer):
        return
    column = sections_by(layer) if column is None else column
    moved = moved or plan_move(tissue, key, column)
    arrangement = moved.arrangement
    spots.move(layer, arrangement.positions, arrangement.diameters, moved.raster)
    layer.metadata[adapter.COORDINATES] = key
    layer.metadata.update(adapter.sections_metadata(arrangement, column))
    adapter.refresh(layer)
    for image in images:
        placement = _placement(image)
        place = None if placement is None else arrangement.moved(placement)
        if place is not None:
            image.scale, image.translate = place
            remember_place(image)
    show_section(layer, "", images)


def show_section(layer: Layer, name: str, images: Sequence[Layer] = ()) -> None:
    """Show one section of a layer alone, or all of them.

    Parameters
    ----------
    layer
        The spots.
    name
        Of the section; empty for all.
    images
        The layer's images: those of other sections are hidden, and come back.
    """
    tissue, column = tissue_of(layer), sections_by(layer)
    if tissue is None or not spots.holds_its_spots(layer):
        return
    layer.metadata[adapter.SECTION_SHOWN] = name
    every = np.ones(tissue.n_obs, dtype=bool)
    spots.show_spots(layer, _of_section(tissue, column, name) if name else every)
    libraries: dict[str, Any] = layer.metadata.get(adapter.SECTIONS, {})
    wanted = {libraries[name]} if name else set(libraries.values())
    for image in images:
        placement = _placement(image)
        if libraries and placement is not None and placement.library not in wanted:
            if image.visible:
                image.visible, image.metadata[adapter.HIDDEN_NAMES] = False, True
        elif image.metadata.get(adapter.HIDDEN_NAMES):
            # One that the user has hidden stays hidden.
            image.visible, image.metadata[adapter.HIDDEN_NAMES] = True, False


def _of_section(tissue: AnnData, column: str, name: str) -> NDArray[np.bool_]:
    """Return which spots are of a section, ``(n_spots,)``."""
    every = tissue.obs[column].astype("category").cat
    wanted = [str(level) == name for level in every.categories]
    # A spot without an entry, -1, is of the last one: of no section.
    return np.asarray(np.array([*wanted, False])[every.codes.to_numpy()])


def visible_box(
    viewer: Viewer, layer: Layer, images: Sequence[Layer] = ()
) -> NDArray[np.float64] | None:
    """Return the least and largest (y, x) of spots on show and visible images.

    Parameters
    ----------
    viewer
        Holds the layers.
    layer, images
        The spots and their images.

    Returns
    -------
    numpy.ndarray or None
        Shape ``(2, 2)``, in the unit of the canvas; None where nothing is on show.
    """
    shown = spots.shown_spots(layer)
    if not shown.any():
        return None
    radius = float(spots.diameters(layer)[shown].max()) / 2
    box = bounds(spots.positions(layer)[shown]) + np.array([[-radius], [radius]])
    boxes = [on_canvas(viewer, layer, box)]
    boxes += [
        np.asarray(one.extent.world)[:, -2:] * canvas_per_layer(viewer.layers, one)
        for one in images
        if one.visible
    ]
    return bounds(np.concatenate(boxes))


def on_canvas(
    viewer: Viewer, layer: Layer, box: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the box of the canvas that a box among a layer's spots takes up.

    Parameters
    ----------
    viewer, layer
        The spots, and where they are shown.
    box
        Least and largest (y, x), as `spots.positions` are, shape ``(2, 2)``.
    """
    (top, left), (bottom, right) = box
    corners = np.array([[top, left], [top, right], [bottom, left], [bottom, right]])
    world = spots.to_world(layer, corners)
    return bounds(world) * canvas_per_layer(viewer.layers, layer)


def zoom_to(viewer: Viewer, box: NDArray[np.float64] | None) -> None:
    """Let a box of the canvas, ``(2, 2)`` in (y, x) in its unit, fill the window."""
    if box is None:
        return
    viewer.reset_view()
    # Where the camera is has changed from one version of napari to the next.
    camera = getattr(viewer, "scene", viewer).camera
    size = getattr(getattr(viewer, "canvas", None), "size", None)
    if size is None:
        # Versions that do not tell: at least what all layers take up now.
        whole = np.asarray(viewer.layers.extent.world)[:, -2:]
        room = (whole[1] - whole[0]) * float(camera.zoom)
    else:
        room = np.asarray(size, dtype=float) * (1 - _MARGIN)
    camera.center = tuple(box.mean(axis=0))
    camera.zoom = float((room / np.maximum(box[1] - box[0], 1e-9)).min())
