"""Spots and image in the same coordinates: the one place where both are put there.

The world is the full-resolution image: pixel j has its centre at j and covers
[j - 1/2, j + 1/2). An image reduced by the factor s covers with its pixel i the
full-resolution pixels [i/s, (i + 1)/s), counted from the first pixel's outer edge; its
centre is therefore at (i + 1/2)/s - 1/2. As a viewer draws pixel i at
``scale * i + translate``: scale = 1/s, translate = (1/s - 1)/2.

Cells stand in micrometres or other units than pixels: there s is the number of the
image's pixels in one unit, and tissue_hires_origin_x and _y say where the first pixel's
outer corner lies, which is (-1/2, -1/2) for pixels.

What was aligned by hand, see `napari_semst.io.manual_alignment`, is on top of that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError, one_of
from napari_semst.io.coordinates import find_coordinates
from napari_semst.io.images import RESOLUTIONS
from napari_semst.io.manual_alignment import Adjustment, adjustment_of
from napari_semst.io.sections import (
    as_image,
    libraries,
    part,
    spots_of,
    the_library,
)

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Placement:
    """An image and where it lies in the world.

    Parameters
    ----------
    image
        uint8, shape ``(height, width)``, or with 3 or 4 channels.
    scale
        World units per pixel, (y, x).
    translate
        World position of the centre of pixel (0, 0), (y, x).
    library, resolution
        Which image it is.
    unturned
        The image as its file has it.
    by_hand
        How it was turned and shifted.
    """

    image: NDArray[np.uint8]
    scale: tuple[float, float]
    translate: tuple[float, float]
    library: str
    resolution: str
    unturned: NDArray[np.uint8] | None = None
    by_hand: Adjustment = field(default_factory=Adjustment)

    def bounds(self) -> NDArray[np.float64]:
        """Return the outer edges as ((y, x) first, (y, x) last), shape ``(2, 2)``."""
        scale, translate = np.array(self.scale), np.array(self.translate)
        first = translate - scale / 2
        return np.stack([first, first + scale * self.image.shape[:2]])


@dataclass(frozen=True, slots=True)
class SpotSize:
    """Diameter of a spot in world units, and how it is known."""

    diameter: float
    source: str


def image_placement(
    adata: AnnData, library: str | None = None, resolution: str | None = None
) -> Placement | None:
    """Return a section's image placed in full-resolution pixels, as it was aligned.

    Parameters
    ----------
    adata
        The tissue.
    library
        The section; None where there is only one with an image.
    resolution
        ``"hires"`` or ``"lowres"``; None takes the finest there is.

    Returns
    -------
    Placement or None
        None where there is no image.

    Raises
    ------
    InputError
        If the section must be named, is not there, or an image has no scale factor or
        an alignment that cannot be used.
    """
    name = the_library(adata, library)
    if name is None:
        return None
    images = part(adata, name, "images")
    wanted = RESOLUTIONS if resolution is None else (resolution,)
    if resolution is not None and resolution not in RESOLUTIONS:
        raise InputError(one_of("resolution", resolution, RESOLUTIONS))
    there = [r for r in wanted if r in images]
    for one in there:
        factor = _size(part(adata, name, "scalefactors").get(f"tissue_{one}_scalef"))
        if factor is not None:
            step = 1 / factor
            shift = tuple(edge + step / 2 for edge in _outer_edge(adata, name, one))
            image = as_image(images[one], f"{one} image of {name!r}")
            by_hand = adjustment_of(adata, name)
            place = (shift[0] + by_hand.shift_y, shift[1] + by_hand.shift_x)
            turned = by_hand.turned(image)
            return Placement(turned, (step, step), place, name, one, image, by_hand)
    if there:
        raise InputError(
            f"Expected uns['spatial'][{name!r}]['scalefactors'] to hold "
            f"tissue_{there[0]}_scalef, a positive number; found "
            f"{dict(part(adata, name, 'scalefactors'))}. Without it nobody knows "
            "where the spots lie on the image."
        )
    return None


def spot_positions(adata: AnnData, key: str | None = "spatial") -> NDArray[np.float64]:
    """Return the spots' positions in the world as (y, x).

    Parameters
    ----------
    adata
        The tissue.
    key
        obsm key, or two obs columns as ``"x,y"``; None looks for them.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, 2)``, float64.
    """
    xy = find_coordinates(adata, key)
    return np.stack([xy[:, 1], xy[:, 0]], axis=1)


def spot_diameter(
    adata: AnnData, library: str | None = None, key: str | None = "spatial"
) -> float:
    """Return the diameter of a spot in world units; see `spot_size`."""
    return spot_size(adata, library, key).diameter


def spot_size(
    adata: AnnData, library: str | None = None, key: str | None = "spatial"
) -> SpotSize:
    """Return the diameter of a spot and how it is known.

    The diameter is the one that Space Ranger wrote; without it, the median distance
    to the nearest other spot, so that neighbours touch.

    Parameters
    ----------
    adata
        The tissue.
    library
        The section; None takes the first that states a diameter.
    key
        obsm key of the coordinates.
    """
    stated = stated_size(adata, library)
    if stated is not None:
        return SpotSize(stated, "spot_diameter_fullres")
    measured = nearest_distance(spot_positions(adata, key))
    if measured is None:
        return SpotSize(1.0, "a single place: set to 1")
    return SpotSize(measured, "median distance to the nearest spot")


def stated_size(adata: AnnData, library: str | None = None) -> float | None:
    """Return the diameter of a spot that the file states, `None` where it does not.

    Parameters
    ----------
    adata
        The tissue.
    library
        The section; None takes the first that states one.
    """
    for name in libraries(adata) if library is None else (library,):
        stated = _size(part(adata, name, "scalefactors").get("spot_diameter_fullres"))
        if stated is not None:
            return stated
    return None


def nearest_distance(places: NDArray[np.float64]) -> float | None:
    """Return the median distance to the nearest other place, `None` for one place.

    Parameters
    ----------
    places
        Shape ``(n_spots, 2)``.
    """
    from scipy.spatial import cKDTree

    places = np.unique(places, axis=0)
    if len(places) < 2:
        return None
    # The median of a sample is as good: a million queries would take seconds.
    asked = places[:: max(1, len(places) // 50_000)]
    # The nearest place of all is the place itself.
    distances = np.asarray(cKDTree(places).query(asked, k=[2])[0])
    return float(np.median(distances))


def share_inside(
    adata: AnnData, library: str | None = None, key: str | None = "spatial"
) -> float | None:
    """Return the share of a section's spots whose centre lies on its image.

    Returns
    -------
    float or None
        From 0 to 1; None where there is no image.
    """
    placement = image_placement(adata, library)
    if placement is None:
        return None
    own = spot_positions(adata, key)[spots_of(adata, placement.library)]
    first, last = placement.bounds()
    return float(((own >= first) & (own < last)).all(axis=1).mean())


def _outer_edge(adata: AnnData, library: str, resolution: str) -> tuple[float, float]:
    """Return where the outer corner of an image's first pixel lies, (y, x)."""
    factors = part(adata, library, "scalefactors")
    y, x = (factors.get(f"tissue_{resolution}_origin_{axis}", -0.5) for axis in "yx")
    return float(y), float(x)


def _size(value: Any) -> float | None:
    """Return a value as a positive number, None if it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
