"""From features as measured to what a network is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.morphology.base import Morphology

_MOST = 5.0
# Median absolute deviation of a normal distribution with deviation 1.
_NORMAL = 0.67449
_LEAST_SPREAD = 1e-6
_LEAST_SPOTS = 10


def standardise_morphology(morphology: Morphology) -> NDArray[np.float32]:
    """Return features on one scale: medians at 0, spread 1, at most 5.

    Median and spread (median absolute deviation, or deviation where that is 0) are
    those of usable spots. Features that are the same everywhere are left out.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, n_kept)``; rows of spots that are not usable are 0.

    Raises
    ------
    InputError
        If fewer than ten spots are usable, or no feature differs between them.
    """
    usable = morphology.usable
    if usable.sum() < _LEAST_SPOTS:
        counts = ", ".join(f"{n} {flag.sum()}" for n, flag in morphology.flags.items())
        raise InputError(
            f"Expected at least {_LEAST_SPOTS} spots with an image to rely upon; found "
            f"{usable.sum()} of {len(usable)} ({counts or 'no flags'}). Check that the "
            "image is that of the section and lies where the spots are."
        )
    measured = morphology.features[usable]
    middle = np.median(measured, axis=0)
    centred = measured - middle
    spread = np.median(np.abs(centred), axis=0) / _NORMAL
    deviation = centred.std(axis=0)
    spread = np.where(spread > _LEAST_SPREAD, spread, deviation)
    kept = spread > _LEAST_SPREAD * np.maximum(1, np.abs(middle))
    if not kept.any():
        raise InputError(
            "Expected image features that differ between spots; all are the same. "
            "Check that the image shows the tissue."
        )
    scaled = np.zeros((len(usable), int(kept.sum())), np.float32)
    scaled[usable] = np.clip(centred[:, kept] / spread[kept], -_MOST, _MOST)
    return scaled
