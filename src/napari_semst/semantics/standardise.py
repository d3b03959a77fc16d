"""Bring every source's embedding to one scale before it modulates anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemanticsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A spread this small beside the values is rounding of float32, not a signal.
RELATIVE_SPREAD = 1e-5


def standardise(embedding: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Centre each dimension and divide it by its standard deviation over spots.

    Servers return unit vectors, language models do not, tables do not; without this
    the strength of the modulation would depend on the source.

    Parameters
    ----------
    embedding
        Shape ``(n_spots, n_dimensions)``, finite.

    Returns
    -------
    numpy.ndarray
        Same shape, float32; constant dimensions are zero.

    Raises
    ------
    SemanticsError
        If the embedding is not 2-D and finite.
    """
    values = np.asarray(embedding)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise SemanticsError(
            "Expected a finite embedding of spots x dimensions; found shape "
            f"{values.shape}{'' if values.ndim != 2 else ' with NaN or infinity'}."
        )
    if values.size == 0:
        return values.astype(np.float32)
    mean = values.mean(axis=0, dtype=np.float64)
    spread = values.std(axis=0, dtype=np.float64)
    largest = np.abs(values).max(axis=0)
    constant = spread <= RELATIVE_SPREAD * largest
    scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, spread))
    return np.asarray((values - mean) * scale, dtype=np.float32)
