"""Outlines of cells as two arrays: corners one after another, and where each begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.ragged import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# A line is a ring from three corners on.
_LEAST_CORNERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """Closed lines as files hold them, of which a cell may have several.

    Parameters
    ----------
    vertices
        Corners (x, y), shape ``(n_vertices, 2)``.
    offsets
        Where each ring begins, and the last ends, shape ``(n_rings + 1,)``.
    cells
        The row of each ring's cell, -1 for a cell that is not wanted, ``(n_rings,)``.
    """

    vertices: NDArray[np.floating]
    offsets: NDArray[np.int64]
    cells: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CellOutlines:
    """The outlines of a tissue's cells, in the order of its rows.

    What is inside is told by the even-odd rule. A cell of several pieces, or with a
    hole, is one line too: its rings are joined by seams that are walked there and back.

    Parameters
    ----------
    vertices
        Corners (x, y) in the coordinates of ``obsm["spatial"]``, ``(n_vertices, 2)``;
        the last corner of a cell is joined to its first.
    offsets
        Where each cell's corners begin, and the last one's end, ``(n_cells + 1,)``; a
        cell without an outline has none.
    """

    vertices: NDArray[np.float32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_corners(self) -> NDArray[np.int64]:
        """The number of corners of each cell, shape ``(n_cells,)``."""
        return np.diff(self.offsets)

    def corners_of_some(
        self, cells: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many corners some cells have, and which vertices these are."""
        first = self.offsets[cells]
        counts = self.offsets[cells + 1] - first
        cell, step = spread(counts)
        return counts, first[cell] + step

    def of(self, cell: int) -> NDArray[np.float32]:
        """Return the corners of one cell, shape ``(n_corners, 2)``."""
        return self.vertices[self.offsets[cell] : self.offsets[cell + 1]]

    def take(self, cells: NDArray[np.int64]) -> CellOutlines:
        """Return some cells' outlines, in the order asked for; -1 for an empty one."""
        there = np.flatnonzero(cells >= 0)
        counts = np.zeros(len(cells), np.int64)
        counts[there], corners = self.corners_of_some(cells[there])
        return CellOutlines(self.vertices[corners], _offsets(counts))

    def boxes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the least and the largest (x, y) of each cell, NaN without outline."""
        least = np.full((len(self), 2), np.nan, np.float32)
        most = least.copy()
        there = np.flatnonzero(self.n_corners)
        if len(there):
            starts = self.offsets[there]
            least[there] = np.minimum.reduceat(self.vertices, starts, axis=0)
            most[there] = np.maximum.reduceat(self.vertices, starts, axis=0)
        return least, most


def outlines_from_rings(rings: Rings, n_cells: int) -> CellOutlines:
    """Return rings as one line per cell.

    Parameters
    ----------
    rings
        In any order; those of fewer than three corners are left out.
    n_cells
        Rows of the tissue.
    """
    lengths = np.diff(rings.offsets)
    wanted = np.flatnonzero((rings.cells >= 0) & (lengths >= _LEAST_CORNERS))
    order = wanted[np.argsort(rings.cells[wanted], kind="stable")]
    cells, lengths = rings.cells[order], lengths[order]
    starts = rings.offsets[:-1][order]
    is_first = np.diff(cells, prepend=-1) != 0
    several = np.bincount(cells, minlength=n_cells)[cells] > 1
    # Of several rings each is closed, and the later ones lead back to the first one's
    # first corner: the way there is undone by the way back.
    first = starts[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
    counts = lengths + several + ~is_first
    ring, place = spread(counts)
    beyond = place - lengths[ring]
    corner = np.where(beyond == 0, starts[ring], first[ring])
    corner = np.where(beyond < 0, starts[ring] + place, corner)
    vertices = np.ascontiguousarray(rings.vertices[corner], dtype=np.float32)
    per_cell = np.bincount(cells, weights=counts, minlength=n_cells).astype(np.int64)
    return CellOutlines(vertices, _offsets(per_cell))


def concat_outlines(parts: Sequence[CellOutlines]) -> CellOutlines:
    """Return the outlines of several tissues' cells one after another."""
    counts = np.concatenate([part.n_corners for part in parts])
    return CellOutlines(
        np.concatenate([part.vertices for part in parts]), _offsets(counts)
    )


def concat_rings(parts: Sequence[Rings]) -> Rings:
    """Return rings that were read in parts."""
    if not parts:
        nothing = np.empty(0, np.int64)
        return Rings(np.empty((0, 2), np.float32), np.zeros(1, np.int64), nothing)
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return Rings(
        np.concatenate([part.vertices for part in parts]),
        _offsets(lengths),
        np.concatenate([part.cells for part in parts]),
    )


def rings_of_rows(
    cells: NDArray[np.int64], vertices: NDArray[np.floating], pieces: NDArray[np.int64]
) -> Rings:
    """Return the rings of a table that has a row for each corner.

    Parameters
    ----------
    cells
        The row of each corner's cell, -1 for one that is not wanted, ``(n_rows,)``.
    vertices
        Corners (x, y), shape ``(n_rows, 2)``; those of a ring in order, though others
        may stand in between.
    pieces
        Numbers that tell the rings of a cell apart, shape ``(n_rows,)``.
    """
    kept = np.flatnonzero((cells >= 0) & np.isfinite(vertices).all(axis=1))
    cells, pieces = cells[kept], pieces[kept]
    steps = np.diff(cells)
    together = (steps >= 0).all() and not np.diff(pieces)[steps == 0].any()
    order = slice(None) if together else np.lexsort((pieces, cells))
    cells, pieces = cells[order], pieces[order]
    new = (np.diff(cells, prepend=-1) != 0) | (np.diff(pieces, prepend=0) != 0)
    starts = np.flatnonzero(new)
    offsets = np.append(starts, len(cells)).astype(np.int64)
    return Rings(vertices[kept[order]], offsets, cells[starts])


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
