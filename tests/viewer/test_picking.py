from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path

from napari_semst.viewer import picking


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("few", [0, 10**9])
def test_a_polygon_holds_what_matplotlib_says(seed, few, monkeypatch):
    """Also where it crosses itself; with the grid and without."""
    monkeypatch.setattr(picking, "_FEW", few)
    rng = np.random.default_rng(seed)
    spots = rng.random((3000, 2)) * 100 - 20
    corners = rng.random((3 + 3 * seed, 2)) * 60
    whole = Path(np.concatenate([corners, corners[:1]]))
    inside = picking.spots_in_polygon(spots, corners)
    assert np.array_equal(inside, whole.contains_points(spots))
    assert 0 < inside.sum() < len(spots)


def test_spots_just_inside_and_outside_are_told_apart(monkeypatch):
    monkeypatch.setattr(picking, "_FEW", 0)
    square = np.array([[0, 0], [0, 10], [10, 10], [10, 0]], float)
    spots = np.array([[1e-6, 5], [-1e-6, 5], [5, 10 - 1e-6], [5, 10 + 1e-6]])
    inside = picking.spots_in_polygon(spots, square)
    assert inside.tolist() == [True, False, True, False]


@pytest.mark.parametrize("corners", [[], [[1, 1]], [[0, 0], [9, 9]]])
def test_less_than_a_triangle_holds_nothing(corners):
    spots = np.ones((4, 2))
    corners = np.array(corners, float).reshape(-1, 2)
    assert not picking.spots_in_polygon(spots, corners).any()


def test_the_brush_takes_what_is_within_its_radius_of_the_way():
    spots = np.random.default_rng(0).random((500, 2)) * 10
    start, end = np.array([2.0, 3.0]), np.array([8.0, 5.0])
    steps = np.linspace(start, end, 4001)
    apart = np.sqrt(((spots[:, None] - steps) ** 2).sum(axis=-1)).min(axis=1)
    near = picking.spots_near(spots, start, end, 1.5)
    clear = np.abs(apart - 1.5) > 1e-3
    assert np.array_equal(near[clear], apart[clear] <= 1.5)
    here = picking.spots_near(spots, start, start, 1.0)
    assert np.array_equal(here, np.linalg.norm(spots - start, axis=1) <= 1.0)


def test_selections_are_replaced_added_to_and_taken_from():
    old, new = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert picking.combined(old, new, "replace").tolist() == [0, 1, 1, 0]
    assert picking.combined(old, new, "add").tolist() == [1, 1, 1, 0]
    assert picking.combined(old, new, "subtract").tolist() == [1, 0, 0, 0]
    assert picking.combined(None, new, "add").tolist() == [0, 1, 1, 0]
    assert not picking.combined(None, new, "subtract").any()
