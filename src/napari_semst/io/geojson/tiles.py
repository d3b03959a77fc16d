"""The ground of every spot: the section cut into tiles, one around each spot.

Tiles are Voronoi cells. Beside the tissue, points that are no spots keep the cells of
the border as small as those inside; on a lattice these stand where the lattice goes on,
so that tiles are hexagons or squares. A spot always lies within its own tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.spatial import cKDTree

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Neighbours lie this much farther than the nearest at most.
_RING = 1.2
# A point that is no spot stands at least this share of its distance from any spot.
_APART = 0.7
# Directions in which the ground of scattered spots ends.
_AROUND = 8


@dataclass(frozen=True)
class Tiles:
    """Tiles by their sides.

    Parameters
    ----------
    corners
        ``(n_corners, 2)`` places (x, y), each once.
    sides
        ``(n_sides, 2)`` corners at the ends of a side; the first tile lies on its
        left, where y points up.
    beside
        ``(n_sides, 2)`` tiles left and right of it; -1: not a spot's.
    """

    corners: Floats
    sides: Ints
    beside: Ints


def unique_places(places: Floats) -> tuple[Floats, Ints, Ints]:
    """Return places each once, the first row of each, and the place of each row."""
    # As complex numbers, which sort by x, then y, many times faster than rows.
    flat = places[:, 0] + 1j * places[:, 1]
    found, first, own = np.unique(flat, return_index=True, return_inverse=True)
    return np.stack([found.real, found.imag], axis=1), first, own.reshape(-1)


def tiles(places: Floats, spacing: float) -> Tiles:
    """Return the tiles around places.

    Parameters
    ----------
    places
        ``(n, 2)`` (x, y), none twice.
    spacing
        Distance of neighbours, for a single place.
    """
    from scipy.spatial import Voronoi, cKDTree

    n = len(places)
    middle = places.mean(axis=0)
    tree = cKDTree(places)
    if n > 1:
        asked = places[:: max(1, n // 50_000)]
        spacing = float(np.median(tree.query(asked, k=[2])[0]))
    others = _ground_beside(places, tree, spacing)
    far = 10 * (np.ptp(places, axis=0).max() + 10 * spacing)
    corners = middle + far * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    points = np.concatenate([places, others, corners])
    found = Voronoi((points - middle) / spacing)
    ends = np.asarray(found.ridge_vertices, dtype=np.int64)
    beside = np.asarray(found.ridge_points, dtype=np.int64)
    near = (ends >= 0).all(axis=1) & (beside < n).any(axis=1)
    ends, beside = ends[near], beside[near]
    where = found.vertices
    along = where[ends[:, 1]] - where[ends[:, 0]]
    across = found.points[beside[:, 0]] - where[ends[:, 0]]
    turned = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0] < 0
    beside[turned] = beside[turned, ::-1]
    beside[beside >= n] = -1
    # Corners where four tiles meet come twice, a hair apart.
    digits = max(2, 4 - int(np.floor(np.log10(spacing))))
    # No negative zeros.
    rounded = np.round(where * spacing + middle, digits) + 0.0
    unique, _, own = unique_places(rounded)
    sides = own[ends]
    real = sides[:, 0] != sides[:, 1]
    return Tiles(unique, sides[real], beside[real])


def _ground_beside(places: Floats, tree: cKDTree, spacing: float) -> Floats:
    """Return points that are no spots, all around the tissue and in its gaps."""
    angles, lattice = _directions(places, tree, spacing)
    reach = spacing if lattice else 2 * spacing
    steps = reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = []
    for step in steps:
        there = places + step
        found.append(there[tree.query(there)[0] > _APART * reach])
    beside = np.concatenate(found)
    if not len(beside):
        return beside
    return _together(beside, 0.3 * reach) if lattice else _thinned(beside, 0.5 * reach)


def _directions(places: Floats, tree: cKDTree, spacing: float) -> tuple[Floats, bool]:
    """Return where neighbours stand, as angles, and whether on a lattice."""
    evenly = 2 * np.pi * np.arange(_AROUND) / _AROUND
    if len(places) < 4:
        return evenly, False
    asked = np.arange(0, len(places), max(1, len(places) // 20_000))
    distances, others = tree.query(places[asked], k=min(9, len(places)))
    near = (distances > 0) & (distances < _RING * spacing)
    fold = int(np.median(near.sum(axis=1)))
    if fold not in (4, 6):
        return evenly, False
    steps = (places[others] - places[asked][:, None])[near]
    turn = np.exp(1j * fold * np.arctan2(steps[:, 1], steps[:, 0])).mean()
    if abs(turn) < 0.9:
        return evenly, False
    return np.angle(turn) / fold + 2 * np.pi * np.arange(fold) / fold, True


def _together(points: Floats, reach: float) -> Floats:
    """Return the means of points that stand together: one place, seen from many."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
    n = len(points)
    ones = np.ones(len(pairs), dtype=np.int8)
    joined = sparse.coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    count, group = connected_components(joined, directed=False)
    sizes = np.bincount(group, minlength=count)
    means = [np.bincount(group, points[:, axis], count) / sizes for axis in (0, 1)]
    return np.stack(means, axis=1)


def _thinned(points: Floats, step: float) -> Floats:
    """Return one of the points in every square of a grid."""
    squares = np.floor((points - points.min(axis=0)) / step).astype(np.int64)
    first = np.unique(squares, axis=0, return_index=True)[1]
    thinned: Floats = points[np.sort(first)]
    return thinned
