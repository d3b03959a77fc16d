"""Which spots lie in a box: places sorted into the cells of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.ragged import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# On average; a box of the window asks for some hundred cells.
_SPOTS_PER_CELL = 8
_MOST_CELLS_A_SIDE = 2048


class GridIndex:
    """Places in a plane, quick to ask what lies in a box.

    Parameters
    ----------
    places
        (y, x), shape ``(n, 2)``, at least one.
    """

    def __init__(self, places: Floats) -> None:
        self.places = np.ascontiguousarray(places, dtype=np.float64)
        self.least, self.most = places.min(axis=0), places.max(axis=0)
        side = int(np.sqrt(len(places) / _SPOTS_PER_CELL))
        side = min(max(side, 1), _MOST_CELLS_A_SIDE)
        self._step = max(float((self.most - self.least).max()) / side, 1e-12)
        cells = self._cells(self.places)
        self._shape = cells.max(axis=0) + 1
        flat = cells[:, 0] * self._shape[1] + cells[:, 1]
        self._order = np.argsort(flat, kind="stable").astype(np.int32)
        counts = np.bincount(flat, minlength=int(self._shape.prod()))
        self._starts = np.concatenate([[0], np.cumsum(counts)])

    def _cells(self, places: Floats) -> NDArray[np.int64]:
        """Return the cells of places; those outside are of cells just beyond."""
        cells = np.floor((places - self.least) / self._step)
        return np.asarray(np.clip(cells, -1, _MOST_CELLS_A_SIDE + 1), dtype=np.int64)

    def within(self, low: Floats, high: Floats) -> NDArray[np.int64]:
        """Return the indices of the places in a box, in ascending order.

        Parameters
        ----------
        low, high
            Its corners (y, x), which belong to it.
        """
        first, last = self._cells(np.stack([low, high]).astype(np.float64))
        first, last = np.maximum(first, 0), np.minimum(last, self._shape - 1)
        if np.any(last < first):
            return np.empty(0, np.int64)
        rows = np.arange(first[0], last[0] + 1) * self._shape[1]
        # Cells of a row are neighbours, and so are their places in the order.
        start = self._starts[rows + first[1]]
        row, offset = spread(self._starts[rows + last[1] + 1] - start)
        spots = self._order[start[row] + offset].astype(np.int64)
        there = self.places[spots]
        return np.sort(spots[((there >= low) & (there <= high)).all(axis=1)])
