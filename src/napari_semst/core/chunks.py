"""What of a large section is fitted, and in what pieces all of it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.memory import memory_asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Mixtures of some hundred parameters are fitted to a sample of this many spots; every
# spot is then assigned.
FITTED_SPOTS = 20_000
CHUNK_SPOTS = 100_000
# Of the memory that the user allows, for each spot of a chunk.
_ALLOWED_BYTES = 128 * 2**10
_FEWEST_SPOTS = 1024


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


def spots_at_once(most: int = CHUNK_SPOTS, allowed: float | None = None) -> int:
    """Return how many spots a chunk has: fewer where the user limits the memory.

    What is free at the moment never counts: the same settings give the same bits.

    Parameters
    ----------
    most
        Without a limit.
    allowed
        Bytes that the user allows, 0 for any; those of the work at hand if `None`.
    """
    allowed = memory_asked() if allowed is None else allowed
    if not allowed:
        return most
    return min(most, max(_FEWEST_SPOTS, int(allowed / _ALLOWED_BYTES)))


def chunks(n_spots: int, size: int | None = None) -> Iterator[slice]:
    """Yield slices of spots, so that nothing wide is held for all of them at once.

    Parameters
    ----------
    size
        Of a slice; `spots_at_once` if `None`.
    """
    size = spots_at_once() if size is None else size
    for start in range(0, n_spots, size):
        yield slice(start, min(start + size, n_spots))
