"""Features of the image made ready for a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.morphology.base import Morphology

_CLIP = 5.0
# Deviations of a normal distribution between its quartiles.
_QUARTILES = 1.349


def standardised(morphology: Morphology) -> NDArray[np.float32]:
    """Return each feature less its median, over its spread, within five of them.

    Medians and quartiles are those of usable spots; spots without usable image get 0,
    the median. Features that do not differ are left out.

    Parameters
    ----------
    morphology
        Features ``(n_spots, n_features)``.
    """
    values, usable = morphology.features, morphology.usable
    known = values[usable]
    low, middle, high = np.percentile(known, [25, 50, 75], axis=0)
    spread = np.where(high > low, (high - low) / _QUARTILES, known.std(axis=0))
    differs = spread > 1e-6 * np.maximum(np.abs(middle), 1e-6)
    scaled = (values[:, differs] - middle[differs]) / spread[differs]
    scaled = np.clip(np.nan_to_num(scaled), -_CLIP, _CLIP)
    scaled[~usable] = 0
    return scaled.astype(np.float32)
