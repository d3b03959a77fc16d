"""Molecules summed in square bins or cells, a part of them in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

# Places and genes are packed into one number of 63 bits.
_BITS = 21
_MOST = 2**_BITS
# Molecules read in one go.
STEP = 4_000_000


class BinSums:
    """Counts of genes in bins, added to a few at a time.

    What is held grows with the counts that are not zero, not with the molecules.

    Parameters
    ----------
    size
        Side of a bin, in the unit of the places.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys = np.empty(0, np.int64)
        self._sums = np.empty(0, np.int64)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._n_waiting = 0

    def add(self, x: Any, y: Any, genes: Any, counts: Any) -> None:
        """Add molecules.

        Parameters
        ----------
        x, y
            Their places, whole numbers from 0.
        genes
            Numbers of their genes.
        counts
            How many each.

        Raises
        ------
        InputError
            If a place, gene or count is negative or larger than can be.
        """
        columns = np.asarray(x, np.int64) // self._size
        rows = np.asarray(y, np.int64) // self._size
        genes, counts = np.asarray(genes, np.int64), np.asarray(counts, np.int64)
        for values, what in ((columns, "x"), (rows, "y"), (genes, "gene")):
            if len(values) and (values.min() < 0 or values.max() >= _MOST):
                raise InputError(
                    f"Expected {what} from 0 to {_MOST * self._size - 1:,}; found "
                    f"{values.min() * self._size:,} to {values.max() * self._size:,}. "
                    "The file may be damaged: copy or download it again."
                )
        if len(counts) and counts.min() < 0:
            raise InputError(
                f"Expected counts of 0 or more; found {counts.min()}. The file may be "
                "damaged: copy or download it again."
            )
        # Sorted as rows of bins, then genes.
        keys = (rows << (2 * _BITS)) | (columns << _BITS) | genes
        self._waiting.append(_summed(keys, counts))
        self._n_waiting += len(self._waiting[-1][0])
        if self._n_waiting > max(2 * STEP, len(self._keys)):
            self._settle()

    def result(
        self, n_genes: int
    ) -> tuple[sparse.csr_matrix, NDArray[np.float64], NDArray[np.int64]]:
        """Return the counts of the bins that have any.

        Parameters
        ----------
        n_genes
            How many genes there are.

        Returns
        -------
        counts, centres, corners
            CSR float32 of shape ``(n_bins, n_genes)``; the bins' centres (x, y) and
            first corners, each of shape ``(n_bins, 2)``, in the unit of the places.
        """
        from scipy import sparse

        self._settle()
        some = self._sums > 0
        keys, sums = self._keys[some], self._sums[some]
        bins, first = np.unique(keys >> _BITS, return_index=True)
        indptr = np.append(first, len(keys))
        counts = sparse.csr_matrix(
            (sums.astype(np.float32), keys & (_MOST - 1), indptr),
            shape=(len(bins), n_genes),
        )
        corners = np.stack([bins & (_MOST - 1), bins >> _BITS], axis=1) * self._size
        # A place is a whole number: the bin of 0 to 49 has its centre at 24.5.
        return counts, corners + (self._size - 1) / 2, corners

    def _settle(self) -> None:
        parts = [(self._keys, self._sums), *self._waiting]
        keys, sums = (np.concatenate(part) for part in zip(*parts, strict=True))
        self._keys, self._sums = _summed(keys, sums)
        self._waiting, self._n_waiting = [], 0


class CellSums:
    """Counts of genes in cells, and the middles of these, added to a few at a time."""

    def __init__(self) -> None:
        self._counts = BinSums(1)
        self._cells = np.empty(0, np.int64)
        # Sums of x and of y, and how many places were summed, for each cell.
        self._places = np.empty((0, 3))

    def add(self, cells: Any, x: Any, y: Any, genes: Any, counts: Any) -> None:
        """Add molecules.

        Parameters
        ----------
        cells
            Numbers of their cells, from 0.
        x, y, genes, counts
            As for `BinSums.add`.

        Raises
        ------
        InputError
            If a cell, gene or count is negative or larger than can be.
        """
        cells = np.asarray(cells, np.int64)
        if len(cells) and (cells.min() < 0 or cells.max() >= _MOST**2):
            raise InputError(
                f"Expected numbers of cells from 0 to {_MOST**2 - 1:,}; found "
                f"{cells.min():,} to {cells.max():,}. The file may be damaged: copy or "
                "download it again."
            )
        self._counts.add(cells & (_MOST - 1), cells >> _BITS, genes, counts)
        places = np.column_stack([x, y, np.ones(len(cells))])
        own, rows = np.unique(np.append(self._cells, cells), return_inverse=True)
        old = self._places
        values = np.concatenate([old, places.reshape(-1, 3)])
        summed = [np.bincount(rows, column, minlength=len(own)) for column in values.T]
        self._cells, self._places = own, np.stack(summed, axis=1)

    def result(
        self, n_genes: int
    ) -> tuple[sparse.csr_matrix, NDArray[np.int64], NDArray[np.float64]]:
        """Return the counts of the cells that have any.

        Parameters
        ----------
        n_genes
            How many genes there are.

        Returns
        -------
        counts, cells, middles
            CSR float32 of shape ``(n_cells, n_genes)``; the cells' numbers, ascending,
            shape ``(n_cells,)``; the middles (x, y) of their entries' places, shape
            ``(n_cells, 2)``.
        """
        counts, _, corners = self._counts.result(n_genes)
        cells = (corners[:, 1] << _BITS) | corners[:, 0]
        places = self._places[np.searchsorted(self._cells, cells)]
        return counts, cells, places[:, :2] / places[:, 2:]


def spots_in_a_step(x: Any, y: Any, size: int) -> int:
    """Return how many spots of the chip one step of x and of y is.

    Bins are told by a spot, the same in each, in some files, numbered one by one in
    others.

    Parameters
    ----------
    x, y
        Whole numbers, of bins at many places.
    size
        Side of the bins, in spots of the chip.
    """
    axes = (np.asarray(axis, np.int64) % size for axis in (x, y))
    in_spots = all(not len(axis) or (axis == axis[0]).all() for axis in axes)
    return 1 if in_spots else size


def _summed(
    keys: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each key once, in order, with the sum of its counts."""
    if not len(keys):
        return keys, counts
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[first], np.add.reduceat(counts, first)
