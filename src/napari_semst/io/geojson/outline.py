"""Polygons around all spots of a label, with holes, from the tiles of the spots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.io.geojson.tiles import tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.io.geojson.tiles import Tiles

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

    # The outer ring, then the holes; each closed, (n, 2), (x, y).
    Polygon = list[Floats]


class _Walks(NamedTuple):
    """Sides of the border, each with its own piece on the left.

    Parameters
    ----------
    start, end
        Corners at the ends.
    piece
        Piece that the side belongs to.
    """

    start: Ints
    end: Ints
    piece: Ints


def outlines(
    places: Floats, codes: Ints, n_labels: int, spacing: float
) -> list[list[Polygon]]:
    """Return the polygons of every label.

    Parameters
    ----------
    places
        ``(n, 2)`` places (x, y), none twice.
    codes
        ``(n,)`` label of each, -1 for none.
    n_labels
        How many labels there are.
    spacing
        Distance of neighbours, for a single place.

    Returns
    -------
    list of list of list of numpy.ndarray
        For each label its polygons, largest first. Every place of a label lies within
        one of them and within no polygon of another. Outer rings are counter-clockwise
        where y points up, as RFC 7946 has it, holes clockwise.
    """
    cut = tiles(places, spacing)
    left, right = (_code(codes, cut.beside[:, side]) for side in (0, 1))
    pieces = _pieces(cut, (left == right) & (left >= 0), len(places))
    border = left != right
    walks = _walks(cut, pieces, border & (left >= 0), border & (right >= 0))
    label_of = np.full(int(pieces.max()) + 1, -1)
    label_of[pieces] = codes
    rings: dict[int, list[tuple[float, Floats]]] = {}
    for piece, ring in _rings(walks):
        points = _without_straight(cut.corners[ring])
        rings.setdefault(piece, []).append((ring_area(points), points))
    found: list[list[tuple[float, Polygon]]] = [[] for _ in range(n_labels)]
    for piece, own in rings.items():
        own.sort(key=lambda ring: -ring[0])
        closed = [np.concatenate([points, points[:1]]) for _, points in own]
        found[label_of[piece]].append((own[0][0], closed))
    return [
        [polygon for _, polygon in sorted(own, key=lambda one: -one[0])]
        for own in found
    ]


def _code(codes: Ints, index: Ints) -> Ints:
    return np.where(index >= 0, codes[index], -1)


def _pieces(cut: Tiles, joined: NDArray[np.bool_], n: int) -> Ints:
    """Return which tiles hang together by sides that both have the same label."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    one, other = cut.beside[joined].T
    graph = sparse.coo_matrix((np.ones(len(one), np.int8), (one, other)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _walks(
    cut: Tiles, pieces: Ints, left: NDArray[np.bool_], right: NDArray[np.bool_]
) -> _Walks:
    """Return the border's sides, sorted by piece and start."""
    start = np.concatenate([cut.sides[left, 0], cut.sides[right, 1]])
    end = np.concatenate([cut.sides[left, 1], cut.sides[right, 0]])
    tile = np.concatenate([cut.beside[left, 0], cut.beside[right, 1]])
    piece = pieces[tile]
    along = cut.corners[end] - cut.corners[start]
    angle = np.arctan2(along[:, 1], along[:, 0])
    order = np.lexsort((angle, start, piece))
    return _Walks(start[order], end[order], piece[order])


def _rings(walks: _Walks) -> list[tuple[int, Ints]]:
    """Return the border as (piece, corners), no corner twice in a ring.

    Where a piece touches itself at a corner the ring is cut there in two: either both
    are holes, or one is a hole of the other.
    """
    following: dict[tuple[int, int], list[int]] = {}
    starts, ends, pieces = (part.tolist() for part in walks)
    for side, key in enumerate(zip(pieces, starts, strict=True)):
        following.setdefault(key, []).append(side)
    rings: list[tuple[int, Ints]] = []
    # Sides of the border, not spots: few, and a ring is a chain.
    for (piece, _), own in following.items():
        while own:
            path: list[int] = []
            place: dict[int, int] = {}
            side = own.pop()
            while True:
                corner = starts[side]
                if corner in place:
                    first = place[corner]
                    loop = path[first:]
                    if len(loop) > 2:
                        rings.append((piece, np.array(loop)))
                    for gone in loop[1:]:
                        del place[gone]
                    del path[first + 1 :]
                else:
                    place[corner] = len(path)
                    path.append(corner)
                onward = following.get((piece, ends[side]))
                if not onward:
                    break
                side = onward.pop()
            if len(path) > 2:
                rings.append((piece, np.array(path)))
    return rings


def _without_straight(points: Floats) -> Floats:
    """Return a ring without the corners at which it does not turn."""
    around = np.concatenate([points[-1:], points, points[:1]])
    steps = np.diff(around, axis=0)
    before, after = steps[:-1], steps[1:]
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    kept: Floats = points[turns] if turns.sum() > 2 else points
    return kept


def ring_area(points: Floats) -> float:
    """Return the area of a ring, negative where it runs clockwise."""
    centred = points - points[0]
    x, y = centred.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)
