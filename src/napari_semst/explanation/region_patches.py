"""Pictures of a region beside those of places that look alike and are as expected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.explanation.comparison_patches import PatchBook

    Picture = NDArray[np.uint8]

# Spots of a region that are shown, and spots alike that are looked through for one
# that is not shown yet.
N_SHOWN, _TRIED = 3, 6


@dataclass(frozen=True)
class RegionPatches:
    """Spots of a region, and one that looks like each of them and is as expected.

    Parameters
    ----------
    spots, alike
        Indices; there may be fewer alike.
    pictures
        Index of a spot -> its patch, RGB ``(pixels, pixels, 3)``.
    share
        Diameter of a spot over the side of a patch.
    scale
        How large the patches are, in words.
    """

    spots: tuple[int, ...]
    alike: tuple[int, ...]
    pictures: dict[int, Picture] = field(repr=False)
    share: float
    scale: str


def clearest_spots(
    tissue: AnnData, inside: NDArray[np.intp], n_shown: int = N_SHOWN
) -> tuple[int, ...]:
    """Return spots of a region that stand for it: clear ones, in its three parts.

    Parameters
    ----------
    inside
        Spots of the region; the order in which they lie along it parts them.
    """
    evidence = np.zeros(len(inside))
    for key in (keys.DISCORDANCE_P, keys.UNEXPLAINED_P):
        if key in tissue.obs:
            p_value = tissue.obs[key].to_numpy(np.float64)[inside]
            evidence = np.fmax(evidence, -np.log(np.maximum(p_value, 1e-300)))
    parts = np.array_split(np.arange(len(inside)), min(n_shown, len(inside)))
    return tuple(int(inside[part[int(np.argmax(evidence[part]))]]) for part in parts)


def along_region(places: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the order of places, ``(n, 2)``, along the direction they extend in."""
    apart = places - places.mean(axis=0)
    direction = np.linalg.svd(apart, full_matrices=False)[2][0]
    order: NDArray[np.intp] = np.argsort(apart @ direction, kind="stable")
    return order


def look_at_region(
    book: PatchBook, tissue: AnnData, spots: Sequence[int], pixels: int
) -> RegionPatches:
    """Return the patches of a region's spots, and of spots that look like them.

    Parameters
    ----------
    book
        Of the tissue.
    spots
        All of the region.
    pixels
        Along a side of each picture.

    Raises
    ------
    SemstError
        If there is no image, or it cannot be read.
    """
    inside = np.asarray(spots, np.intp)
    inside = inside[along_region(book.places[inside])]
    shown = clearest_spots(tissue, inside)
    pictures: dict[int, Picture] = {}
    alike: list[int] = []
    share, scale = 0.0, ""
    for spot in shown:
        found = book.look(spot, pixels, _TRIED)
        pictures[spot] = found.pictures[spot]
        share, scale = found.share, found.scale
        other = next((one for one in found.alike.by_image if one not in alike), None)
        if other is not None:
            alike.append(other)
            pictures[other] = found.pictures[other]
    return RegionPatches(shown, tuple(alike), pictures, share, scale)
