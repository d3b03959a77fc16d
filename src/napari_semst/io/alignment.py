"""Spots and image in the same coordinates: the one place where both are put there.

The world is the full-resolution image: pixel j has its centre at j and covers
[j - 1/2, j + 1/2). An image reduced by the factor s covers with its pixel i the
full-resolution pixels [i/s, (i + 1)/s), counted from the first pixel's outer edge; its
centre is therefore at (i + 1/2)/s - 1/2. As a viewer draws pixel i at
``scale * i + translate``: scale = 1/s, translate = (1/s - 1)/2.

Cells stand in micrometres or other units than pixels: there s is the number of the
image's pixels in one unit, and tissue_hires_origin_x and _y say where the first pixel's
outer corner lies, which is (-1/2, -1/2) for pixels.

An image that is registered by landmarks, see `napari_semst.registration.warp`, is a
picture of its own, drawn where these put it. What was aligned by hand, see
`napari_semst.io.manual_alignment`, is on top of that.
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
from napari_semst.io.places.landmarks import landmarks_of
from napari_semst.io.places.registered import drawn_once, registration_of
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

    from napari_semst.registration.warp import RegisteredImage


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
    registered
        Where landmarks put it, None for one that lies where its file says.
    """

    image: NDArray[np.uint8]
    scale: tuple[float, float]
    translate: tuple[float, float]
    library: str
    resolution: str
    unturned: NDArray[np.uint8] | None = None
    by_hand: Adjustment = field(default_factory=Adjustment)
    registered: RegisteredImage | None = None

    def drawn(self, image: Any, fill: Any = None) -> Any:
        """Return a copy of the image, of any size, as it is registered and turned.

        Parameters
        ----------
        image
            A numpy or dask array, as the file has it.
        fill
            See `napari_semst.registration.warp.RegisteredImage.drawn`.
        """
        moved = image if self.registered is None else self.registered.drawn(image, fill)
        return self.by_hand.turned(moved)

    def holds(self, yx: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which places of the world, (y, x), lie on the image, ``(n,)``."""
        if self.registered is None:
            first, last = self.bounds()
            return np.asarray(((yx >= first) & (yx < last)).all(axis=1))
        return self.registered.holds(self._unturned(yx))

    def in_file(self, yx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where its file puts what lies at places of the world, (y, x)."""
        places = self._unturned(yx)
        if self.registered is None:
            return places
        return self.registered.map.to_image(places[:, ::-1])[:, ::-1]

    def in_world(self, yx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where in the world lies what its file puts at places, (y, x)."""
        if self.registered is not None:
            yx = self.registered.map.to_spots(yx[:, ::-1])[:, ::-1]
        corner = self.bounds()[0]
        shift = np.array([self.by_hand.shift_y, self.by_hand.shift_x])
        size = self.bounds()[1] - corner
        moved = self.by_hand.moved(yx - (corner - shift), size)
        return np.asarray(moved + corner)

    def _unturned(self, yx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return places of the world as they were before the image was turned."""
        first, last = self.bounds()
        shift = np.array([self.by_hand.shift_y, self.by_hand.shift_x])
        back = self.by_hand.moved_back(yx - first, last - first)
        return np.asarray(back + first - shift)

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
            image = as_image(images[one], f"{one} image of {name!r}")
            return _placed(adata, name, one, image, 1 / factor)
    if there:
        raise InputError(
            f"Expected uns['spatial'][{name!r}]['scalefactors'] to hold "
            f"tissue_{there[0]}_scalef, a positive number; found "
            f"{dict(part(adata, name, 'scalefactors'))}. Without it nobody knows "
            "where the spots lie on the image."
        )
    return None


def _placed(
    adata: AnnData, name: str, resolution: str, image: NDArray[np.uint8], step: float
) -> Placement:
    """Return an image where its file, its landmarks and hands put it."""
    by_hand, landmarks = adjustment_of(adata, name), landmarks_of(adata, name)
    edge = _outer_edge(adata, name, resolution)
    if landmarks is None:
        turned, registered = by_hand.turned(image), None
    else:
        height, width = image.shape[:2]
        source = np.array([edge, (edge[0] + step * height, edge[1] + step * width)])
        registered = registration_of(landmarks, source, (height, width))
        held = part(adata, name, "images")[resolution]
        turned = by_hand.turned(drawn_once(image, registered, landmarks, held))
        corner, step = registered.corner, registered.unit
        edge = float(corner[0]), float(corner[1])
    place = (edge[0] + step / 2 + by_hand.shift_y, edge[1] + step / 2 + by_hand.shift_x)
    return Placement(
        turned, (step, step), place, name, resolution, image, by_hand, registered
    )


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
    return float(placement.holds(own).mean())


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
