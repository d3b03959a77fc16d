"""Groups of different sizes in one array, without a loop over groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def spread(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return of each member of some groups its group, and its place in the group.

    Parameters
    ----------
    counts
        Members of each group, shape ``(n,)``; the results have shape
        ``(counts.sum(),)``.
    """
    group = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return group, np.arange(len(group)) - before[group]
