"""Counts of a section that stay in its file, read some spots at a time."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import CountsError, InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.counts import (
    RAW,
    is_count_matrix,
    other_places,
    place_of_counts,
    raw_columns,
)
from napari_semst.io.matrices import (
    describe,
    is_stored,
    named_layers,
    stored_matrices,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

# Values read in one go, 64 MB with their genes; by no memory that happens to be free.
BLOCK_VALUES = 8_000_000
# Spots whose values files keep in one packed piece, or fewer.
_PACKED_TOGETHER = 200
# Values read together with those wanted where nothing is packed.
_NEAR_VALUES = 4096
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
        Columns that are read, in this order; all where `None`.
    advice
        Says where counts are to be had instead; empty where nowhere.
    where
        Where they stand, as in `napari_semst.io.counts.CountsFound`.
    """

    def __init__(
        self,
        matrix: Any,
        genes: NDArray[np.intp] | None = None,
        advice: Callable[[], str] = str,
        where: str = "X",
    ) -> None:
        self.matrix, self._advice, self.where = matrix, advice, where
        # Called before each piece is read; may raise `Cancelled`.
        self.check: Callable[[], None] = _go_on
        self._genes, self._takes = genes, None
        if genes is not None:
            self._takes = np.zeros(matrix.shape[1], bool)
            self._takes[genes] = True
        group = matrix.group
        self._place = _place_of(matrix)
        self._data, self._indices = group["data"], group["indices"]
        n_values = min(self._data.shape[0], self._indices.shape[0])
        self._pointers = _checked_pointers(
            group["indptr"][:], matrix.shape[0], n_values, self._place
        )
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
        fewer = StoredCounts(self.matrix, own, self._advice, self.where)
        fewer.check = self.check
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
            few = [self[0:0]]
            for near in self._packed_together(spots):
                start = int(near[0])
                few.append(self[start : int(near[-1]) + 1][near - start])
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
            self.check()
            limit = self._pointers[start] + BLOCK_VALUES
            stop = int(np.searchsorted(self._pointers, limit, side="right")) - 1
            stop = min(max(stop, start + 1), n_spots)
            yield slice(start, stop)
            start = stop

    def _packed_together(
        self, spots: NDArray[np.integer[Any]]
    ) -> Iterator[NDArray[np.integer[Any]]]:
        """Yield spots, rising, by the piece of the file that their values begin in."""
        size = (self._data.chunks or (_NEAR_VALUES,))[0]
        pieces = self._pointers[spots] // max(size, 1)
        for near in np.split(spots, np.flatnonzero(np.diff(pieces)) + 1):
            self.check()
            if len(near):
                yield near

    def _rows(self, spots: slice, dtype: type[np.floating[Any]]) -> sparse.csr_matrix:
        from scipy import sparse

        start, stop, _ = spots.indices(self.shape[0])
        pointers = self._pointers[start : stop + 1]
        begin, end = int(pointers[0]), int(pointers[-1])
        with translate_errors(self._place, "the counts"):
            values, genes = self._data[begin:end], self._indices[begin:end]
        n_genes = self.matrix.shape[1]
        _check_genes(genes, n_genes, self._place)
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
        return f"Expected raw counts in {self.where}; found {found}. {advice}"


def _go_on() -> None:
    """Let a pass go on: nobody asked to cancel it."""


def _tidied(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return rows canonical, of whole numbers, without zeros."""
    if not rows.has_canonical_format:
        rows.sum_duplicates()
    np.rint(rows.data, out=rows.data)
    if not rows.data.all():
        rows.eliminate_zeros()
    return rows


def _check_genes(
    genes: NDArray[np.integer[Any]], n_genes: int, place: Path, what: str = "the counts"
) -> None:
    """Refuse numbers of genes that are not there."""
    if len(genes) and not 0 <= genes.min() <= genes.max() < n_genes:
        raise InputError(
            f"Expected genes 0 to {n_genes - 1} in {what} of {place}; found others. "
            "The file is damaged: copy or download it again."
        )


def _checked_pointers(
    pointers: NDArray[np.integer[Any]],
    n_spots: int,
    n_values: int,
    place: Path,
    what: str = "the counts",
) -> NDArray[np.int64]:
    """Return pointers of rows that lead nowhere else than into the matrix."""
    # Signed first: of others no difference is below zero.
    signed: NDArray[np.int64] = np.asarray(pointers, np.int64)
    sound = len(signed) == n_spots + 1 and signed[0] == 0
    if not sound or signed[-1] > n_values or (np.diff(signed) < 0).any():
        raise InputError(
            f"Expected rows of {what} in {place} to follow each other; they do not. "
            "The file is damaged: copy or download it again."
        )
    return signed


def stored_counts(tissue: AnnData, layer: str = "") -> StoredCounts | None:
    """Return the counts of a tissue that stay in its file; `None` where none do.

    Parameters
    ----------
    tissue
        As `napari_semst.io.read.read` returns it with ``on_disk``.
    layer
        The counts asked for: a layer, ``"raw"`` or ``"X"``; empty for X.

    Raises
    ------
    CountsError
        If ``.raw`` is asked for and lacks genes of X.
    """
    where = place_of_counts(tissue, layer)
    if where is None:  # as is said where counts are found
        return None
    matrix = tissue.X if where == "X" else named_layers(tissue).get(layer)
    matrix = tissue.raw.X if where == RAW else matrix
    if not is_stored(matrix):
        return None
    genes = raw_columns(tissue) if where == RAW else None
    return StoredCounts(matrix, genes, lambda: other_places(tissue, where), where)


def check_beside_counts(
    tissue: AnnData, layer: str = "", check: Callable[[], None] = _go_on
) -> None:
    """Refuse matrices on disk that are damaged, the counts aside, before the work.

    What is in memory was checked as it was read; these would be read for the first time
    when a result is saved. Counts are checked by the passes that read them.

    Parameters
    ----------
    tissue, layer
        As for `stored_counts`.
    check
        Called before each piece is read; may raise `Cancelled`.

    Raises
    ------
    InputError
        Naming the first that is.
    """
    where = place_of_counts(tissue, layer)
    counts = {"X": "X", RAW: "raw/X"}.get(where or "", f"layers/{layer}")
    for name, matrix in stored_matrices(tissue).items():
        if name == counts:
            continue
        group, place, (n_spots, n_genes) = matrix.group, _place_of(matrix), matrix.shape
        with translate_errors(place, name):
            n_values = min(group["data"].shape[0], group["indices"].shape[0])
            _checked_pointers(group["indptr"][:], n_spots, n_values, place, name)
            for start in range(0, n_values, BLOCK_VALUES):
                check()
                _ = group["data"][start : start + BLOCK_VALUES]
                genes = group["indices"][start : start + BLOCK_VALUES]
                _check_genes(genes, n_genes, place, name)


@contextmanager
def counts_open(tissue: AnnData) -> Iterator[Callable[[], None]]:
    """Close the file that a tissue's counts stay in at the end, where they do.

    Yields
    ------
    check_unchanged
        Raises `InputError` where the file was written to meanwhile, or a store was
        replaced or deleted: the passes have read different counts.
    """
    matrices = stored_matrices(tissue).values()
    places = {_place_of(m): hasattr(m.group, "file") for m in matrices}
    files = [m.group.file for m in matrices if hasattr(m.group, "file")]
    with ExitStack() as opened:
        for file in files:
            opened.enter_context(file)
        before = {place: _stamp(place) for place in places}

        def check_unchanged() -> None:
            for place, then in before.items():
                now = _stamp(place)
                # A file that is open stays as it was, whatever comes in its place. The
                # chunks of a store are looked up at every read, and those that are
                # gone read as zeros.
                gone = not now or not then or then[0] != now[0]
                if then != now and not (places[place] and gone):
                    raise InputError(
                        f"Expected {place} to stay as it was while it was read; it was "
                        "changed. Nothing was written: run again."
                    )

        yield check_unchanged


def _place_of(matrix: Any) -> Path:
    """Return the file of a matrix on disk, or its folder in a store."""
    group = matrix.group
    if hasattr(group, "file"):
        return Path(str(group.file.filename))
    # Stores of zarr's second release call their folder a path.
    root = getattr(group.store, "root", None) or getattr(group.store, "path", "")
    return Path(str(root)) / str(group.path)


def _stamp(place: Path) -> tuple[int, int, int] | None:
    try:
        found = place.stat()
        pieces = [found]
        if place.is_dir():
            pieces = [one.stat() for one in place.rglob("*") if one.is_file()]
    except OSError:  # deleted
        return None
    newest = max((one.st_mtime_ns for one in pieces), default=0)
    return found.st_ino, sum(one.st_size for one in pieces), newest
