"""What a matrix without counts comes from, where the rest of its file tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.matrices import as_csr, describe

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

# Columns of obs that say of how many bins a cell is made: bin2cell's, and others'.
_BINS = ("bin_count", "n_bins", "num_bins", "bin_counts", "nbins")
# What bin2cell leaves where it has evened out the stripes of Visium HD.
_DESTRIPED = ("n_counts_adjusted", "destripe_factor")
# Values that are looked at, and how far a product may be from a whole number.
_SOME, _NEAR = 100_000, 1e-3


def origin_of(adata: AnnData, matrix: Any) -> tuple[str, str] | None:
    """Return what values are that are no counts, and what to do; None where unknown.

    Parameters
    ----------
    adata
        The tissue.
    matrix
        One of its matrices, shape ``(n_spots, n_genes)``.
    """
    if matrix is None or np.dtype(getattr(matrix, "dtype", object)).kind != "f":
        return None
    column = next((name for name in _BINS if name in adata.obs), None)
    if column is None and not any(name in adata.obs for name in _DESTRIPED):
        return _of_seurat(adata, matrix)
    csr = as_csr(matrix)
    if not csr.nnz or not np.isfinite(csr.data).all() or csr.data.min() < 0:
        return None
    odd = csr.data[:_SOME][csr.data[:_SOME] % 1 != 0]
    example = f"such as {float(odd[0]):.4g}" if len(odd) else "not all whole"
    if column is not None and _are_means(csr, adata.obs[column].to_numpy()):
        return (
            f"means over the bins of each cell, {example}: times obs[{column!r}] they "
            "are whole",
            "Multiply each cell by its number of bins: adata.X = adata.X.multiply("
            f"adata.obs[{column!r}].to_numpy()[:, None]).tocsr().rint().",
        )
    if "log1p" in adata.uns or "normalised to" in describe(csr):
        return None
    summed = "" if column is None else ", summed over the bins of each cell"
    return (
        f"values {example}, as bin2cell makes of counts where it evens out the stripes "
        f"of Visium HD{summed}",
        "Run bin2cell without (destripe(adata, adjust_counts=False)); or round the "
        "values, if that will do: adata.X = adata.X.rint().",
    )


def _are_means(csr: sparse.csr_matrix, bins: NDArray[Any]) -> bool:
    """Return whether values are whole once each row is multiplied by its bins."""
    if bins.dtype.kind not in "iuf":
        return False
    rows = int(np.searchsorted(csr.indptr, _SOME, side="right"))
    ends = csr.indptr[:rows]
    of_value = np.repeat(bins[: len(ends) - 1], np.diff(ends))
    sums = csr.data[: len(of_value)].astype(np.float64) * of_value
    if not len(sums):
        return False
    # Values are stored with about seven digits.
    return bool((np.abs(sums - np.rint(sums)) <= _NEAR + 1e-6 * sums).all())


def _of_seurat(adata: AnnData, matrix: Any) -> tuple[str, str] | None:
    """Return what a file exported from Seurat holds instead of counts."""
    if not any(str(name).startswith("nCount_") for name in adata.obs):
        return None
    csr = as_csr(matrix)
    if not csr.nnz:
        return None
    return (
        describe(csr),
        "No layer and no .raw holds counts either. obs is Seurat's: export the object "
        "again with its counts (sceasy: main_layer = 'counts'; zellkonverter: X_name = "
        "'counts'; SeuratDisk: an object without scale.data, DietSeurat).",
    )
