"""Colours that fade where the domain of a spot is unsure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE = 0.8
"""Confidence from which a spot has its full colour."""

UNSURE = 0.4
"""Confidence up to which a spot is faintest."""

FAINTEST = 0.25
"""Opacity that the faintest spot keeps: an image shows through, and on an empty canvas,
black or white, the spot is still there."""


def kept_opacity(confidence: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the opacity that each spot keeps, as a share of its own.

    Parameters
    ----------
    confidence
        How sure the domain of each spot is, 0 to 1, shape ``(n_spots,)``.

    Returns
    -------
    strength
        1 from `SURE` up, `FAINTEST` up to `UNSURE` and where no confidence is known,
        and on a straight line between, shape ``(n_spots,)``.
    """
    known = np.nan_to_num(np.asarray(confidence, dtype=np.float32), nan=0.0)
    risen = np.clip((known - UNSURE) / (SURE - UNSURE), 0.0, 1.0)
    return np.asarray(FAINTEST + (1.0 - FAINTEST) * risen, dtype=np.float32)


def fade_colours(
    rgba: NDArray[np.float32], kept: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return colours of which every spot keeps its share of opacity.

    Parameters
    ----------
    rgba
        Colours in 0 to 1, shape ``(n_spots, 4)``; they are not changed.
    kept
        Share that each spot keeps, as `kept_opacity` returns it.
    """
    result = np.array(rgba, dtype=np.float32)
    result[:, 3] *= kept
    return result
