"""Which spots lie in a shape drawn on the canvas; no widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_semst.viewer import spots

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

SelectionMode = Literal["replace", "add", "subtract"]

# Cells along each side of the grid that settles most spots without a look at edges.
_CELLS = 512
# Fewer spots are looked at one by one sooner than the grid is made.
_FEW = 5_000


def section_positions(layer: Layer) -> Floats:
    """Return where a section's spots stand on its layer, (y, x), ``(n_spots, 2)``."""
    return np.asarray(spots.positions(layer), dtype=np.float64)[:, -2:]


def usual_diameter(layer: Layer) -> float:
    """Return the usual diameter of a section's spots, in the unit of their places."""
    diameters = spots.diameters(layer)
    return float(np.median(diameters)) if len(diameters) else 1.0


def spots_on_show(layer: Layer) -> Mask:
    """Return which spots' sections are on show, shape ``(n_spots,)``."""
    return np.asarray(spots.shown_spots(layer), dtype=bool)


def combined(old: Mask | None, new: Mask, how: SelectionMode) -> Mask:
    """Return a selection after spots were drawn around.

    Parameters
    ----------
    old
        What was selected, None for nothing.
    new
        What was drawn around.
    how
        Whether the new ones take the place of the old, or come to them, or go.
    """
    if how == "replace":
        return new
    old = np.zeros_like(new) if old is None else old
    return old | new if how == "add" else old & ~new


def spots_near(positions: Floats, start: Floats, end: Floats, radius: float) -> Mask:
    """Return which spots a round brush passes over on a straight line.

    Parameters
    ----------
    positions
        Shape ``(n_spots, 2)``.
    start, end
        Of the brush's centre, shape ``(2,)``.
    radius
        Of the brush.
    """
    low, high = np.minimum(start, end) - radius, np.maximum(start, end) + radius
    inside = _in_box(positions, low, high)
    near = np.flatnonzero(inside)
    way, apart = end - start, positions[near] - start
    length = float(way @ way)
    share = np.clip(apart @ way / length, 0, 1) if length else np.zeros(len(near))
    beside = apart - share[:, None] * way
    inside[near] = (beside**2).sum(axis=1) <= radius**2
    return inside


def spots_in_polygon(positions: NDArray[np.floating], polygon: Floats) -> Mask:
    """Return which spots lie in a polygon; where it crosses itself, even-odd counts.

    Parameters
    ----------
    positions
        Shape ``(n_spots, 2)``.
    polygon
        Corners, ``(n_corners, 2)``; it closes by itself. Fewer than three: no spots.
    """
    polygon = np.asarray(polygon, dtype=np.float64)
    if len(polygon) < 3:
        return np.zeros(len(positions), bool)
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    inside = _in_box(positions, low, high)
    spots = np.flatnonzero(inside)
    if len(spots) > _FEW and (high > low).all():
        unit = (positions[spots] - low) / (high - low) * _CELLS
        cells = np.minimum(unit, _CELLS - 1).astype(np.int64)
        corners = (polygon - low) / (high - low) * _CELLS
        filled, edge = _filled_cells(corners), _edge_cells(corners)
        inside[spots] = filled[cells[:, 0], cells[:, 1]]
        spots = spots[edge[cells[:, 0], cells[:, 1]]]
    inside[spots] = _contains(polygon, positions[spots])
    return inside


def _in_box(positions: NDArray[np.floating], low: Floats, high: Floats) -> Mask:
    y, x = positions[:, 0], positions[:, 1]
    inside: Mask = (y >= low[0]) & (y <= high[0]) & (x >= low[1]) & (x <= high[1])
    return inside


def _contains(polygon: Floats, positions: NDArray[np.floating]) -> Mask:
    from matplotlib.path import Path

    closed = np.concatenate([polygon, polygon[:1]])
    return np.asarray(Path(closed).contains_points(positions), dtype=bool)


def _filled_cells(corners: Floats) -> Mask:
    """Return which cells have their centre inside, by crossings along every row."""
    ends = np.roll(corners, -1, axis=0)
    rows = np.arange(_CELLS)[:, None] + 0.5
    crosses = (corners[:, 0] > rows) != (ends[:, 0] > rows)
    row, edge = np.nonzero(crosses)
    start, end = corners[edge], ends[edge]
    share = (row + 0.5 - start[:, 0]) / (end[:, 0] - start[:, 0])
    column = start[:, 1] + share * (end[:, 1] - start[:, 1])
    # A crossing turns every centre that lies to its right.
    first = np.clip(np.ceil(column - 0.5), 0, _CELLS).astype(np.int64)
    turns = np.zeros((_CELLS, _CELLS + 1), np.int64)
    np.add.at(turns, (row, first), 1)
    return np.asarray(turns.cumsum(axis=1)[:, :_CELLS] % 2 == 1)


def _edge_cells(corners: Floats) -> Mask:
    """Return which cells an edge passes through, and those around them."""
    way = np.roll(corners, -1, axis=0) - corners
    # Two steps in every cell, so that none is passed over by more than a neighbour.
    steps = np.ceil(2 * np.abs(way).max(axis=1)).astype(np.int64) + 1
    edge = np.repeat(np.arange(len(corners)), steps)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(steps) - steps, steps)
    places = corners[edge] + (step / steps[edge])[:, None] * way[edge]
    cells = np.clip(places.astype(np.int64), 0, _CELLS - 1)
    padded = np.zeros((_CELLS + 2, _CELLS + 2), bool)
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            padded[cells[:, 0] + down, cells[:, 1] + right] = True
    return padded[1:-1, 1:-1]
