"""Choice of genes: expressed in enough spots, and highly variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.prepare.rows import some_rows, spots_per_gene
from napari_semst.prepare.variance import standardised_variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.prepare.rows import CountRows

_FEWEST, _MOST = 3, 100
_CHOSEN_PANEL = 200
# Shares of the genes that the local regression looks at, the usual one first.
_SPANS = (0.3, 0.5, 0.7, 0.9, 1.0)


def least_spots(n_spots: int, n_genes: int, min_cells: int, min_share: float) -> int:
    """Return how many spots must express a gene for it to be kept.

    Parameters
    ----------
    n_spots, n_genes
        Size of the section.
    min_cells
        The number asked for; 0 takes ``min_share`` instead.
    min_share
        Share of the spots, brought to between 3 and 100 of them, so that small
        sections keep their genes; panels of up to 200 genes were chosen by hand and
        need one spot only.
    """
    if min_cells:
        return min_cells
    if n_genes <= _CHOSEN_PANEL:
        return 1
    return int(np.clip(round(min_share * n_spots), _FEWEST, _MOST))


def expressed_genes(counts: CountRows, min_cells: int) -> NDArray[np.intp]:
    """Return the indices of genes seen in at least ``min_cells`` spots."""
    return np.flatnonzero(spots_per_gene(counts) >= min_cells)


def variable_genes(
    counts: CountRows,
    n_top_genes: int,
    sections: NDArray[np.int32] | None = None,
) -> NDArray[np.intp]:
    """Return the indices of the most variable genes, in the matrix's order.

    The variance is standardised by a regression on the mean (Stuart et al. 2019,
    ``seurat_v3`` of scanpy). All genes are returned where there are not more than
    asked for.

    Parameters
    ----------
    counts
        Raw counts, shape ``(n_spots, n_genes)``.
    n_top_genes
        Number of genes to keep.
    sections
        Section of each spot: genes are ranked inside each, so that what differs
        between sections is not taken for variable; `None` for one section.
    """
    n_genes = counts.shape[1]
    if n_genes <= n_top_genes:
        return np.arange(n_genes)
    owners: list[CountRows] = [counts]
    if sections is not None:
        owners = [
            some_rows(counts, np.flatnonzero(sections == section))
            for section in np.unique(sections)
        ]
    # With few spots the local regression is singular at ties of the mean.
    tables = (_variances(owners, span) for span in _SPANS)
    variances = next(table for table in tables if table is not None)
    return _most_variable(variances, n_top_genes)


def _variances(
    sections: Sequence[CountRows], span: float
) -> NDArray[np.float64] | None:
    """Return variances by section, or None where the regression failed at this span."""
    try:
        return np.array([standardised_variance(own, span) for own in sections])
    except ValueError as error:
        # skmisc's loess raises ValueError for a (near) singular fit.
        if span == _SPANS[-1]:
            raise InputError(
                "Expected counts whose variance can be fitted against their mean; "
                f"the fit failed ({error}). Keep more spots or all genes "
                "(n_top_genes at least the number of genes)."
            ) from error
        return None


def _most_variable(
    variances: NDArray[np.float64], n_top_genes: int
) -> NDArray[np.intp]:
    """Return the genes whose median rank is best, among sections that rank them high.

    Of equal medians the gene that more sections rank high comes first.
    """
    order = np.argsort(-variances, axis=1)
    ranks = np.argsort(order, axis=1).astype(np.float64)
    high = ranks < n_top_genes
    ranks[~high] = np.nan
    somewhere = high.any(axis=0)
    median = np.full(variances.shape[1], np.inf)
    median[somewhere] = np.nanmedian(ranks[:, somewhere], axis=0)
    best = np.lexsort((-high.sum(axis=0), median))[:n_top_genes]
    return np.sort(best).astype(np.intp)
