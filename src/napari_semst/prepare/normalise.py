"""Scaling of counts that keeps them sparse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_semst.prepare.rows import some_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from napari_semst.prepare.rows import CountRows

_CHUNK_VALUES = 4_000_000


def with_values(
    matrix: sparse.csr_matrix, values: NDArray[np.floating]
) -> sparse.csr_matrix:
    """Return a matrix with other values at the same places, which are shared."""
    result = sparse.csr_matrix(
        (values, matrix.indices, matrix.indptr), shape=matrix.shape, copy=False
    )
    result.has_canonical_format = matrix.has_canonical_format
    return result


def scale_depth(counts: sparse.csr_matrix, target_sum: float) -> sparse.csr_matrix:
    """Return counts scaled to one total per spot; empty spots stay empty.

    Parameters
    ----------
    counts
        Raw counts, shape ``(n_spots, n_genes)``.
    target_sum
        Total of a spot afterwards (paper's supplement, equation 15: 10,000).
    """
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    factors = np.divide(target_sum, totals, out=np.zeros_like(totals), where=totals > 0)
    values = np.repeat(factors.astype(np.float32), np.diff(counts.indptr))
    values *= counts.data
    return with_values(counts, values)


def gene_deviation(matrix: sparse.csr_matrix) -> NDArray[np.float64]:
    """Return every gene's standard deviation over spots (one degree of freedom)."""
    return deviation_of_blocks([matrix], matrix.shape)


def deviation_of_blocks(
    blocks: Iterable[sparse.csr_matrix], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the same of a matrix that comes some rows at a time, whatever rows.

    Parameters
    ----------
    blocks
        Rows of the matrix, in their order.
    shape
        Of all of it.
    """
    n_spots, n_genes = shape
    total, square = np.zeros(n_genes), np.zeros(n_genes)
    for genes, kept in even_chunks(blocks):
        values = kept.astype(np.float64)
        total += np.bincount(genes, values, n_genes)
        square += np.bincount(genes, values**2, n_genes)
    variance = (square - total**2 / n_spots) / max(n_spots - 1, 1)
    deviation: NDArray[np.float64] = np.sqrt(np.maximum(variance, 0.0))
    return deviation


def even_chunks(
    blocks: Iterable[sparse.csr_matrix],
) -> Iterator[tuple[NDArray[np.integer[Any]], NDArray[np.floating[Any]]]]:
    """Yield genes and values of all rows, as many at a time as of one matrix.

    The last bits of a sum depend on where it is cut.
    """
    waiting: list[tuple[NDArray[Any], NDArray[Any]]] = []
    n_waiting = 0
    for rows in blocks:
        start = 0
        while n_waiting + rows.nnz - start >= _CHUNK_VALUES:
            stop = start + _CHUNK_VALUES - n_waiting
            waiting.append((rows.indices[start:stop], rows.data[start:stop]))
            genes, values = zip(*waiting, strict=True)
            yield np.concatenate(genes), np.concatenate(values)
            waiting, n_waiting, start = [], 0, stop
        if start < rows.nnz:
            waiting.append((rows.indices[start:], rows.data[start:]))
            n_waiting += rows.nnz - start
    if waiting:
        genes, values = zip(*waiting, strict=True)
        yield np.concatenate(genes), np.concatenate(values)


def scale_by_deviation(
    matrix: sparse.csr_matrix, clip: float, *, in_place: bool = False
) -> sparse.csr_matrix:
    """Return values over their gene's standard deviation, not centred, clipped.

    Without centring zeros stay zeros, so the result is as sparse as its input
    (the authors' ``scale(zero_center=False, max_value=10)``).

    Parameters
    ----------
    in_place
        Whether the values may be written over.
    """
    deviation = gene_deviation(matrix)
    deviation[deviation == 0] = 1.0
    divisor = deviation.astype(np.float32)
    values = matrix.data if in_place else np.empty_like(matrix.data)
    for start in range(0, len(values), _CHUNK_VALUES):
        part = slice(start, start + _CHUNK_VALUES)
        scaled = matrix.data[part] / divisor[matrix.indices[part]]
        np.minimum(scaled, np.float32(clip), out=values[part])
    return with_values(matrix, values)


def gene_commonness(
    having: NDArray[np.integer[Any]], n_spots: int
) -> NDArray[np.float64]:
    """Return how common every gene is: 1 / log(1 + spots / spots that have it).

    Values divided by it are those of term frequency times inverse document frequency,
    spots being the documents.

    Parameters
    ----------
    having
        How many spots have each gene, ``(n_genes,)``.
    n_spots
        How many there are.
    """
    commonness: NDArray[np.float64]
    commonness = 1 / np.log1p(n_spots / np.maximum(having, 1))
    return commonness


def canonical_csr(counts: CountRows) -> sparse.csr_matrix:
    """Return counts in memory as canonical CSR, so that row order cannot matter."""
    canonical = sparse.csr_matrix(some_rows(counts, None))
    if not canonical.has_canonical_format:
        canonical = canonical.copy()
        canonical.sum_duplicates()
    return canonical
