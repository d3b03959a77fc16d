"""Bring every source's embedding to one scale before it modulates anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_semst.errors import SemanticsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# A spread this small beside the values is rounding of float32, not a signal.
RELATIVE_SPREAD = 1e-5
_CHUNK_SPOTS = 50_000


def standardise(
    embedding: NDArray[np.floating[Any]], *, in_place: bool = False
) -> NDArray[np.float32]:
    """Centre each dimension and divide it by its standard deviation over spots.

    Servers return unit vectors, language models do not, tables do not; without this
    the strength of the modulation would depend on the source.

    Parameters
    ----------
    embedding
        Shape ``(n_spots, n_dimensions)``, finite.
    in_place
        Whether it may be written over, where it is float32.

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
    if values.ndim != 2 or not all(
        np.isfinite(values[part]).all() for part in _chunks(len(values))
    ):
        raise SemanticsError(
            "Expected a finite embedding of spots x dimensions; found shape "
            f"{values.shape}{'' if values.ndim != 2 else ' with NaN or infinity'}."
        )
    if values.size == 0:
        return values.astype(np.float32)
    mean = values.mean(axis=0, dtype=np.float64)
    scale = scale_of_dimensions(values, mean)
    if in_place and values.dtype == np.float32 and values.flags.writeable:
        result = values
    else:
        result = np.empty(values.shape, np.float32)
    for part in _chunks(len(values)):
        result[part] = (values[part] - mean) * scale
    return result


class VectorRows(Protocol):
    """Vectors of spots, in memory or made when some are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The numbers of spots and of dimensions."""
        ...

    def __getitem__(self, spots: slice, /) -> NDArray[np.floating[Any]]:
        """Return some spots."""
        ...


def scale_of_dimensions(
    values: VectorRows, mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what each dimension is multiplied by: one over its standard deviation.

    Parameters
    ----------
    values
        Shape ``(n_spots, n_dimensions)``; sliced some spots at a time.
    mean
        Of each dimension.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_dimensions,)``; zero for constant dimensions.
    """
    square, largest = np.zeros(len(mean)), np.zeros(len(mean))
    for part in _chunks(values.shape[0]):
        some = values[part]
        square += ((some - mean) ** 2).sum(axis=0)
        largest = np.maximum(largest, np.abs(some).max(axis=0))
    spread = np.sqrt(square / values.shape[0])
    constant = spread <= RELATIVE_SPREAD * largest
    return np.asarray(np.where(constant, 0.0, 1 / np.where(constant, 1.0, spread)))


def _chunks(n_spots: int) -> Iterator[slice]:
    """Yield slices of spots: large sections are never copied as float64 at once."""
    for start in range(0, n_spots, _CHUNK_SPOTS):
        yield slice(start, start + _CHUNK_SPOTS)
