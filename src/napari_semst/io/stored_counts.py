"""Counts of a section that stay in its file, read some spots at a time."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import CountsError, InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.counts import is_count_matrix, other_places
from napari_semst.io.matrices import describe, is_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    advice
        Says where counts are to be had instead; empty where nowhere.
    """

    def __init__(
        self,
        matrix: Any,
        genes: NDArray[np.intp] | None = None,
        advice: Callable[[], str] = str,
    ) -> None:
        self.matrix, self._advice = matrix, advice
        self._genes, self._takes = genes, None
        if genes is not None:
            self._takes = np.zeros(matrix.shape[1], bool)
            self._takes[genes] = True
        group = matrix.group
        self._place = Path(str(group.file.filename))
        self._data, self._indices = group["data"], group["indices"]
        n_values = min(len(self._data), len(self._indices))
        self._pointers = _checked_pointers(group["indptr"][:], matrix, n_values)
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
        fewer = StoredCounts(self.matrix, own, self._advice)
        # What holds all genes holds some; not asked for, as features that are no genes
        # need not be counted.
        if "dtype" in self.__dict__ or "summary" in self.__dict__:
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
            raise CountsError(self._refused("nothing but zeros"))
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
        with translate_errors(self._place, "the counts"):
            values, genes = self._data[begin:end], self._indices[begin:end]
        n_genes = self.matrix.shape[1]
        if len(genes) and not 0 <= genes.min() <= genes.max() < n_genes:
            raise InputError(
                f"Expected genes 0 to {n_genes - 1} in the counts of {self._place}; "
                "found others. The file is damaged: copy or download it again."
            )
        kind = np.int32 if len(genes) < 2**31 else np.int64
        taken = values if self._takes is None else values[self._takes[genes]]
        sound = is_count_matrix(taken)
        # First of all: parts of a count may add up to more than the file's type holds.
        values = values.astype(dtype if sound else np.float64, copy=False)
        rows = sparse.csr_matrix(
            (values, genes.astype(kind, copy=False), (pointers - begin).astype(kind)),
            shape=(stop - start, n_genes),
        )
        if self._genes is not None:
            rows = rows[:, self._genes]
        if not sound:
            raise CountsError(self._refused(describe(rows)))
        return _tidied(rows)

    def _refused(self, found: str) -> str:
        advice = self._advice() or "Open the file from before normalisation."
        return f"Expected raw counts in X; found {found}. {advice}"


def _tidied(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return rows canonical, of whole numbers, without zeros."""
    if not rows.has_canonical_format:
        rows.sum_duplicates()
    np.rint(rows.data, out=rows.data)
    if not rows.data.all():
        rows.eliminate_zeros()
    return rows


def _checked_pointers(
    pointers: NDArray[np.integer[Any]], matrix: Any, n_values: int
) -> NDArray[np.int64]:
    """Return pointers of rows that lead nowhere else than into the matrix."""
    # Signed first: of others no difference is below zero.
    signed: NDArray[np.int64] = np.asarray(pointers, np.int64)
    sound = len(signed) == matrix.shape[0] + 1 and signed[0] == 0
    if not sound or signed[-1] > n_values or (np.diff(signed) < 0).any():
        raise InputError(
            f"Expected rows of the counts in {matrix.group.file.filename} to follow "
            "each other; they do not. The file is damaged: copy or download it again."
        )
    return signed


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
    return StoredCounts(tissue.X, advice=lambda: other_places(tissue, "X"))


@contextmanager
def counts_open(tissue: AnnData) -> Iterator[Callable[[], None]]:
    """Close the file that a tissue's counts stay in at the end, where they do.

    Yields
    ------
    check_unchanged
        Raises `InputError` where the file was written to meanwhile: the passes have
        read different counts.
    """
    if not is_stored(tissue.X):
        yield lambda: None
        return
    file = tissue.X.group.file
    place = Path(str(file.filename))
    with file:
        before = _stamp(place)

        def check_unchanged() -> None:
            now = _stamp(place)
            # Another file in its place leaves the one that is open as it was.
            if before and now and before[0] == now[0] and before != now:
                raise InputError(
                    f"Expected {place} to stay as it was while it was read; it was "
                    "changed. Nothing was written: run again."
                )

        yield check_unchanged


def _stamp(place: Path) -> tuple[int, int, int] | None:
    try:
        found = place.stat()
    except OSError:  # deleted, which does not matter to who has it open
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
