"""Which points lie in which polygons, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Pairs of a side and a point looked at together.
_PAIRS = 4_000_000


class PolygonSides(NamedTuple):
    """Polygons by the sides of their rings, holes included.

    Parameters
    ----------
    start, end
        ``(n_sides, 2)`` ends (x, y) of the sides.
    polygon
        ``(n_sides,)`` polygon of each side.
    n
        How many polygons there are.
    """

    start: Floats
    end: Floats
    polygon: Ints
    n: int


def points_in_polygons(points: Floats, polygons: PolygonSides) -> tuple[Ints, Ints]:
    """Return the pairs of a point and a polygon around it.

    A point is inside where a ray from it crosses the polygon's rings an odd number of
    times, so that holes are outside. Of polygons that share a side, a point on the
    side lies in one only.

    Parameters
    ----------
    points
        ``(n, 2)`` (x, y).
    polygons
        As sides.

    Returns
    -------
    point, polygon
        Indices, sorted by point, then by polygon.

    Notes
    -----
    The points are sorted by y, so that a side meets a range of them: the work grows
    with how often sides pass beside points, not with sides times points.
    """
    order = np.argsort(points[:, 1], kind="stable")
    x, y = points[order].T
    # From the lower end to the upper: both neighbours of a side compute the same.
    turned = polygons.start[:, 1] > polygons.end[:, 1]
    low = np.where(turned[:, None], polygons.end, polygons.start)
    high = np.where(turned[:, None], polygons.start, polygons.end)
    west = np.full(polygons.n, np.inf)
    np.minimum.at(west, polygons.polygon, np.minimum(low[:, 0], high[:, 0]))
    first = np.searchsorted(y, low[:, 1], side="left")
    last = np.searchsorted(y, high[:, 1], side="left")
    crossed = []
    for sides, ranks in _pairs(first, last):
        own = polygons.polygon[sides]
        # A ray to the east meets only what lies east of the polygon's western end.
        near = x[ranks] >= west[own]
        sides, ranks, own = sides[near], ranks[near], own[near]
        a, b = low[sides], high[sides]
        share = (y[ranks] - a[:, 1]) / (b[:, 1] - a[:, 1])
        east = x[ranks] < a[:, 0] + share * (b[:, 0] - a[:, 0])
        crossed.append(_odd(ranks[east] * polygons.n + own[east]))
    keys = _odd(np.concatenate(crossed)) if crossed else np.empty(0, np.int64)
    point, polygon = order[keys // polygons.n], keys % polygons.n
    again = np.lexsort((polygon, point))
    return point[again], polygon[again]


def _odd(keys: Ints) -> Ints:
    """Return the keys that stand there an odd number of times."""
    found, counts = np.unique(keys, return_counts=True)
    odd: Ints = found[counts % 2 == 1]
    return odd


def _pairs(first: Ints, last: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield pairs of a side and each rank in its range, a bounded number at a time."""
    lengths = last - first
    side = np.flatnonzero(lengths > 0)
    while len(side):
        total = np.cumsum(lengths[side])
        many = max(1, int(np.searchsorted(total, _PAIRS, side="right")))
        own, side = side[:many], side[many:]
        count = np.minimum(lengths[own], _PAIRS)
        sides = np.repeat(own, count)
        begin = np.cumsum(count) - count
        ranks = np.arange(len(sides)) - np.repeat(begin, count) + first[sides]
        if many == 1 and lengths[own[0]] > _PAIRS:
            first[own[0]] += _PAIRS
            lengths[own[0]] -= _PAIRS
            side = np.concatenate([own, side])
        yield sides, ranks
