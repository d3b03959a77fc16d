from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path
from napari.layers import Image, Layer

from napari_semst.viewer import adapter, picking, spots, spots_as_image
from napari_semst.viewer.spots import tissue_of
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def layer():
    data = adapter.layers_of(small_tissue(image=False), name="One")[-1]
    return Layer.create(*data)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("few", [0, 10**9])
def test_a_polygon_holds_what_matplotlib_says(seed, few, monkeypatch):
    """Also where it crosses itself; with the grid and without."""
    monkeypatch.setattr(picking, "_FEW", few)
    rng = np.random.default_rng(seed)
    places = rng.random((3000, 2)) * 100 - 20
    corners = rng.random((3 + 3 * seed, 2)) * 60
    whole = Path(np.concatenate([corners, corners[:1]]))
    inside = picking.spots_in_polygon(places, corners)
    assert np.array_equal(inside, whole.contains_points(places))
    assert 0 < inside.sum() < len(places)


def test_spots_just_inside_and_outside_are_told_apart(monkeypatch):
    monkeypatch.setattr(picking, "_FEW", 0)
    square = np.array([[0, 0], [0, 10], [10, 10], [10, 0]], float)
    places = np.array([[1e-6, 5], [-1e-6, 5], [5, 10 - 1e-6], [5, 10 + 1e-6]])
    inside = picking.spots_in_polygon(places, square)
    assert inside.tolist() == [True, False, True, False]


@pytest.mark.parametrize("corners", [[], [[1, 1]], [[0, 0], [9, 9]]])
def test_less_than_a_triangle_holds_nothing(corners):
    places = np.ones((4, 2))
    corners = np.array(corners, float).reshape(-1, 2)
    assert not picking.spots_in_polygon(places, corners).any()


def test_the_brush_takes_what_is_within_its_radius_of_the_way():
    places = np.random.default_rng(0).random((500, 2)) * 10
    start, end = np.array([2.0, 3.0]), np.array([8.0, 5.0])
    steps = np.linspace(start, end, 4001)
    apart = np.sqrt(((places[:, None] - steps) ** 2).sum(axis=-1)).min(axis=1)
    near = picking.spots_near(places, start, end, 1.5)
    clear = np.abs(apart - 1.5) > 1e-3
    assert np.array_equal(near[clear], apart[clear] <= 1.5)
    here = picking.spots_near(places, start, start, 1.0)
    assert np.array_equal(here, np.linalg.norm(places - start, axis=1) <= 1.0)


def test_selections_are_replaced_added_to_and_taken_from():
    old, new = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert picking.combined(old, new, "replace").tolist() == [0, 1, 1, 0]
    assert picking.combined(old, new, "add").tolist() == [1, 1, 1, 0]
    assert picking.combined(old, new, "subtract").tolist() == [1, 0, 0, 0]
    assert picking.combined(None, new, "add").tolist() == [0, 1, 1, 0]
    assert not picking.combined(None, new, "subtract").any()


def test_places_follow_a_layer_that_was_moved_by_hand(layer):
    tissue = tissue_of(layer)
    own = np.asarray(tissue.obsm["spatial"])[:, ::-1]
    assert np.array_equal(picking.section_positions(layer), own)
    layer.translate, layer.scale = (500.0, 0.0), (2.0, 2.0)
    world = own[:3] * 2 + (500, 0)
    assert np.allclose(spots.to_places(layer, world), own[:3])
    assert picking.usual_diameter(layer) == pytest.approx(np.median(layer.size))


def test_spots_of_a_hidden_section_are_not_on_show(layer):
    assert picking.spots_on_show(layer).all()
    layer.shown = np.arange(len(layer.data)) < 7
    assert picking.spots_on_show(layer).sum() == 7


def test_places_are_the_same_where_spots_are_an_image(layer, monkeypatch):
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 10)
    data = adapter.layers_of(small_tissue(image=False), name="One")[-1]
    image = Layer.create(*data)
    assert isinstance(image, Image)
    assert np.array_equal(picking.section_positions(image), layer.data)
    assert picking.spots_on_show(image).all()
    world = np.array([[3.0, 4.0]])
    assert np.allclose(spots.to_places(image, world), world)
