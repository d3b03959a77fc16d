"""What an image layer draws: pixels in memory, or a file level by level."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_semst.io.alignment import Placement


def placed_levels(
    placement: Placement, levels: Sequence[Any], share: float, fill: Any = None
) -> tuple[list[Any], Placement]:
    """Return the levels of an image's file as they are drawn, and their place.

    Parameters
    ----------
    placement
        The image in its place.
    levels
        As the file has them, the finest first.
    share
        Pixels along the image for each along the finest level.
    fill
        What is put beside a registered image.

    Returns
    -------
    tuple
        The levels, and the place of the finest, without pixels.
    """
    drawn = [placement.drawn(level, fill) for level in levels]
    coarse = np.array(placement.scale)
    fine = coarse * share
    if placement.registered is not None:
        fine = np.ptp(placement.bounds(), axis=0) / drawn[0].shape[:2]
    # Outer edges coincide, not the centres of the first pixels.
    first = np.array(placement.translate) - coarse / 2 + fine / 2
    kept = replace(
        placement,
        image=placement.image[:0, :0],
        unturned=None,
        scale=(float(fine[0]), float(fine[1])),
        translate=(float(first[0]), float(first[1])),
    )
    return drawn, kept


def image_data(placement: Placement) -> tuple[Any, Placement, dict[str, Any]]:
    """Return what to draw of an image, where it lies, and how it is drawn.

    An image that was read from a larger file is drawn from that file, of which only
    what is looked at is read.

    Parameters
    ----------
    placement
        The image in its place.

    Returns
    -------
    tuple
        Pixels or a list of levels; the place of the finest of them, without pixels;
        options of the layer.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    from napari_semst.io.formats.tiff import pyramid_of
    from napari_semst.registration.warp import rim_of

    nothing = placement.image[:0, :0]
    kept = replace(placement, image=nothing, unturned=None)
    image = placement.unturned
    pyramid = None if image is None else pyramid_of(image)
    if pyramid is None:
        return placement.image, kept, {"rgb": placement.image.ndim == 3}
    # The rim of the coarsest, as that of the finest would be much to read.
    registered = placement.registered is not None
    fill = rim_of(pyramid.levels[-1]) if registered else None
    levels, kept = placed_levels(placement, pyramid.levels, pyramid.share, fill)
    options: dict[str, Any] = {"rgb": levels[0].ndim == 3, "multiscale": True}
    if not options["rgb"]:
        options["contrast_limits"] = pyramid.contrast
    return levels, kept, options
