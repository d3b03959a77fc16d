"""Pixels of registered images: where they lie, whole, by tile and beside the image."""

from __future__ import annotations

from dataclasses import dataclass

import dask.array
import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.registration import warp
from napari_semst.registration.maps import LinearMap, map_of
from napari_semst.registration.warp import RegisteredImage, registered_image, rim_of
from tests.registration.made import bent, bent_pairs, pairs, turn

EDGES = np.array([[-0.5, -0.5], [999.5, 999.5]])


def blobs(places, shape=(1000, 1000), background=0):
    """Return an image with a soft blob of 200 at each place (x, y)."""
    image = np.full(shape, float(background))
    rows, columns = np.indices(shape)
    for x, y in places:
        away = (rows - y) ** 2 + (columns - x) ** 2
        image += (200 - background) * np.exp(-away / 50)
    return np.clip(image, 0, 255).astype(np.uint8)


def middle_near(image, corner, unit, place, reach=15):
    """Return the centre of mass of light around a place (x, y) of the world."""
    column, row = (np.asarray(place) - corner[::-1]) / unit - 0.5
    rows, columns = np.indices(image.shape)
    near = (abs(rows - row) < reach) & (abs(columns - column) < reach)
    light = image * near
    found = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()
    return (found + 0.5) * unit + corner[::-1]


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_is_seen_lies_where_the_map_says(mirrored):
    linear = turn(37, 1.25, mirrored)
    made = map_of(pairs(5, linear, (-300, 4000)))
    places = np.array([[200, 300], [700, 250], [480.4, 799.7]])
    place = registered_image(made, EDGES, (1000, 1000))
    drawn = place.drawn(blobs(places))
    assert drawn.dtype == np.uint8
    for wanted in made.to_spots(places):
        found = middle_near(drawn, place.corner, place.unit, wanted)
        assert np.linalg.norm(found - wanted) < 0.1


def test_a_bent_image_is_straightened():
    made = map_of(bent_pairs(9))
    places = np.array([[200, 300], [700, 250], [480, 800]])
    place = registered_image(made, EDGES, (1000, 1000))
    drawn = place.drawn(blobs(places))
    for wanted in bent(places):
        assert (
            np.linalg.norm(
                middle_near(drawn, place.corner, place.unit, wanted) - wanted
            )
            < 1
        )


def test_an_image_that_is_not_moved_stays_to_the_last_pixel():
    image = np.random.default_rng(0).integers(0, 255, (60, 90, 4), np.uint8)
    edges = np.array([[-0.5, -0.5], [59.5, 89.5]])
    place = registered_image(LinearMap(np.eye(3)), edges, (60, 90))
    assert np.array_equal(place.drawn(image), image)
    assert place.unit == 1
    np.testing.assert_allclose(place.corner, -0.5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_by_tile_and_whole_are_the_same(dtype):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (700, 900)).astype(dtype)
    edges = np.array([[-0.5, -0.5], [699.5, 899.5]])
    place = registered_image(map_of(pairs(5, turn(30))), edges, (700, 900))
    lazy = dask.array.from_array(image, chunks=256)
    drawn = place.drawn(lazy)
    assert max(map(max, drawn.chunks)) <= 512
    assert drawn.dtype == dtype
    assert np.array_equal(drawn.compute(), place.drawn(image))


def test_a_tile_reads_no_more_than_it_shows():
    """Of a large image only what lies below the tile, and what a turn adds."""
    asked = []

    def block(block_info=None):
        asked.append(block_info[None]["chunk-location"])
        return np.zeros((250, 250), np.uint8)

    lazy = dask.array.map_blocks(
        block,
        chunks=((250,) * 32,) * 2,
        dtype=np.uint8,
        meta=np.empty((0, 0), np.uint8),
    )
    edges = np.array([[-0.5, -0.5], [7999.5, 7999.5]])
    place = registered_image(map_of(pairs(5, turn(45))), edges, (8000, 8000))
    tiles = place.drawn(lazy, 0).blocks
    middle = tiles[tiles.shape[0] // 2, tiles.shape[1] // 2]
    assert middle.compute(scheduler="synchronous").shape == (512, 512)
    # 725 pixels at the most, the diagonal, and what is begun at either end.
    assert 4 <= len(set(asked)) <= (725 // 250 + 2) ** 2


def test_copies_of_other_sizes_cover_the_same_ground():
    linear = turn(20, mirrored=True)
    made = map_of(pairs(5, linear))
    places = np.array([[200, 300], [700, 600]])
    fine = blobs(places)
    coarse = fine.reshape(250, 4, 250, 4).mean(axis=(1, 3)).astype(np.uint8)
    place = registered_image(made, EDGES, (1000, 1000))
    small = place.drawn(coarse)
    size = np.array(place.shape) * place.unit
    unit = size / small.shape
    assert small.shape == tuple(np.rint(np.array(place.shape) / 4))
    for wanted in made.to_spots(places):
        found = middle_near(small, place.corner, unit[::-1], wanted, 6)
        assert np.linalg.norm(found - wanted) < 0.5


def test_beside_the_image_colours_are_transparent_and_greys_have_its_rim():
    rgb = np.full((80, 80, 3), (200, 190, 210), np.uint8)
    rgb[20:60, 20:60] = 30
    edges = np.array([[-0.5, -0.5], [79.5, 79.5]])
    place = registered_image(map_of(pairs(5, turn(45))), edges, (80, 80))
    drawn = place.drawn(rgb)
    assert drawn.shape[2] == 4
    assert tuple(drawn[0, 0]) == (200, 190, 210, 0)
    assert tuple(drawn[len(drawn) // 2, drawn.shape[1] // 2]) == (30, 30, 30, 255)
    # The area of the square stays.
    assert (drawn[..., 3] > 0).sum() * place.unit**2 == pytest.approx(6400, rel=0.02)
    grey = place.drawn(rgb[..., 0])
    assert grey[0, 0] == 200
    assert tuple(rim_of(rgb)) == (200, 190, 210)


def test_which_places_lie_on_it_is_told_by_the_image_and_not_by_its_rectangle():
    place = registered_image(map_of(pairs(5, turn(45))), EDGES, (1000, 1000))
    middle = place.map.to_spots(np.array([[500.0, 500.0]]))[:, ::-1]
    assert place.holds(np.concatenate([middle, place.corner[None] + 5])).tolist() == [
        True,
        False,
    ]


def test_an_image_that_would_fill_the_memory_is_refused():
    thin = np.eye(3)
    thin[0, 0] = 1e-3
    with pytest.raises(InputError, match="keep the image's shape"):
        registered_image(
            LinearMap(np.array([[1e3, 0, 0], [0, 1e-3, 0], [0, 0, 1.0]])),
            np.array([[0.0, 0.0], [20000.0, 20000.0]]),
            (20000, 20000),
        )


@dataclass(frozen=True)
class Spread:
    """A map that spreads places more the farther they are from the middle."""

    matrix: np.ndarray

    def to_image(self, xy):
        away = np.linalg.norm(xy - 500.0, axis=1, keepdims=True)
        return 500.0 + (xy - 500.0) * (1 + (away / 300.0) ** 3)

    def to_spots(self, xy):
        return xy


def test_far_from_landmarks_no_tile_reads_more_than_a_bounded_part(monkeypatch):
    side = 4096
    read = []
    ramp = (np.indices((side, side)).sum(axis=0) // 64).astype(np.uint8)

    class Noted:
        shape, dtype = ramp.shape, ramp.dtype

        def __getitem__(self, at):
            read.append(int(np.prod([one.stop - one.start for one in at])))
            return ramp[at]

    source = np.array([[0.0, 0.0], [side, side]])
    place = RegisteredImage(
        Spread(np.eye(3)), source, np.zeros(2), 1.0, (1024, 1024), (side, side)
    )
    level = warp._Level(place, Noted(), 0, np.ones(2), False)
    whole = level.block(0, 0, (512, 512))
    largest = max(read)
    monkeypatch.setattr(warp, "_MOST_READ", 2**18)
    read.clear()
    parts = level.block(0, 0, (512, 512))
    assert max(read) <= 2**18 < largest
    # What is drawn is the same where both could be drawn.
    there = (parts > 0) & (whole > 0)
    assert there.mean() > 0.2
    away = np.abs(parts.astype(int) - whole)[there]
    assert np.percentile(away, 99) <= 2
