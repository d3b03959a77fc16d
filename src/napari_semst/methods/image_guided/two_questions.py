"""Two questions asked of every spot, one rate at which answers are false."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.methods.image_guided.permutation import false_discovery_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

KINDS = ("none", "contradicts", "unexplained")
"""What a spot is called, by number: expression is that of another image, or is unusual
among spots whose image leads to expect the same."""


def called_at(
    contradicts: Floats, unexplained: Floats, wanted: float
) -> tuple[Floats, NDArray[np.int8]]:
    """Return the false discovery rate over both questions, and what spots are called.

    Parameters
    ----------
    contradicts, unexplained
        p-values of each spot, ``(n_spots,)``, NaN where unknown; the smaller counts,
        twice, as one of two.
    wanted
        Rate at which spots are called.

    Returns
    -------
    fdr, kind
        ``(n_spots,)`` each; the kind as a number among `KINDS`. A spot that either
        question would call contradicts: that says more.
    """
    smaller = np.fmin(contradicts, unexplained)
    either = np.minimum(2 * smaller, 1).astype(np.float32)
    rate = false_discovery_rate(either)
    # Spots without a usable image have no rate, and are never called.
    called = rate <= wanted
    kind = np.zeros(len(rate), np.int8)
    if called.any():
        limit = smaller[called].max()
        kind[called] = np.where(contradicts[called] <= limit, 1, 2)
    return rate, kind
