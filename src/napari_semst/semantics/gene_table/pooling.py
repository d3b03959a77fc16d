"""Vectors of spots as means of the vectors of their genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from napari_semst.errors import SemanticsError
from napari_semst.semantics.base import (
    CancelCheck,
    GeneLists,
    ProgressCallback,
    check_cancelled,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    VectorsOf = Callable[
        [NDArray[np.str_], NDArray[np.str_] | None],
        tuple[NDArray[np.float32], NDArray[np.bool_]],
    ]

CHUNK_SPOTS = 20_000


class Pooled(NamedTuple):
    """Means of some spots' genes.

    Parameters
    ----------
    vectors
        Shape ``(n_spots, n_dimensions)``; zero where no gene is known.
    coverage
        Share of known genes, ``(n_spots,)``.
    empty
        Which spots list no known gene, ``(n_spots,)``.
    """

    vectors: NDArray[np.float32]
    coverage: NDArray[np.float32]
    empty: NDArray[np.bool_]


class PooledGenes:
    """The weighted mean of the known genes' vectors, of any spots that are asked for.

    Parameters
    ----------
    gene_lists
        The ranked genes of each spot.
    weights
        Weight of each listed gene, shape as ``gene_lists.indices``, not negative;
        equal if None.
    vectors_of
        Returns vectors ``(n_genes, n_dimensions)`` and which are known ``(n_genes,)``
        of the names and ids of all listed genes, each asked once.

    Raises
    ------
    SemanticsError
        If weights do not fit the lists.
    """

    def __init__(
        self,
        gene_lists: GeneLists,
        weights: NDArray[np.floating[Any]] | None,
        vectors_of: VectorsOf,
    ) -> None:
        self.lists, self._weights = gene_lists, weights
        if weights is not None:
            _check_shape(np.shape(weights), gene_lists)
        used = gene_lists.used
        names, ids = gene_lists.genes[used], gene_lists.ids_of(used)
        self._vectors, known = vectors_of(names, ids)
        # The last entry is that of no gene.
        self._place = np.zeros(len(gene_lists.genes) + 1, np.int32)
        self._place[used] = np.arange(len(used))
        self._known = np.zeros(len(self._place), bool)
        self._known[used] = known

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of spots and of dimensions."""
        return self.lists.n_spots, int(self._vectors.shape[1])

    def of(self, spots: slice | NDArray[np.integer[Any]]) -> Pooled:
        """Return the means of some spots' genes; spots are the same in any company."""
        lists = GeneLists(self.lists.genes, self.lists.indices[spots])
        weights = None if self._weights is None else self._weights[spots]
        is_known = self._known[lists.indices]
        share = checked_weights(weights, lists) * is_known
        listed = lists.listed.sum(axis=1)
        coverage = is_known.sum(axis=1) / np.maximum(listed, 1)
        if len(self._vectors):
            places = self._place[lists.indices]
            pooled = pool_gene_vectors(share, places, self._vectors)
        else:
            pooled = np.zeros((len(share), self.shape[1]), np.float32)
        return Pooled(
            pooled, coverage.astype(np.float32), np.asarray(share.sum(axis=1) == 0)
        )

    def is_empty(self, spots: slice) -> NDArray[np.bool_]:
        """Return which of some spots list no known gene that counts."""
        lists = GeneLists(self.lists.genes, self.lists.indices[spots])
        weights = None if self._weights is None else self._weights[spots]
        share = checked_weights(weights, lists) * self._known[lists.indices]
        return np.asarray(share.sum(axis=1) == 0)


def average_gene_vectors(
    gene_lists: GeneLists,
    weights: NDArray[np.floating[Any]] | None,
    vectors_of: VectorsOf,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Return the mean of the known genes' vectors per spot, whoever knows them.

    Parameters
    ----------
    gene_lists, weights, vectors_of
        As for `PooledGenes`.

    Returns
    -------
    tuple
        Embedding ``(n_spots, n_dimensions)``; share of known genes ``(n_spots,)``;
        number of spots without any, which were given the mean of the others.
    """
    pool = PooledGenes(gene_lists, weights, vectors_of)
    n_spots = gene_lists.n_spots
    embedding = np.zeros(pool.shape, np.float32)
    coverage, empty = np.zeros(n_spots, np.float32), np.zeros(n_spots, bool)
    for start in range(0, n_spots, CHUNK_SPOTS):
        check_cancelled(cancelled)
        spots = slice(start, min(start + CHUNK_SPOTS, n_spots))
        embedding[spots], coverage[spots], empty[spots] = pool.of(spots)
        if progress is not None:
            progress(spots.stop, n_spots)
    if empty.any() and not empty.all():
        embedding[empty] = embedding[~empty].mean(axis=0)
    # Where no gene at all is listed there is nothing to tell of.
    return embedding, coverage, int(empty.sum()) if len(gene_lists.used) else 0


def pool_gene_vectors(
    weights: NDArray[np.floating[Any]],
    columns: NDArray[np.integer[Any]],
    vectors: NDArray[np.float32],
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> NDArray[np.float32]:
    """Return the weighted mean of gene vectors per spot, by a sparse product.

    Parameters
    ----------
    weights
        Shape ``(n_spots, n_listed)``; zero leaves a gene out.
    columns
        Rows of `vectors` that are meant, shape ``(n_spots, n_listed)``.
    vectors
        Shape ``(n_genes, n_dimensions)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, n_dimensions)``, float32; zero where all weights are zero.
    """
    n_spots = len(weights)
    totals = weights.sum(axis=1, keepdims=True)
    shares = (weights / np.where(totals > 0, totals, 1)).astype(np.float32)
    pooled = np.zeros((n_spots, vectors.shape[1]), dtype=np.float32)
    for start in range(0, n_spots, CHUNK_SPOTS):
        check_cancelled(cancelled)
        stop = min(start + CHUNK_SPOTS, n_spots)
        kept = shares[start:stop] > 0
        pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        product = sparse.csr_matrix(
            (shares[start:stop][kept], columns[start:stop][kept], pointers),
            shape=(stop - start, len(vectors)),
        )
        pooled[start:stop] = product @ vectors
        if progress is not None:
            progress(stop, n_spots)
    return pooled


def checked_weights(
    weights: NDArray[np.floating[Any]] | None, gene_lists: GeneLists
) -> NDArray[np.float64]:
    """Return weights of the lists' shape, or raise `SemanticsError`.

    Parameters
    ----------
    weights
        Shape as ``gene_lists.indices``, not negative; all 1 if None.
    """
    if weights is None:
        return np.ones(gene_lists.indices.shape)
    values = np.asarray(weights, dtype=np.float64)
    _check_shape(values.shape, gene_lists)
    if not np.isfinite(values).all() or (values < 0).any():
        raise SemanticsError(
            "Expected finite weights of 0 or more; found others. Use None for equal "
            "weights."
        )
    return values


def _check_shape(shape: tuple[int, ...], gene_lists: GeneLists) -> None:
    if shape != gene_lists.indices.shape:
        raise SemanticsError(
            f"Expected weights of shape {gene_lists.indices.shape}, one per listed "
            f"gene; found {shape}."
        )
