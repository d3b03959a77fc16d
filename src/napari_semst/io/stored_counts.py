"""Counts of a section that stay in its file, read some spots at a time."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import CountsError, InputError
from napari_semst.io.counts import is_count_matrix
from napari_semst.io.matrices import describe, is_stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

# Values read in one go, 64 MB with their genes; by no memory that happens to be free.
BLOCK_VALUES = 8_000_000
# Spots whose values files keep in one packed piece, or fewer.
_PACKED_TOGETHER = 200
# Beyond it float32 holds not every whole number.
_EXACT_32_BIT = 2**24


class CountsSummary(NamedTuple):
    """What one pass over all counts tells.

    Parameters
    ----------
    totals, lengths
        Sum, and number of genes that are there, of each spot.
    of_genes, seen
        Sum, and number of spots that have it, of each gene.
    largest
        The largest count.
    """

    totals: NDArray[np.float64]
    lengths: NDArray[np.int32]
    of_genes: NDArray[np.float64]
    seen: NDArray[np.int64]
    largest: float


class StoredCounts:
    """Raw counts in a file, as `napari_semst.io.counts.find_counts` would return them.

    Rows are canonical, whole numbers, without stored zeros; reading those that are no
    counts raises `CountsError`. Only the pointers of rows are held.

    Parameters
    ----------
    matrix
        A CSR matrix on disk, of anndata's `sparse_dataset`.
    genes
        Columns that are read, rising; all where `None`.
    """

    def __init__(self, matrix: Any, genes: NDArray[np.intp] | None = None) -> None:
        self.matrix = matrix
        self._genes = genes
        group = matrix.group
        self._data, self._indices = group["data"], group["indices"]
        self._pointers = _checked_pointers(group["indptr"][:], matrix, len(self._data))
        n_genes = matrix.shape[1] if genes is None else len(genes)
        self.shape = int(matrix.shape[0]), int(n_genes)

    @property
    def nnz(self) -> int:
        """The number of values in the file, those of other genes included."""
        return int(self._pointers[-1])

    @cached_property
    def dtype(self) -> type[np.float32 | np.float64]:
        """Floats that hold all counts; a pass over the file."""
        exact = self.summary.largest < _EXACT_32_BIT
        return np.float32 if exact else np.float64

    def of_genes(self, genes: NDArray[np.intp]) -> StoredCounts:
        """Return the counts of some genes, rising, in the same file."""
        if len(genes) == self.shape[1]:
            return self
        own = genes if self._genes is None else self._genes[genes]
        fewer = StoredCounts(self.matrix, own)
        # What holds all genes holds some.
        fewer.__dict__["dtype"] = self.dtype
        return fewer

    def blocks(self) -> Iterator[tuple[slice, sparse.csr_matrix]]:
        """Yield all spots, some at a time, and their counts."""
        for spots in self._spots_of_blocks():
            yield spots, self[spots]

    def __getitem__(self, spots: slice) -> sparse.csr_matrix:
        """Return the counts of spots that stand together."""
        return self._rows(spots, self.dtype)

    def long_rows(self, spots: slice) -> sparse.csr_matrix:
        """Return the same as float64, whatever the largest count of all."""
        return self._rows(spots, np.float64)

    def take(self, spots: NDArray[np.integer[Any]]) -> sparse.csr_matrix:
        """Return the counts of some spots, in rising order.

        Many are taken in a pass over the file, few where they are.
        """
        from scipy import sparse

        if len(spots) * _PACKED_TOGETHER < self.shape[0]:
            few = [self[0:0], *(self[spot : spot + 1] for spot in spots.tolist())]
            return sparse.csr_matrix(sparse.vstack(few, format="csr"))
        parts = []
        for part in self._spots_of_blocks():
            first, last = np.searchsorted(spots, (part.start, part.stop))
            if last > first:
                parts.append(self[part][spots[first:last] - part.start])
        return sparse.csr_matrix(sparse.vstack(parts, format="csr"))

    @cached_property
    def summary(self) -> CountsSummary:
        """Sums by spot and gene; a pass over the file.

        Raises
        ------
        CountsError
            If it holds no raw counts.
        """
        n_spots, n_genes = self.shape
        totals, lengths = np.zeros(n_spots), np.zeros(n_spots, np.int32)
        of_genes, seen = np.zeros(n_genes), np.zeros(n_genes, np.int64)
        largest = 0.0
        for spots in self._spots_of_blocks():
            rows = self._rows(spots, np.float64)
            totals[spots] = np.asarray(rows.sum(axis=1)).ravel()
            lengths[spots] = np.diff(rows.indptr)
            of_genes += np.bincount(rows.indices, rows.data, n_genes)
            seen += np.bincount(rows.indices, minlength=n_genes)
            largest = max(largest, float(rows.data.max(initial=0)))
        if largest < 0.5:
            raise CountsError(_refused("nothing but zeros"))
        return CountsSummary(totals, lengths, of_genes, seen, largest)

    def _spots_of_blocks(self) -> Iterator[slice]:
        start, n_spots = 0, self.shape[0]
        while start < n_spots:
            limit = self._pointers[start] + BLOCK_VALUES
            stop = int(np.searchsorted(self._pointers, limit, side="right")) - 1
            stop = min(max(stop, start + 1), n_spots)
            yield slice(start, stop)
            start = stop

    def _rows(self, spots: slice, dtype: type[np.floating[Any]]) -> sparse.csr_matrix:
        from scipy import sparse

        start, stop, _ = spots.indices(self.shape[0])
        pointers = self._pointers[start : stop + 1]
        begin, end = int(pointers[0]), int(pointers[-1])
        values, genes = self._data[begin:end], self._indices[begin:end]
        n_genes = self.matrix.shape[1]
        if len(genes) and not 0 <= genes.min() <= genes.max() < n_genes:
            raise InputError(
                f"Expected genes 0 to {n_genes - 1} in the counts of {_name(self)}; "
                "found others. The file is damaged: copy or download it again."
            )
        kind = np.int32 if len(genes) < 2**31 else np.int64
        rows = sparse.csr_matrix(
            (values, genes.astype(kind, copy=False), (pointers - begin).astype(kind)),
            shape=(stop - start, n_genes),
        )
        if not is_count_matrix(values):
            raise CountsError(_refused(describe(rows)))
        return _tidied(rows, dtype, self._genes)


def _tidied(
    rows: sparse.csr_matrix,
    dtype: type[np.floating[Any]],
    genes: NDArray[np.intp] | None,
) -> sparse.csr_matrix:
    """Return rows canonical, of whole numbers, without zeros, of some genes."""
    if not rows.has_canonical_format:
        rows.sum_duplicates()
    rows = rows.astype(dtype, copy=False)
    if rows.data.dtype.kind == "f":
        np.rint(rows.data, out=rows.data)
    if not rows.data.all():
        rows.eliminate_zeros()
    return rows if genes is None else rows[:, genes]


def _checked_pointers(
    pointers: NDArray[np.integer[Any]], matrix: Any, n_values: int
) -> NDArray[np.int64]:
    """Return pointers of rows that lead nowhere else than into the matrix."""
    sound = len(pointers) == matrix.shape[0] + 1 and pointers[0] == 0
    if not sound or pointers[-1] > n_values or (np.diff(pointers) < 0).any():
        raise InputError(
            f"Expected rows of the counts in {matrix.group.file.filename} to follow "
            "each other; they do not. The file is damaged: copy or download it again."
        )
    return np.asarray(pointers, np.int64)


def _name(counts: StoredCounts) -> str:
    return str(counts.matrix.group.file.filename)


def _refused(found: str) -> str:
    return (
        f"Expected raw counts in X; found {found}. Open the file from before "
        "normalisation."
    )


def stored_counts(tissue: AnnData, layer: str = "") -> StoredCounts | None:
    """Return the counts of a tissue that stay in its file; `None` where none do.

    Parameters
    ----------
    tissue
        As `napari_semst.io.read.read` returns it with ``on_disk``.
    layer
        The counts asked for; those of X alone stay on disk.
    """
    if layer not in ("", "X") or not is_stored(tissue.X):
        return None
    return StoredCounts(tissue.X)
