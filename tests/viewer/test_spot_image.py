"""The image of many spots: its numbers, levels, colours and tiles."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.viewer import spot_image as rasters
from napari_semst.viewer.rasterise import stamp
from napari_semst.viewer.spot_image import COARSEST, LEVELS, SpotRaster


def made(n=300, square=False, diameters=9.0):
    places = np.random.default_rng(0).uniform(0, 400, (n, 2)) * [1, 0.6] - 50
    return SpotRaster(places, diameters, square)


def colours(n=300):
    return np.random.default_rng(1).integers(0, 256, (n, 4)) / 255


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("level", [3, 6, 8])
def test_a_window_over_tiles_is_drawn_as_one_image(monkeypatch, square, level):
    monkeypatch.setattr(rasters, "TILE", 64)
    sizes = np.random.default_rng(2).uniform(1, 30, 300)
    raster = made(square=square, diameters=sizes)
    height, width = raster.shape(level)
    rows, columns = (slice(side // 3, side // 3 + 150) for side in (height, width))
    expected = np.zeros((150, 150), np.int32)
    corner = raster.origin + np.array([rows.start, columns.start]) * raster.pitch(level)
    centres = (raster.positions - corner) / raster.pitch(level)
    radii = raster.diameters / 2 / raster.pitch(level)
    stamp(expected, centres, radii, np.arange(1, 301, dtype=np.int32), square)
    np.testing.assert_array_equal(raster.numbers(level, rows, columns), expected)


def test_the_pixel_of_a_spots_centre_has_its_number_at_every_level():
    grid = np.stack(np.mgrid[:20, :30], axis=-1).reshape(-1, 2) * 10.0
    raster = SpotRaster(grid, 8.0)
    for level in range(LEVELS):
        pixels = np.floor((grid - raster.origin) / raster.pitch(level)).astype(int)
        for spot in (0, 31, 599):
            y, x = pixels[spot]
            one = raster.numbers(level, slice(y, y + 1), slice(x, x + 1))
            assert one.item() == spot + 1


def test_levels_halve_and_the_whole_fits_the_coarsest():
    raster = made()
    shapes = np.array([level.shape[:2] for level in raster.levels])
    assert len(shapes) == LEVELS
    np.testing.assert_array_equal(shapes[:-1], 2 * shapes[1:])
    assert shapes[-1].max() == COARSEST
    # The finest level's outer edges are those of the spots.
    first = raster.translate - raster.scale / 2
    np.testing.assert_allclose(first, raster.positions.min(axis=0) - 4.5)
    assert np.all(
        first + raster.scale * shapes[0] >= raster.positions.max(axis=0) + 4.5
    )


def test_pixels_have_the_colours_of_their_spots():
    raster, rgba = made(), colours()
    raster.paint(rgba)
    np.testing.assert_allclose(raster.colours, rgba, atol=1e-6)
    table = np.concatenate([np.zeros((1, 4)), np.rint(rgba * 255)]).astype(np.uint8)
    for level in (5, LEVELS - 1):
        np.testing.assert_array_equal(
            np.asarray(raster.levels[level]), table[raster.numbers(level)]
        )
    window = raster.levels[2][4000:4100, 5000:5003]
    numbers = raster.numbers(2, slice(4000, 4100), slice(5000, 5003))
    np.testing.assert_array_equal(window, table[numbers])


def test_the_coarsest_level_is_painted_in_place():
    """A viewer keeps what it read of it."""
    raster = made()
    coarsest = np.asarray(raster.levels[-1])
    raster.paint(colours())
    before = coarsest.copy()
    raster.paint(1 - colours())
    assert np.any(coarsest != before)


def test_spots_not_on_show_are_transparent_and_cannot_be_found():
    raster = made()
    raster.paint(np.ones((300, 4)))
    (*_, spot) = raster.spots_at(raster.positions[7])
    mask = np.arange(300) != spot
    raster.show(mask)
    assert spot not in raster.spots_at(raster.positions[7])
    numbers = raster.numbers(LEVELS - 1)
    np.testing.assert_array_equal(
        raster.levels[-1][..., 3] == 255, (numbers > 0) & (numbers != spot + 1)
    )
    raster.show(np.ones(300, bool))
    np.testing.assert_array_equal(raster.levels[-1][..., 3] == 255, numbers > 0)


@pytest.mark.parametrize(
    "key",
    [
        np.s_[:],
        np.s_[10:60, 20:90],
        np.s_[10:60, 20:90, :3],
        np.s_[5, 7],
        np.s_[-1],
        np.s_[::3, 1:50:2],
        np.s_[..., 3],
        np.s_[4, ..., 0],
    ],
)
def test_a_level_is_indexed_as_an_array(key):
    raster = made()
    raster.paint(colours())
    level = raster.levels[-2]
    np.testing.assert_array_equal(level[key], np.asarray(level)[key])


def test_what_cannot_be_is_refused():
    raster = made()
    with pytest.raises(InputError, match="coarser level"):
        np.asarray(raster.levels[0])
    with pytest.raises(IndexError, match="one of"):
        raster.levels[-2][5000]


def test_only_so_many_tiles_are_kept(monkeypatch):
    monkeypatch.setattr(rasters, "MOST_TILES", 3)
    raster = made()
    whole = raster.numbers(LEVELS - 3)
    assert len(raster._tiles) == 3
    np.testing.assert_array_equal(raster.numbers(LEVELS - 3), whole)


@pytest.mark.parametrize("square", [False, True])
def test_levels_drawn_beforehand_are_the_same(square):
    cold, warm = made(square=square), made(square=square).warm()
    tiles = dict(warm._tiles)
    for level in range(LEVELS - rasters.WARM, LEVELS):
        np.testing.assert_array_equal(warm.numbers(level), cold.numbers(level))
    # They were there and not drawn again.
    assert all(warm._tiles[key] is tile for key, tile in tiles.items())
    assert len(warm._tiles) == len(tiles)


def test_a_single_spot_is_an_image_too():
    raster = SpotRaster(np.array([[3.0, 4.0]]), 2.0)
    raster.paint(np.ones((1, 4)))
    assert raster.levels[-1].shape == (COARSEST, COARSEST, 4)
    area = (raster.levels[-1][..., 3] > 0).mean()
    assert area == pytest.approx(np.pi / 4, rel=0.01)
