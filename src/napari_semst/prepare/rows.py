"""Counts looked through some spots at a time, in memory or in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import sparse

from napari_semst.io.stored_counts import StoredCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

CountRows: TypeAlias = sparse.csr_matrix | StoredCounts

_BLOCK_SPOTS = 50_000


def never_ends() -> None:
    """Let a pass go on to its end, whatever happens."""


def row_blocks(
    counts: CountRows, check: Callable[[], None] = never_ends
) -> Iterator[tuple[slice, sparse.csr_matrix]]:
    """Yield all spots, some at a time, and their counts.

    Parameters
    ----------
    counts
        Those on disk have a check of their own.
    check
        Called before each block of counts in memory; ends the pass by raising.
    """
    if isinstance(counts, StoredCounts):
        yield from counts.blocks()
        return
    n_spots = counts.shape[0]
    for start in range(0, n_spots, _BLOCK_SPOTS):
        check()
        spots = slice(start, min(start + _BLOCK_SPOTS, n_spots))
        yield spots, counts if n_spots <= _BLOCK_SPOTS else counts[spots]


def some_rows(
    counts: CountRows, spots: NDArray[np.integer[Any]] | None
) -> sparse.csr_matrix:
    """Return the counts of some spots, whose numbers rise; of all where `None`."""
    if isinstance(counts, StoredCounts):
        return counts.take(np.arange(counts.shape[0]) if spots is None else spots)
    return counts if spots is None else counts[spots]


def some_genes(counts: CountRows, genes: NDArray[np.intp]) -> CountRows:
    """Return the counts of some genes, whose numbers rise; all are not copied."""
    if len(genes) == counts.shape[1]:
        return counts
    if isinstance(counts, StoredCounts):
        return counts.of_genes(genes)
    return counts[:, genes]


def genes_per_spot(counts: CountRows) -> NDArray[np.integer[Any]]:
    """Return how many genes each spot has counts of, ``(n_spots,)``."""
    if isinstance(counts, StoredCounts):
        return counts.summary.lengths
    return np.asarray(np.diff(counts.indptr))


def spots_per_gene(counts: CountRows) -> NDArray[np.integer[Any]]:
    """Return how many spots have counts of each gene, ``(n_genes,)``."""
    if isinstance(counts, StoredCounts):
        return counts.summary.seen
    seen = np.zeros(counts.shape[1], np.int64)
    for _, rows in row_blocks(counts):
        seen += np.bincount(rows.indices[rows.data > 0], minlength=len(seen))
    return seen


def total_per_spot(counts: CountRows) -> NDArray[np.float64]:
    """Return the sum of each spot's counts, ``(n_spots,)``."""
    if isinstance(counts, StoredCounts):
        return counts.summary.totals
    return np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()


def total_per_gene(counts: CountRows) -> NDArray[np.float64]:
    """Return the sum of each gene's counts, ``(n_genes,)``."""
    if isinstance(counts, StoredCounts):
        return counts.summary.of_genes
    return np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
