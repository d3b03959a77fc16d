"""A layer of spots, whatever draws it: points, or an image where they are many.

What the rest of the project asks of a layer of spots it asks here (colours:
`paint_layer`; what hovering tells: `hover_features.features_at`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.viewer.canvas.drawn import (
    remember_colours,
    remember_place,
    remember_points,
    same_points,
)
from napari_semst.viewer.canvas.units import layer_matrix
from napari_semst.viewer.spot_image import SpotRaster, covers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from napari.layers import Layer
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


RASTER = "semst_raster"
"""Key of a layer's metadata for the spots of an image, see `SpotRaster`."""

MORE_FEATURES = "semst_more_features"
"""Key of a layer's metadata for what hovering shows besides what the tissue holds:
a column for each name."""


def raster_of(layer: Layer) -> SpotRaster | None:
    """Return the spots that a layer draws as an image, None for any other layer."""
    raster = layer.metadata.get(RASTER)
    return raster if isinstance(raster, SpotRaster) else None


def draws_spots(layer: Layer) -> bool:
    """Return whether a layer is of points, or of our image of them."""
    from napari.layers import Points

    return isinstance(layer, Points) or raster_of(layer) is not None


def n_spots_of(layer: Layer) -> int:
    """Return the number of a layer's spots."""
    raster = raster_of(layer)
    return len(layer.data) if raster is None else len(raster)


def positions(layer: Layer) -> Floats:
    """Return where a layer's spots stand on the canvas, (y, x), ``(n_spots, 2)``."""
    raster = raster_of(layer)
    return np.asarray(layer.data) if raster is None else raster.positions


def diameters(layer: Layer) -> Floats:
    """Return the diameters of a layer's spots, ``(n_spots,)``."""
    raster = raster_of(layer)
    return np.asarray(layer.size) if raster is None else raster.diameters


def shown_spots(layer: Layer) -> NDArray[np.bool_]:
    """Return which of a layer's spots are on show, ``(n_spots,)``."""
    raster = raster_of(layer)
    return np.asarray(layer.shown) if raster is None else raster.shown


def show_spots(layer: Layer, mask: NDArray[np.bool_]) -> None:
    """Show some of a layer's spots and no others, as a mask, ``(n_spots,)``."""
    raster = raster_of(layer)
    if raster is None:
        layer.shown = mask
    else:
        raster.show(mask)
        redraw(layer, raster)


def redraw(layer: Layer, raster: SpotRaster) -> None:
    """Draw a layer's image of spots anew, with colours that were changed in it."""
    if not raster.is_drawn_by(layer.data):
        # The viewer copies an array where a layer is duplicated.
        layer.data = raster.levels
    layer.refresh(extent=False)


def move(
    layer: Layer,
    places: Floats,
    sizes: float | Floats,
    raster: SpotRaster | None = None,
) -> None:
    """Move a layer's spots; their colours stay, and which of them are shown.

    Parameters
    ----------
    layer
        The spots.
    places
        (y, x), shape ``(n_spots, 2)``.
    sizes
        Diameters, one or one per spot.
    raster
        The same as an image, which a layer that draws one takes over; `None`: it is
        made here.
    """
    old = raster_of(layer)
    if old is None:
        layer.data = places
        layer.size = sizes
        remember_points(layer, places)
        return
    if raster is None:
        raster = SpotRaster(places, sizes, old.square)
    raster.take_look(old)
    layer.metadata[RASTER] = raster
    layer.data = raster.levels
    layer.scale, layer.translate = raster.scale, raster.translate
    remember_place(layer)


def resize(layer: Layer, sizes: float | Floats) -> None:
    """Draw a layer's spots with other diameters, one or one per spot."""
    raster = raster_of(layer)
    if raster is None:
        layer.size = sizes
    else:
        raster.resize(sizes)
        redraw(layer, raster)


def spot_at(layer: Layer, position: Sequence[float] | Floats) -> int | None:
    """Return the spot on show at a position, the one on top.

    Parameters
    ----------
    layer
        The spots.
    position
        World coordinates in the layer's unit, of which the last two are (y, x).

    Returns
    -------
    int or None
        Its index; None where there is no spot.
    """
    raster = raster_of(layer)
    place = to_places(layer, np.asarray([position], dtype=np.float64))[0]
    if not np.isfinite(place).all():
        return None
    if raster is None:
        there = covers(positions(layer), diameters(layer), place)
        spots_there = np.flatnonzero(there & shown_spots(layer))
    else:
        spots_there = raster.spots_at(place)
    return int(spots_there[-1]) if len(spots_there) else None


def to_places(layer: Layer, world: Floats) -> Floats:
    """Return world coordinates as those that the spots' positions are in.

    Parameters
    ----------
    layer
        The spots; it may have been moved or turned by hand.
    world
        Shape ``(n, 2)`` or wider, the last two (y, x); few, as the corners of a lasso.
    """
    data = np.stack([np.asarray(layer.world_to_data(one))[-2:] for one in world])
    raster = raster_of(layer)
    # The data of an image are pixels: what is between them and its spots is undone.
    return data if raster is None else data * raster.scale + raster.translate


def to_world(layer: Layer, places: Floats) -> Floats:
    """Return places of spots as world coordinates of their layer, in its unit.

    Parameters
    ----------
    layer
        The spots.
    places
        As `positions` are, shape ``(n, 2)``.
    """
    raster = raster_of(layer)
    if raster is not None:
        places = (places - raster.translate) / raster.scale
    matrix = layer_matrix(layer)
    return np.asarray(places @ matrix[:2, :2].T + matrix[:2, 2])


def world_per_place(layer: Layer) -> float:
    """Return how long in a layer's world is what is 1 long among its spots' places."""
    matrix = layer_matrix(layer)[:2, :2]
    raster = raster_of(layer)
    scale = 1.0 if raster is None else float(raster.scale[0])
    return float(np.sqrt(abs(np.linalg.det(matrix)))) / scale


def paint_layer(layer: Layer, rgba: NDArray[np.float32]) -> None:
    """Put one colour per spot on a layer with a single upload.

    A layer whose points are not those of its tissue any more, one was deleted say,
    keeps the colours that it has: see `holds_its_spots`.

    Raises
    ------
    ValueError
        If the layer has another number of spots than there are colours.
    """
    tissue = tissue_of(layer)
    if tissue is not None and tissue.n_obs == len(rgba) and not holds_its_spots(layer):
        return
    if n_spots_of(layer) != len(rgba):
        raise ValueError(
            f"Expected one colour for each of the layer's {n_spots_of(layer)} "
            f"points; got {len(rgba)}."
        )
    raster = raster_of(layer)
    if raster is not None:
        raster.paint(rgba)
        redraw(layer, raster)
        return
    remember_colours(layer, rgba)
    if str(layer.face_color_mode) != "direct" or layer.face_color.shape != rgba.shape:
        layer.face_color = rgba
        return
    # Writing in place uploads once; assigning `face_color` uploads twice.
    layer.face_color[:] = rgba
    layer.refresh()


def holds_its_spots(layer: Layer) -> bool:
    """Return whether a layer's points are the spots of its tissue, in their order.

    They are not once some were deleted or added with the viewer's own tools: which
    point is which spot is then not known, and nothing may be painted or selected.
    """
    tissue = tissue_of(layer)
    if tissue is None:
        return False
    raster = raster_of(layer)
    if raster is not None:
        return len(raster) == int(tissue.n_obs)
    names: Sequence[str] = tissue.obs_names
    return same_points(layer, names)


TISSUE = "adata"


PAIR = "semst_pair"


def tissue_of(layer: Layer) -> AnnData | None:
    """Return the tissue whose spots a layer shows, or None if it shows none.

    Layers of other plugins that hold a table are none of ours until they are taken
    over, see `napari_semst.viewer.foreign_layers`.
    """
    from anndata import AnnData

    ours = PAIR in layer.metadata and draws_spots(layer)
    tissue = layer.metadata.get(TISSUE) if ours else None
    return tissue if isinstance(tissue, AnnData) else None
