"""Which points lie in which polygons, also where they lie on a side."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_semst.io.geojson.inside import PolygonSides, points_in_polygons


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(3, 30))
def test_inside_agrees_with_matplotlib(seed, n):
    from matplotlib.path import Path

    rng = np.random.default_rng(seed)
    angles = np.sort(rng.random(n)) * 2 * np.pi
    ring = (0.2 + rng.random(n))[:, None] * np.stack(
        [np.cos(angles), np.sin(angles)], 1
    )
    points = rng.random((300, 2)) * 3 - 1.5
    sides = PolygonSides(
        ring, np.roll(ring, -1, axis=0), np.zeros(n, dtype=np.int64), 1
    )
    found = np.zeros(300, dtype=bool)
    found[points_in_polygons(points, sides)[0]] = True
    np.testing.assert_array_equal(found, Path(ring).contains_points(points))


def test_inside_in_small_portions(monkeypatch):
    from napari_semst.io.geojson import inside as module

    rng = np.random.default_rng(0)
    points = rng.random((200, 2))
    start = rng.random((90, 2))
    end = start.reshape(3, 30, 2)[:, np.r_[1:30, 0]].reshape(-1, 2)
    sides = PolygonSides(start, end, np.repeat(np.arange(3), 30), 3)
    whole = points_in_polygons(points, sides)
    monkeypatch.setattr(module, "_PAIRS", 7)
    for one, other in zip(whole, points_in_polygons(points, sides), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_point_on_a_border_lies_in_one_polygon():
    # Four squares around (1, 1); their corners and the middles of their sides.
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
    rings = [square + corner for corner in ([0, 0], [1, 0], [0, 1], [1, 1])]
    start = np.concatenate(rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    sides = PolygonSides(start, end, np.repeat(np.arange(4), 4), 4)
    points = np.array([[1, 1], [1, 0.5], [0.5, 1], [1.5, 1], [1, 1.5]])
    point, _ = points_in_polygons(points, sides)
    assert point.tolist() == [0, 1, 2, 3, 4]
