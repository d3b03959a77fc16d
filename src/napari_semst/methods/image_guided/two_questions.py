"""Two questions asked of every spot, one rate at which answers are false."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.methods.image_guided.permutation import false_discovery_rate
from napari_semst.methods.image_guided.regions import region_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.methods.image_guided.regions import RegionFound

    Floats = NDArray[np.float32]


# Spots around a region have small p-values, too, since neighbours are averaged, and
# are of no region by right: how much stricter spots of regions are held for them.
_AROUND = 5


def either_rate(
    contradicts: Floats, unexplained: Floats, regions: Sequence[RegionFound]
) -> Floats:
    """Return the false discovery rate over both questions, ``(n_spots,)``.

    It is that among spots of regions: they are found before, and chance makes few of
    them. It is 1 for all others, NaN where unknown.

    Parameters
    ----------
    contradicts, unexplained
        p-values of each spot, ``(n_spots,)``, NaN where unknown; the smaller counts,
        twice, as one of two.
    """
    smaller = np.fmin(contradicts, unexplained)
    rate = np.where(np.isnan(smaller), np.float32(np.nan), np.float32(1))
    inside = region_numbers(regions, len(rate)) >= 0
    if inside.any():
        found = false_discovery_rate(np.minimum(2 * smaller[inside], 1))
        rate[inside] = np.minimum(_AROUND * found, 1)
    return rate


def called_kinds(
    rate: Floats, regions: Sequence[RegionFound], wanted: float
) -> NDArray[np.int8]:
    """Return what each spot is called, ``(n_spots,)``, a number among `regions.KINDS`.

    Called are spots of regions, those that are below the rate themselves: spots of no
    region are chance, or too few to tell from it.

    Parameters
    ----------
    rate
        False discovery rate of each spot, NaN without a usable image.
    wanted
        Rate at which spots are called.
    """
    kind = np.zeros(len(rate), np.int8)
    for region in regions:
        kind[region.spots] = region.kind
    kind[~(rate <= wanted)] = 0
    return kind
