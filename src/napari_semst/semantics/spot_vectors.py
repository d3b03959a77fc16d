"""Standardised semantic vectors of spots that are made from genes when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_semst.semantics.base import CancelCheck, ProgressCallback, check_cancelled
from napari_semst.semantics.standardise import scale_of_dimensions

if TYPE_CHECKING:
    from collections.abc import Iterator

# As many as are pooled at once elsewhere; vectors do not depend on it.
_CHUNK_SPOTS = 20_000


class _Pooled(Protocol):
    """Vectors of some spots, and which of these have none."""

    @property
    def vectors(self) -> NDArray[np.float32]: ...

    @property
    def coverage(self) -> NDArray[np.float32]: ...

    @property
    def empty(self) -> NDArray[np.bool_]: ...


class _Pool(Protocol):
    """What returns vectors of any spots."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def of(self, spots: slice | NDArray[np.integer[Any]]) -> _Pooled: ...

    def is_empty(self, spots: slice) -> NDArray[np.bool_]: ...


class SpotVectors:
    """Vectors as `napari_semst.semantics.standardise.standardise` returns them.

    They are the same bits; what is held are the genes of every spot, a tenth of it.

    Parameters
    ----------
    pool
        Returns what is to be standardised. It is asked for all spots twice, for the
        mean and for the deviation of every dimension.

    Attributes
    ----------
    coverage
        Share of each spot's listed genes that are known, ``(n_spots,)``.
    n_empty
        Spots without any, which have the mean of the others.
    extremes
        Of every dimension the first spots with its least and its largest value before
        it was standardised, and these values: four arrays ``(n_dimensions,)``.
    """

    def __init__(
        self,
        pool: _Pool,
        progress: ProgressCallback | None = None,
        cancelled: CancelCheck | None = None,
    ) -> None:
        self._pool, self.shape = pool, pool.shape
        self.dtype = np.dtype(np.float32)
        self.coverage = np.zeros(self.shape[0], np.float32)
        self._cancelled = cancelled
        self._fill, self.n_empty = self._mean_of_others()
        self._mean, self.extremes = self._first_pass(progress)
        self._scale = scale_of_dimensions(_Unscaled(self), self._mean)
        self._cancelled = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(
        self, spots: slice | NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        """Return the vectors of some spots, ``(n_some, n_dimensions)``."""
        scaled = (self.unscaled(spots) - self._mean) * self._scale
        return np.asarray(scaled, np.float32)

    def unscaled(self, spots: slice | NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return the same before they are standardised."""
        return self._with_coverage(spots)[0]

    def _with_coverage(
        self, spots: slice | NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        check_cancelled(self._cancelled)
        pooled = self._pool.of(spots)
        vectors = pooled.vectors
        vectors[pooled.empty] = self._fill
        return vectors, pooled.coverage

    def blocks(self) -> Iterator[slice]:
        """Yield slices of spots, some at a time, all in the end."""
        for start in range(0, self.shape[0], _CHUNK_SPOTS):
            yield slice(start, min(start + _CHUNK_SPOTS, self.shape[0]))

    def _mean_of_others(self) -> tuple[NDArray[np.float32], int]:
        """Return what spots without a known gene have, and how many these are."""
        fill = np.zeros(self.shape[1], np.float32)
        n_empty = sum(int(self._pool.is_empty(spots).sum()) for spots in self.blocks())
        if not 0 < n_empty < self.shape[0]:
            return fill, n_empty
        for spots in self.blocks():
            check_cancelled(self._cancelled)
            pooled = self._pool.of(spots)
            fill = _added(fill, pooled.vectors[~pooled.empty])
        mean = fill.astype(np.float64) / (self.shape[0] - n_empty)
        return mean.astype(np.float32), n_empty

    def _first_pass(
        self, progress: ProgressCallback | None
    ) -> tuple[NDArray[np.float64], tuple[NDArray[Any], ...]]:
        """Return the mean of every dimension, and its extremes."""
        n_spots, width = self.shape
        total, column = np.zeros(width), np.arange(width)
        low, high = np.zeros(width, np.intp), np.zeros(width, np.intp)
        least = np.full(width, np.inf, np.float32)
        most = -least
        for spots in self.blocks():
            vectors, self.coverage[spots] = self._with_coverage(spots)
            total = _added(total, vectors.astype(np.float64))
            first, last = vectors.argmin(axis=0), vectors.argmax(axis=0)
            lower = vectors[first, column] < least
            higher = vectors[last, column] > most
            low[lower], high[higher] = (
                first[lower] + spots.start,
                last[higher] + spots.start,
            )
            least[lower] = vectors[first, column][lower]
            most[higher] = vectors[last, column][higher]
            if progress is not None:
                progress(spots.stop, n_spots)
        return total / max(n_spots, 1), (low, high, least, most)


class _Unscaled:
    """Rows before they are standardised, for passes that slice."""

    def __init__(self, vectors: SpotVectors) -> None:
        self.shape = vectors.shape
        self._vectors = vectors

    def __getitem__(self, spots: slice) -> NDArray[np.float32]:
        return self._vectors.unscaled(spots)


def _added(
    total: NDArray[np.floating[Any]], rows: NDArray[np.floating[Any]]
) -> NDArray[Any]:
    """Return a sum with rows added one after the other, as a sum of all would be."""
    return np.asarray(np.concatenate([total[None], rows]).sum(axis=0))


# Vectors of all spots: held, or made when some are asked for.
SpotSemantics: TypeAlias = NDArray[np.float32] | SpotVectors
