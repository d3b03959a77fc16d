"""Spots drawn into an image, against the definition pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.viewer import rasterise as stamping
from napari_semst.viewer.grid_index import GridIndex
from napari_semst.viewer.rasterise import stamp

SHAPE = (37, 51)


def drawn(centres, radii, square):
    """Return the image spot by spot and pixel by pixel, as the definition says."""
    image = np.zeros(SHAPE, np.int32)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    for number, ((cy, cx), radius) in enumerate(zip(centres, radii, strict=True), 1):
        away = (
            np.maximum(abs(y - cy), abs(x - cx)) if square else np.hypot(y - cy, x - cx)
        )
        own = (np.floor(cy) == y - 0.5) & (np.floor(cx) == x - 0.5)
        image[(away <= radius) | own] = number
    return image


def spots(largest, seed=0):
    """Return spots in the image, over its edges and outside."""
    random = np.random.default_rng(seed)
    centres = random.uniform(-10, 61, (80, 2))
    return centres, random.uniform(0.1, largest, 80)


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("largest", [0.5, 1.3, 6.0, 30.0])
def test_every_pixel_is_as_defined(square, largest):
    centres, radii = spots(largest)
    image = np.zeros(SHAPE, np.int32)
    stamp(image, centres, radii, np.arange(1, 81, dtype=np.int32), square)
    np.testing.assert_array_equal(image, drawn(centres, radii, square))


def test_parts_give_the_same_picture(monkeypatch):
    centres, radii = spots(6.0, seed=1)
    monkeypatch.setattr(stamping, "_AT_ONCE", 150)
    image = np.zeros(SHAPE, np.int32)
    stamp(image, centres, radii, np.arange(1, 81, dtype=np.int32))
    np.testing.assert_array_equal(image, drawn(centres, radii, square=False))


def test_nothing_to_draw_leaves_the_image():
    image = np.full((3, 3), 7, np.int32)
    stamp(image, np.empty((0, 2)), np.empty(0), np.empty(0, np.int32))
    assert np.all(image == 7)


@pytest.mark.parametrize("n", [1, 3, 5000])
def test_places_in_a_box_are_all_found(n):
    random = np.random.default_rng(0)
    places = random.normal(size=(n, 2)) * [3, 40]
    index = GridIndex(places)
    for box in random.normal(size=(30, 2, 2)) * [3, 40]:
        low, high = box.min(axis=0), box.max(axis=0)
        expected = np.flatnonzero(((places >= low) & (places <= high)).all(axis=1))
        np.testing.assert_array_equal(index.within(low, high), expected)
    far = np.full(2, 1e9)
    np.testing.assert_array_equal(index.within(-far, far), range(n))
    assert not len(index.within(far, 2 * far))


def test_places_on_one_line_or_spot_are_found():
    line = GridIndex(np.stack([np.full(50, 3.0), np.arange(50.0)], axis=1))
    found = line.within(np.array([3, 4]), np.array([3, 6]))
    np.testing.assert_array_equal(found, [4, 5, 6])
    same = GridIndex(np.full((9, 2), 5.0))
    assert len(same.within(np.array([4, 4]), np.array([6, 6]))) == 9
