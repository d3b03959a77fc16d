"""Outlines of cells where they lie on the canvas, read when first looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.core.ragged import spread
from napari_semst.io.outlines.sources import has_outlines, read_outlines
from napari_semst.viewer.outlines.fill_polygons import fill_polygons

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.outlines.cell_outlines import CellOutlines
    from napari_semst.viewer.arrange import CanvasArrangement
    from napari_semst.viewer.grid_index import GridIndex

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Cells that reach farther than nearly all others are looked for by themselves.
_NEARLY_ALL = 0.999


class CanvasOutlines:
    """The outlines of a layer's cells on the canvas.

    Parameters
    ----------
    outlines
        In the coordinates of the tissue.
    positions
        Of the spots on the canvas, (y, x), shape ``(n_cells, 2)``.
    scales, shifts
        What takes each cell's own (y, x) to the canvas: ``own * scale + shift``;
        shapes ``(n_cells,)`` and ``(n_cells, 2)``.
    """

    def __init__(
        self, outlines: CellOutlines, positions: Floats, scales: Floats, shifts: Floats
    ) -> None:
        self._outlines = outlines
        self._scales, self._shifts = scales, shifts
        self.there = outlines.n_corners > 0
        self.all_there = bool(self.there.all())
        least, most = (
            box[:, ::-1] * scales[:, None] + shifts for box in outlines.boxes()
        )
        self._least, self._most = least, most
        away = np.maximum(np.abs(least - positions), np.abs(most - positions))
        self._reach = np.nan_to_num(away.max(axis=1))
        usual = np.quantile(self._reach, _NEARLY_ALL, method="higher")
        self._far = np.flatnonzero(self._reach > usual)
        self._usual = float(usual)
        sides = (most - least)[self.there]
        self.diameter = float(np.median(sides)) if len(sides) else 0.0

    def within(self, index: GridIndex, low: Floats, high: Floats) -> Ints:
        """Return the cells of which some may lie in a box, in ascending order.

        Parameters
        ----------
        index
            The spots' positions.
        low, high
            Corners of the box, (y, x).
        """
        near = self._crossing(
            index.within(low - self._usual, high + self._usual), low, high
        )
        far = self._crossing(self._far, low, high)
        return np.union1d(near, far) if len(far) else near

    def _crossing(self, cells: Ints, low: Floats, high: Floats) -> Ints:
        """Return those of some cells whose own box crosses another."""
        # Of cells without an outline nothing is known, which is no comparison's yes.
        crosses = (self._most[cells] >= low) & (self._least[cells] <= high)
        return cells[crosses.all(axis=1)]

    def draw(
        self, image: NDArray[np.int32], cells: Ints, low: Floats, pitch: float
    ) -> None:
        """Write the number of each cell, its index + 1, where it lies.

        Parameters
        ----------
        image
            Written to.
        cells
            Which are drawn.
        low, pitch
            Where its outer corner lies, (y, x), and how long a pixel is.
        """
        n_corners, corners = self._corners(cells, low, pitch)
        fill_polygons(image, corners, n_corners, (cells + 1).astype(np.int32))

    def cover(self, cells: Ints, place: Floats) -> NDArray[np.bool_]:
        """Return which cells cover a place (y, x)."""
        n_corners, away = self._corners(cells, place)
        cell, step = spread(n_corners)
        last = step == n_corners[cell] - 1
        following = np.arange(1, len(away) + 1) - np.where(last, n_corners[cell], 0)
        ends = away[following]
        (y0, x0), (y1, x1) = away.T, ends.T
        crosses = (y0 > 0) != (y1 > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = x0 - y0 * (x1 - x0) / (y1 - y0) > 0
        crossed = np.bincount(cell[crosses & beyond], minlength=len(cells))
        return np.asarray(crossed % 2 == 1)

    def _corners(
        self, cells: Ints, low: Floats, pitch: float = 1.0
    ) -> tuple[Ints, Floats]:
        """Return how many corners cells have, and these on the canvas, (y, x).

        They are counted from a place, in pixels of some length.
        """
        n_corners, which = self._outlines.corners_of_some(cells)
        cell = np.repeat(np.arange(len(cells)), n_corners)
        moved = (self._shifts[cells] - low) / pitch
        grown = self._scales[cells] / pitch
        own = self._outlines.vertices[which, ::-1]
        return n_corners, own * grown[cell, None] + moved[cell]


@dataclass(frozen=True, eq=False)
class OutlinesToRead:
    """Outlines that are known to be in a file, and where they will stand.

    Parameters
    ----------
    tissue
        Whose cells they outline.
    arrangement
        Where these stand on the canvas.
    """

    tissue: AnnData
    arrangement: CanvasArrangement

    def read(self) -> CanvasOutlines | None:
        """Return them; for a worker, since this takes seconds for a million.

        Raises
        ------
        InputError
            As `napari_semst.io.outlines.sources.read_outlines`.
        """
        outlines = read_outlines(self.tissue)
        if outlines is None:
            return None
        there, codes = self.arrangement, self.arrangement.codes
        return CanvasOutlines(
            outlines, there.positions, there.scales[codes], there.shifts[codes]
        )


def outlines_to_read(
    tissue: AnnData, arrangement: CanvasArrangement, key: str | None
) -> OutlinesToRead | None:
    """Return a tissue's outlines for the canvas, None where there are none.

    Parameters
    ----------
    tissue, arrangement
        The cells, and where they stand.
    key
        obsm key of the coordinates at which they stand: at others than the usual ones
        outlines would lie elsewhere.
    """
    usual = key == keys.SPATIAL or (key is None and keys.SPATIAL in tissue.obsm)
    known = usual and has_outlines(tissue)
    return OutlinesToRead(tissue, arrangement) if known else None
