"""Matrices of any make as CSR, their values by chunks, and what they seem to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

# Values looked at in one go: 32 MB of float64.
CHUNK = 4_000_000


def named_layers(adata: AnnData) -> dict[str, Any]:
    """Return the layers of a tissue by name, without X.

    From anndata 0.13 on X is a layer too, under the key `None`.
    """
    return {name: held for name, held in adata.layers.items() if name is not None}


def is_stored(matrix: Any) -> bool:
    """Return whether a matrix is one of rows on disk: anndata's, in HDF5 or zarr."""
    return getattr(matrix, "format", "") == "csr" and hasattr(matrix, "group")


def stored_matrices(adata: AnnData) -> dict[str, Any]:
    """Return the matrices of a tissue that are on disk, by their places in a file.

    Parameters
    ----------
    adata
        As it was read; views hold what they show in memory, and are not looked into.
    """
    if adata.is_view:
        return {}
    held = {"X": adata.X}
    held |= {f"layers/{name}": layer for name, layer in named_layers(adata).items()}
    if adata.raw is not None:
        held["raw/X"] = adata.raw.X
    return {where: matrix for where, matrix in held.items() if is_stored(matrix)}


def as_csr(matrix: Any) -> sparse.csr_matrix:
    """Return a matrix as canonical CSR; sparse stays sparse, nothing is changed.

    Dense arrays, ``np.matrix``, data frames, CSC and COO, matrices on disk and lazy
    (dask) ones are taken. A canonical CSR matrix is returned as it is.

    Parameters
    ----------
    matrix
        Shape ``(n_spots, n_genes)``.
    """
    from scipy import sparse

    if hasattr(matrix, "compute"):  # dask
        matrix = matrix.compute()
    if hasattr(matrix, "to_memory"):  # anndata's sparse matrix on disk
        matrix = matrix.to_memory()
        check_indices(matrix)
    if not sparse.issparse(matrix):
        return _dense_as_csr(matrix)
    csr: sparse.csr_matrix = sparse.csr_matrix(cast("Any", matrix))
    if not csr.has_canonical_format:
        # Parts of a count may add up to more than a short type holds.
        short = csr.dtype.kind in "iu" and csr.dtype.itemsize < 8
        csr = csr.astype(np.int64) if short else csr.copy()
        csr.sum_duplicates()
    return csr


def check_indices(matrix: Any) -> None:
    """Refuse a matrix from a file whose indices point outside of it.

    Compiled code that uses such an index would crash the whole program.

    Parameters
    ----------
    matrix
        Sparse, of SciPy's.

    Raises
    ------
    InputError
        If any does.
    """
    try:
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise InputError(
            f"Expected a sparse matrix in the file; found indices that do not fit: "
            f"{error}. The file is damaged: copy or download it again."
        ) from error


def row_chunks(csr: sparse.csr_matrix) -> Iterator[NDArray[Any]]:
    """Yield the stored values, at most `CHUNK` at a time."""
    for start in range(0, csr.nnz, CHUNK):
        yield csr.data[start : start + CHUNK]


def stored_values(matrix: Any) -> Iterator[NDArray[Any]]:
    """Yield the values of a matrix on disk, at most `CHUNK` at a time."""
    values = matrix.group["data"]
    for start in range(0, values.shape[0], CHUNK):
        yield np.asarray(values[start : start + CHUNK])


def describe(csr: sparse.csr_matrix) -> str:
    """Return what a matrix that holds no counts seems to hold, in words.

    Parameters
    ----------
    csr
        Shape ``(n_spots, n_genes)``.
    """
    values = csr.data
    n_bad = sum(int((~np.isfinite(v)).sum()) for v in row_chunks(csr))
    if n_bad:
        return f"{n_bad:,} values that are NaN or infinite"
    if values.min() < 0:
        return f"negative values (down to {values.min():.4g}): scaled or centred data"
    largest = float(values.max())
    example = next((float(v) for v in values[:CHUNK] if v != np.rint(v)), largest)
    if _evenly(totals := _row_sums(values, csr)):
        return _normalised(float(np.median(totals)), example)
    # exp(80) overflows float32 but not what a log of counts can reach.
    if largest < 30:
        back = np.expm1(values.astype(np.float64))
        if _evenly(totals := _row_sums(back, csr)):
            total = float(np.median(totals))
            return (
                f"values such as {example:.4g} that are the log (log1p) of counts "
                f"normalised to {total:,.0f} per spot"
            )
        return (
            f"values such as {example:.4g}, none above {largest:.3g}: probably "
            "log-normalised"
        )
    if largest > 1e9:
        return f"values up to {largest:.3g}, too large for counts"
    return f"values that are not whole numbers, such as {example:.4g}"


def _normalised(total: float, example: float) -> str:
    if abs(total - 1) < 0.01:
        return f"fractions that sum to 1 in each spot, such as {example:.4g}"
    return f"values normalised to {total:,.0f} per spot, such as {example:.4g}"


def _row_sums(values: NDArray[Any], csr: sparse.csr_matrix) -> NDArray[np.float64]:
    """Return the sums of the spots that are not empty."""
    cumulative = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    filled = np.flatnonzero(np.diff(csr.indptr))
    return np.asarray(
        cumulative[csr.indptr[filled + 1]] - cumulative[csr.indptr[filled]]
    )


def _evenly(totals: NDArray[np.float64]) -> bool:
    """Return whether nearly all sums are the same."""
    if len(totals) < 3:
        return False
    low, middle, high = np.percentile(totals, [5, 50, 95])
    return bool(middle > 0 and high - low < 0.005 * middle)


def _dense_as_csr(matrix: Any) -> sparse.csr_matrix:
    """Return a dense matrix as CSR, a few rows at a time where it is on disk."""
    from scipy import sparse

    n_rows, n_columns = matrix.shape
    step = max(1, CHUNK // max(1, n_columns))
    rows = matrix.iloc if hasattr(matrix, "iloc") else matrix
    parts = [
        sparse.csr_matrix(np.asarray(rows[start : start + step]))
        for start in range(0, n_rows, step)
    ]
    if not parts:
        return sparse.csr_matrix((n_rows, n_columns))
    return sparse.csr_matrix(sparse.vstack(parts, format="csr"))
