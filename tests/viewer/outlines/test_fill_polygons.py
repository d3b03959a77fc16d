"""Polygons as pixels: the same as asking for each pixel whether it is inside."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path

from napari_semst.viewer.outlines.fill_polygons import borders, fill_polygons


def stars(n, size, seed=0):
    """Return polygons with dents, some in part or wholly outside of the image."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 20)))
        radius = random.uniform(1, 9, len(angles))
        spokes = np.stack([np.sin(angles), np.cos(angles)], axis=1)
        middle = random.uniform(-8, size + 8, 2)
        found.append(middle + radius[:, None] * spokes)
    return found


def one_by_one(shape, polygons):
    """Return the image in which each pixel was asked for."""
    image = np.zeros(shape, np.int32)
    centres = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1).reshape(-1, 2) + 0.5
    for number, corners in enumerate(polygons, start=1):
        # A path crosses itself nowhere, so that its rule is the same as even-odd.
        closed = Path(np.concatenate([corners, corners[:1]]))
        image.reshape(-1)[closed.contains_points(centres)] = number
    return image


def filled(shape, polygons):
    image = np.zeros(shape, np.int32)
    n_corners = np.array([len(corners) for corners in polygons])
    numbers = np.arange(1, len(polygons) + 1, dtype=np.int32)
    fill_polygons(image, np.concatenate(polygons), n_corners, numbers)
    return image


def test_pixels_whose_centre_is_inside_are_filled():

    polygons = stars(120, 70)
    found = filled((70, 60), polygons)
    assert len(np.unique(found)) > 40
    np.testing.assert_array_equal(found, one_by_one((70, 60), polygons))


def test_a_polygon_around_the_whole_image_fills_it():
    image = filled((9, 7), [np.array([(-50, -90), (-50, 80), (60, 80), (60, -90)])])
    assert (image == 1).all()


def test_polygons_without_corners_or_area_fill_nothing():
    image = np.zeros((9, 9), np.int32)
    line = np.array([(2.5, 2.5), (6.5, 6.5), (2.5, 2.5)])
    fill_polygons(image, line, np.array([0, 3, 0]), np.array([1, 2, 3], np.int32))
    fill_polygons(image, line[:0], np.array([0]), np.array([1], np.int32))
    assert not image.any()


def test_a_seam_to_a_hole_and_to_another_piece_is_not_seen():
    """Walked there and back it crosses each row twice at the same place."""
    outer = np.array([(3, 3), (3, 27), (27, 21), (27, 3), (3, 3)], float)
    hole = np.array([(9.3, 8.1), (20.7, 9), (19, 17.9), (9.3, 8.1)])
    piece = np.array([(31, 30), (39, 30), (36, 38), (31, 30)], float)
    seam = [outer, hole, outer[:1], piece, outer[:1]]
    found = filled((42, 42), [np.concatenate(seam)])
    alone = [filled((42, 42), [part]) for part in (outer, hole, piece)]
    np.testing.assert_array_equal(found, alone[0] - alone[1] + alone[2])


@pytest.mark.parametrize("width", [1, 2])
def test_borders_are_pixels_near_another_number(width):
    image = np.zeros((12, 14), np.int32)
    image[2:10, 2:7], image[2:10, 7:12] = 1, 2
    found = borders(image, width)
    inner = image[width:-width, width:-width]
    inside = np.zeros_like(image, bool)
    inside[2 + width : 10 - width, 2 + width : 7 - width] = True
    inside[2 + width : 10 - width, 7 + width : 12 - width] = True
    inside = inside[width:-width, width:-width]
    np.testing.assert_array_equal(found, (inner > 0) & ~inside)
