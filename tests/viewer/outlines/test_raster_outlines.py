"""Outlined cells in the image of the spots."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.io.outlines.cell_outlines import CellOutlines
from napari_semst.viewer import spot_image as rasters
from napari_semst.viewer.outlines.draw_outlines import CanvasOutlines
from napari_semst.viewer.outlines.fill_polygons import fill_polygons
from napari_semst.viewer.spot_image import LEVELS, SpotRaster, border_colours
from tests.io.outline_files import ARROW

N = 400
# Cells without an outline, and one that reaches far over its neighbours.
BARE, LONG = (3, 77), 210


def made(side=20, pitch=100.0, diameter=30.0):
    """Return a lattice of cells, their outlines on the canvas and their corners."""
    places = np.stack(np.mgrid[:side, :side], axis=-1).reshape(-1, 2)[:, ::-1] * pitch
    corners = places[:, None] + ARROW
    corners[LONG] = places[LONG] + ARROW * [1, 12]
    kept = np.ones(N, bool)
    kept[list(BARE)] = False
    offsets = np.concatenate([[0], np.cumsum(np.where(kept, len(ARROW), 0))])
    own = CellOutlines(corners[kept].reshape(-1, 2).astype(np.float32), offsets)
    # On the canvas half as large and moved, (y, x).
    scales, shifts = np.full(N, 0.5), np.full((N, 2), [30.0, -70.0])
    positions = places[:, ::-1] * 0.5 + shifts
    raster = SpotRaster(positions, diameter)
    outlines = CanvasOutlines(own, positions, scales, shifts)
    return raster, outlines, corners[..., ::-1] * 0.5 + shifts[:, None]


def expected(raster, corners, level, rows, columns):
    """Return cells filled one by one, discs first."""
    pitch = raster.pitch(level)
    low = raster.origin + np.array([rows.start, columns.start]) * pitch
    shape = rows.stop - rows.start, columns.stop - columns.start
    discs = np.array(BARE)
    image = raster._drawn(discs, low, pitch, shape)
    for cell in np.setdiff1d(np.arange(N), discs):
        number = np.array([cell + 1], np.int32)
        polygon = (corners[cell] - low) / pitch
        fill_polygons(image, polygon, np.array([len(polygon)]), number)
    return image


def test_cells_are_filled_across_tiles_and_have_a_border(monkeypatch):
    monkeypatch.setattr(rasters, "TILE", 64)
    raster, outlines, corners = made()
    raster.set_outlines(outlines)
    level = LEVELS - 3
    assert raster.has_outlines_at(level)
    height, width = raster.shape(level)
    rows, columns = (slice(side // 5, side // 5 + 300) for side in (height, width))
    found = raster.numbers(level, rows, columns)
    whole = expected(raster, corners, level, rows, columns)
    on_border = found > N
    np.testing.assert_array_equal(np.where(on_border, found - N, found), whole)
    # A border pixel is within two pixels of another number, an inner one is not.
    beside = np.zeros_like(on_border)
    for step in (-2, -1, 1, 2):
        for axis in (0, 1):
            beside |= np.roll(whole, step, axis) != whole
    inner = np.s_[2:-2, 2:-2]
    np.testing.assert_array_equal(on_border[inner], (beside & (whole > 0))[inner])


def test_discs_are_drawn_where_cells_are_small_on_screen():
    raster, outlines, _ = made()
    before = raster.numbers(LEVELS - 1)
    outlines.diameter *= 0.01
    raster.set_outlines(outlines)
    assert not raster.has_outlines_at(LEVELS - 1)
    np.testing.assert_array_equal(raster.numbers(LEVELS - 1), before)


def test_colours_and_borders_follow_the_paint():
    raster, outlines, _ = made()
    raster.set_outlines(outlines)
    rgba = np.random.default_rng(0).integers(0, 256, (N, 4)) / 255
    raster.paint(rgba)
    numbers = raster.numbers(LEVELS - 1)
    assert (numbers > N).any()
    cells = np.rint(rgba * 255).astype(np.uint8)
    table = np.concatenate([np.zeros((1, 4), np.uint8), cells, border_colours(cells)])
    np.testing.assert_array_equal(raster.levels[-1], table[numbers])
    hidden = np.arange(N) != 5
    raster.show(hidden)
    own = (numbers == 6) | (numbers == 6 + N)
    assert own.any()
    assert not raster.levels[-1][own].any()


def test_a_border_is_darker_and_of_a_dark_cell_lighter():
    rgba = np.array([(200, 100, 50, 255), (20, 10, 40, 128)], np.uint8)
    light, dark = border_colours(rgba).astype(int)
    assert (light[:3] < rgba[0, :3]).all()
    assert (dark[:3] > rgba[1, :3] + 40).all()
    assert (light[3], dark[3]) == (255, 128)


def test_the_cell_under_the_mouse_is_told_by_its_outline():
    raster, outlines, corners = made()
    raster.set_outlines(outlines)
    # Within the dent of the arrow: on the disc, not on the cell.
    dent = raster.positions[8] + [0.5 * -25, 0]
    assert 8 not in raster.spots_at(dent)
    tip = corners[8][3] + [-2.0, 0]
    assert list(raster.spots_at(tip)) == [8]
    assert list(raster.spots_at(raster.positions[BARE[0]])) == [BARE[0]]
    far = raster.positions[LONG] + [0.5 * 400, 0]
    assert LONG in raster.spots_at(far)
    raster.show_outlines(False)
    assert 8 in raster.spots_at(dent)


def test_outlines_are_asked_for_by_the_first_look_at_a_level_that_shows_them():
    raster, _, _ = made(diameter=4.0)
    asked = []
    raster.to_read, raster.when_wanted = object(), lambda: asked.append(1)
    np.asarray(raster.levels[LEVELS - 2][:4, :4])
    assert not asked
    np.asarray(raster.levels[2][:4, :4])
    assert asked


def test_outlines_that_are_switched_off_are_not_asked_for():
    raster, _, _ = made()
    asked = []
    raster.to_read, raster.when_wanted = object(), lambda: asked.append(1)
    raster.outlined = False
    np.asarray(raster.levels[2][:4, :4])
    assert not asked
    raster.show_outlines(True)
    np.asarray(raster.levels[2][:4, :4])
    assert asked


def test_discs_come_back_when_outlines_are_switched_off():
    raster, outlines, _ = made()
    raster.paint(np.ones((N, 4)))
    before = raster.levels[-1].copy()
    raster.set_outlines(outlines)
    assert np.any(raster.levels[-1] != before)
    raster.show_outlines(False)
    np.testing.assert_array_equal(raster.levels[-1], before)


def test_a_twin_keeps_its_colours_and_outlines():
    raster, outlines, _ = made()
    raster.set_outlines(outlines)
    raster.paint(np.ones((N, 4)))
    twin = raster.twin()
    before = twin.levels[-1].copy()
    raster.paint(np.zeros((N, 4)))
    np.testing.assert_array_equal(twin.levels[-1], before)
    fine = np.s_[4000:4900, 4000:4900]
    assert twin.levels[3][fine][..., 3].any()
    assert not raster.levels[3][fine][..., 3].any()


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_spots_of_another_size_are_drawn_anew(share):
    raster, _, _ = made()
    raster.paint(np.ones((N, 4)))
    before = int((raster.numbers(LEVELS - 2) > 0).sum())
    raster.resize(30.0 * share)
    after = int((raster.numbers(LEVELS - 2) > 0).sum())
    assert (after > before) == (share > 1)
    np.testing.assert_array_equal(
        raster.levels[-1][..., 3] > 0, raster.numbers(LEVELS - 1) > 0
    )
