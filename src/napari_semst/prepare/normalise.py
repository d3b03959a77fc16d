"""Scaling of counts that keeps them sparse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    n_spots, n_genes = matrix.shape
    total, square = np.zeros(n_genes), np.zeros(n_genes)
    for start in range(0, matrix.nnz, _CHUNK_VALUES):
        part = slice(start, start + _CHUNK_VALUES)
        values = matrix.data[part].astype(np.float64)
        total += np.bincount(matrix.indices[part], values, n_genes)
        square += np.bincount(matrix.indices[part], values**2, n_genes)
    variance = (square - total**2 / n_spots) / max(n_spots - 1, 1)
    deviation: NDArray[np.float64] = np.sqrt(np.maximum(variance, 0.0))
    return deviation


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


def gene_commonness(matrix: sparse.csr_matrix) -> NDArray[np.float64]:
    """Return how common every gene is: 1 / log(1 + spots / spots that have it).

    Values divided by it are those of term frequency times inverse document frequency,
    spots being the documents.

    Parameters
    ----------
    matrix
        Sparse values, shape ``(n_spots, n_genes)``, without stored zeros.
    """
    having = np.bincount(matrix.indices, minlength=matrix.shape[1])
    commonness: NDArray[np.float64]
    commonness = 1 / np.log1p(matrix.shape[0] / np.maximum(having, 1))
    return commonness


def canonical_csr(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the matrix in canonical CSR form, so that row order cannot matter."""
    canonical = sparse.csr_matrix(matrix)
    if not canonical.has_canonical_format:
        canonical = canonical.copy()
        canonical.sum_duplicates()
    return canonical
