"""Sums over the spots of each domain, and means inside and outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray


def membership(codes: NDArray[np.integer[Any]], n_groups: int) -> sparse.csr_matrix:
    """Return which spots are of which group, shape ``(n_groups, n_spots)``.

    Parameters
    ----------
    codes
        Group of each spot; negative: of none.
    n_groups
        How many there are.
    """
    spots = np.flatnonzero(codes >= 0)
    ones = np.ones(len(spots))
    shape = n_groups, len(codes)
    return sparse.csr_matrix((ones, (codes[spots], spots)), shape=shape)


def inside_and_outside(
    sums: NDArray[np.floating[Any]], inside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means over the spots of each group, and over all other groups' spots.

    Parameters
    ----------
    sums
        Sums over each group's spots, shape ``(n_groups, width)``.
    inside
        Spots of each group, shape ``(n_groups, 1)``; neither none nor all.
    """
    outside = inside.sum() - inside
    total = sums.sum(axis=0, dtype=np.float64)
    return sums / inside, (total - sums) / outside
