from __future__ import annotations

import numpy as np
import pytest

from napari_semst.explore import plane_view
from napari_semst.explore.plane_view import NO_POINT, PlaneView


@pytest.fixture
def places():
    return np.random.default_rng(0).normal(3.0, 2.0, (200, 2)).astype(np.float32)


def test_the_whole_is_in_the_picture_with_y_up(places):
    view = plane_view.whole_view(places, 80, 50)
    pixels = view.to_pixels(places)
    assert (pixels >= 0).all()
    assert (pixels <= (80, 50)).all()
    assert pixels[:, 1].argmin() == places[:, 1].argmax()
    assert np.allclose(view.to_plane(pixels), places, atol=1e-5)


def test_zoom_keeps_the_place_below_the_mouse(places):
    view = plane_view.whole_view(places, 80, 50)
    at = np.array([[20.0, 10.0]])
    before = view.to_plane(at)
    nearer = view.zoomed(2.5, (20.0, 10.0))
    assert np.allclose(nearer.to_plane(at), before)
    assert nearer.zoom == pytest.approx(2.5 * view.zoom)
    moved = view.panned(5, -3)
    assert np.allclose(moved.to_plane(at + np.array([5, -3])), before)


def test_zoom_has_ends(places):
    home = plane_view.whole_view(places, 80, 50)
    far = plane_view.limit_view(home.zoomed(1e-9, (0, 0)), home)
    near = plane_view.limit_view(home.zoomed(1e9, (0, 0)), home)
    assert 0 < far.zoom < home.zoom < near.zoom < np.inf
    assert plane_view.limit_view(home, home) is home


def test_one_place_and_none_have_a_view():
    for places in (np.zeros((0, 2)), np.ones((1, 2))):
        view = plane_view.whole_view(places, 30, 20)
        assert np.isfinite(view.zoom)
        assert np.isfinite(view.to_pixels(places)).all()


def test_pixels_tell_their_points_and_later_ones_lie_on_top():
    view = PlaneView((0.0, 0.0), 1.0, 6, 5)
    pixels = np.array([[2.5, 1.5], [2.2, 1.9], [5.5, 4.5], [9.0, 1.0], [-1.0, 2.0]])
    image = plane_view.points_of_pixels(pixels, view, np.array([7, 3, 9, 1, 2]), 1)
    assert image[1, 2] == 3
    assert image[4, 5] == 9
    assert (image != NO_POINT).sum() == 2


@pytest.mark.parametrize(("size", "n_pixels"), [(1, 1), (2, 4), (3, 9), (4, 12)])
def test_points_have_a_size_and_do_not_cover_each_others_middle(size, n_pixels):
    view = PlaneView((0.0, 0.0), 1.0, 20, 20)
    alone = plane_view.points_of_pixels(
        np.array([[10.0, 10.0]]), view, np.array([0]), size
    )
    assert (alone == 0).sum() == n_pixels
    both = np.array([[10.0, 10.0], [11.0, 10.0]])
    image = plane_view.points_of_pixels(both, view, np.arange(2), size)
    assert (image[10, 10], image[10, 11]) == (0, 1)


def test_colours_lie_over_the_background():
    numbers = np.array([[0, NO_POINT, 1]], np.int32)
    rgba = np.array([[1, 0, 0, 1], [0, 1, 0, 0.5]], np.float32)
    picture = plane_view.paint_pixels(numbers, rgba, (100, 100, 100))
    assert picture[0, 0].tolist() == [255, 0, 0, 255]
    assert picture[0, 1].tolist() == [100, 100, 100, 255]
    assert picture[0, 2].tolist() == [50, 178, 50, 255]
