"""What of a large section is fitted, and in what pieces all of it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Mixtures of some hundred parameters are fitted to a sample of this many spots; every
# spot is then assigned.
FITTED_SPOTS = 20_000
CHUNK_SPOTS = 100_000


def fitted_spots(
    n_spots: int, random: np.random.Generator, most: int | None = None
) -> NDArray[np.int64]:
    """Return the spots that mixtures are fitted to: all, or a sample of many.

    Parameters
    ----------
    random
        Draws the sample; untouched where all are fitted.
    most
        Size of the sample; `FITTED_SPOTS` where `None`.
    """
    most = FITTED_SPOTS if most is None else most
    if n_spots <= most:
        return np.arange(n_spots)
    return np.sort(random.choice(n_spots, most, replace=False))


def chunks(n_spots: int, size: int = CHUNK_SPOTS) -> Iterator[slice]:
    """Yield slices of spots, so that nothing wide is held for all of them at once."""
    for start in range(0, n_spots, size):
        yield slice(start, min(start + size, n_spots))
