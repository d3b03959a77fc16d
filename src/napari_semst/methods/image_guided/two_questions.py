"""Two questions asked of every spot, one rate at which answers are false."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.methods.image_guided.regions import RegionFound

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float32]


# Chance of being false from which on a spot is not called at any rate below it.
_RATHER_FALSE = 0.5


def spot_rate(outside: Floats, regions: Sequence[RegionFound], known: Bools) -> Floats:
    """Return the false discovery rate of spots over both questions, ``(n_spots,)``.

    A spot is false where it lies outside of what its region is found by, or where the
    region is. The rate is the mean chance of that among spots that are no more likely
    false (Sun and Cai, 2007); spots that are rather false than not have their own
    chance, however sure the others are. It is 1 in no region, NaN where unknown.

    Parameters
    ----------
    outside
        How likely each spot of a region lies outside, ``(n_spots,)``.
    known
        Spots that were asked.
    """
    rate = np.where(known, np.float32(1), np.float32(np.nan))
    if not regions:
        return rate
    spots = np.concatenate([one.spots for one in regions])
    chance = np.array([min(one.q_value, 1.0) for one in regions])
    chance = np.repeat(chance, [len(one.spots) for one in regions])
    false = 1 - (1 - outside[spots].astype(np.float64)) * (1 - chance)
    order = np.argsort(false, kind="stable")
    means = np.empty(len(false))
    means[order] = np.cumsum(false[order]) / np.arange(1, len(false) + 1)
    rate[spots] = np.where(false > _RATHER_FALSE, false, means)
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
