"""Scaled counts of some spots at a time, so that those of all are never held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.stored_counts import StoredCounts
from napari_semst.prepare.normalise import deviation_of_blocks, scale_depth, with_values
from napari_semst.prepare.rows import never_ends, row_blocks, some_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.prepare.rows import CountRows


@dataclass(frozen=True)
class ScaledRows:
    """Counts scaled to one total per spot, over a divisor of each gene, clipped.

    Parameters
    ----------
    counts
        Raw counts of all genes, ``(n_spots, n_all_genes)``.
    target_sum
        Total of a spot.
    divisor
        Of each gene that is returned, ``(n_genes,)``.
    clip
        The largest value afterwards.
    genes
        Those that are returned, by index; all where `None`.
    """

    counts: CountRows
    target_sum: float
    divisor: NDArray[np.float32]
    clip: float
    genes: NDArray[np.intp] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of spots and of genes."""
        return int(self.counts.shape[0]), len(self.divisor)

    def __getitem__(self, spots: NDArray[np.integer[Any]]) -> sparse.csr_matrix:
        """Return scaled counts of some spots, whose numbers rise."""
        return self._scaled(some_rows(self.counts, spots))

    @property
    def on_disk(self) -> bool:
        """Whether counts are read from their file, each time some are asked for."""
        return isinstance(self.counts, StoredCounts)

    def read_ahead(self, spots: NDArray[np.integer[Any]]) -> RowsAhead:
        """Return scaled counts of some spots, whose numbers rise, read in one pass."""
        from scipy import sparse

        parts = [sparse.csr_matrix((0, self.shape[1]), dtype=np.float32)]
        for block, rows in row_blocks(self.counts):
            first, last = np.searchsorted(spots, (block.start, block.stop))
            if last > first:
                parts.append(self._scaled(rows[spots[first:last] - block.start]))
        whole = sparse.vstack(parts, format="csr")
        return RowsAhead(spots, sparse.csr_matrix(whole))

    def blocks(self) -> Iterator[tuple[slice, sparse.csr_matrix]]:
        """Yield all spots, some at a time, and their scaled counts."""
        for spots, rows in row_blocks(self.counts):
            yield spots, self._scaled(rows)

    def whole(self) -> sparse.csr_matrix:
        """Return scaled counts of all spots."""
        return self._scaled(some_rows(self.counts, None))

    def _scaled(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        depth = depth_of_genes(counts, self.target_sum, self.genes)
        values = depth.data / self.divisor[depth.indices]
        return with_values(depth, np.minimum(values, np.float32(self.clip), out=values))


@dataclass(frozen=True)
class RowsAhead:
    """Scaled counts of the spots that will be asked for.

    Parameters
    ----------
    spots
        Their numbers, rising.
    rows
        Scaled counts, a row for each.
    """

    spots: NDArray[np.integer[Any]]
    rows: sparse.csr_matrix

    def __getitem__(self, spots: NDArray[np.integer[Any]]) -> sparse.csr_matrix:
        """Return those of some of these spots, by their numbers in the section."""
        return self.rows[np.searchsorted(self.spots, spots)]


def depth_of_genes(
    counts: sparse.csr_matrix, target_sum: float, genes: NDArray[np.intp] | None
) -> sparse.csr_matrix:
    """Return counts of some genes, scaled to one total per spot over all genes."""
    depth = scale_depth(counts, target_sum)
    return depth if genes is None else depth[:, genes]


def depth_deviation(
    counts: CountRows,
    target_sum: float,
    genes: NDArray[np.intp] | None = None,
    check: Callable[[], None] = never_ends,
) -> NDArray[np.float64]:
    """Return every gene's standard deviation after scaling to one total per spot.

    Parameters
    ----------
    check
        As for `row_blocks`.
    """
    blocks = (
        depth_of_genes(rows, target_sum, genes) for _, rows in row_blocks(counts, check)
    )
    n_genes = counts.shape[1] if genes is None else len(genes)
    return deviation_of_blocks(blocks, (int(counts.shape[0]), n_genes))
