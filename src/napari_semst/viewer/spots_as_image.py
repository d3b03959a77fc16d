"""Spots that are too many for points, as the data of an Image layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.outlines.sources import has_outlines
from napari_semst.viewer.canvas.drawn import DRAWN, drawn
from napari_semst.viewer.outlines.draw_outlines import outlines_to_read
from napari_semst.viewer.spot_image import SpotRaster
from napari_semst.viewer.spots import RASTER

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.types import LayerData

    from napari_semst.viewer.arrange import CanvasArrangement

MOST_POINTS = 100_000
"""Spots up to which a section is drawn as points; more are drawn as an image, and
so are cells whose outlines are known."""

# How far, as a share of its side, a bin may be from its place on the grid.
_ON_GRID = 0.05


def draws_as_image(tissue: AnnData) -> bool:
    """Return whether a tissue's spots are drawn as an image: many, or outlined."""
    return tissue.n_obs > MOST_POINTS or has_outlines(tissue)


def raster_for(
    tissue: AnnData, arrangement: CanvasArrangement, key: str | None
) -> SpotRaster | None:
    """Return a tissue's spots as an image, None where they are points.

    Parameters
    ----------
    tissue, arrangement
        The spots, and where they stand.
    key
        obsm key of the coordinates at which they do.
    """
    if not draws_as_image(tissue):
        return None
    square = are_bins(tissue, arrangement)
    raster = SpotRaster(arrangement.positions, arrangement.diameters, square)
    raster.to_read = outlines_to_read(tissue, arrangement, key)
    return raster


def are_bins(tissue: AnnData, arrangement: CanvasArrangement) -> bool:
    """Return whether spots are the squares of a grid.

    Visium HD says so; else they are where spots that touch stand in rows and columns.
    """
    from napari_semst.io.sections import libraries, part

    if any("bin_size_um" in part(tissue, x, "scalefactors") for x in libraries(tissue)):
        return True
    places = arrangement.positions
    size = np.broadcast_to(np.asarray(arrangement.diameters), len(places))[:, None]
    # Each section has a grid of its own: places count from a spot of the same.
    _, first = np.unique(arrangement.codes, return_index=True)
    steps = (places - places[first[arrangement.codes]]) / size
    whole = np.rint(steps)
    on_grid = (np.abs(steps - whole) < _ON_GRID).all(axis=1).mean() > 0.99
    # Spots half as wide as their pitch are all an even number of steps apart.
    return bool(on_grid and (whole % 2 == 1).any())


def raster_layer(raster: SpotRaster, options: dict[str, Any]) -> LayerData:
    """Return spots as the data of an Image layer.

    Parameters
    ----------
    raster
        The spots, painted.
    options
        The layer's other options, its metadata among them.
    """
    options["metadata"][RASTER] = raster
    place = {"scale": raster.scale, "translate": raster.translate}
    options["metadata"][DRAWN] = drawn(place)
    return raster.levels, {**options, **place, "rgb": True, "multiscale": True}, "image"
