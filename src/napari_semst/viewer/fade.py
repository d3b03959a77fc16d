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

FAINTEST = 0.15
"""Share of its colour that the faintest spot keeps: still to be told from no spot."""

# Stands out from the canvas of both themes, where there is no tissue to show through.
_GREY = 0.5


def strength(confidence: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the share of its colour that each spot keeps.

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


def faded(
    rgba: NDArray[np.float32], kept: NDArray[np.float32], *, see_through: bool
) -> NDArray[np.float32]:
    """Return colours of which every spot keeps its share.

    Parameters
    ----------
    rgba
        Colours in 0 to 1, shape ``(n_spots, 4)``; they are not changed.
    kept
        Share of its colour that each spot keeps, as `strength` returns it.
    see_through
        Fade towards transparent, so that the image below shows; else towards grey,
        as on an empty canvas what is transparent would look like a hole.
    """
    result = np.array(rgba, dtype=np.float32)
    if see_through:
        result[:, 3] *= kept
    else:
        result[:, :3] = _GREY + (result[:, :3] - _GREY) * kept[:, None]
    return result
