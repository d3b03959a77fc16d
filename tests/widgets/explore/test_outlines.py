"""Outlines of cells in the window: read when looked at, coloured as the spots are."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_semst.io.concat_sections import join_sections
from napari_semst.io.read import read
from napari_semst.viewer import sections, spots
from tests.conftest import banded_tissue
from tests.io import outline_files
from tests.io.folders import write_xenium
from tests.widgets.docks import add


@pytest.fixture
def folder(tmp_path):
    """A run of cells that are small where the whole is seen, and their outlines."""
    wide = banded_tissue()
    wide.obsm["spatial"] = wide.obsm["spatial"] * 8
    run = write_xenium(tmp_path / "run", wide, image="")
    outline_files.write_xenium_outlines(run, wide)
    return run


def outlines_of(layer):
    return spots.raster_of(layer).outlines


def look_at(viewer, layer, spot, wide=200.0):
    """Let a spot and what is around it fill the window, and draw."""
    place = spots.positions(layer)[spot]
    box = np.stack([place - wide / 2, place + wide / 2])
    sections.zoom_to(viewer, box)
    return viewer.screenshot(canvas_only=True, flash=False)


def test_outlines_are_read_when_looked_at_and_follow_the_colours(
    qtbot, viewer, dock, folder
):
    layer = add(viewer, read(folder))
    assert spots.raster_of(layer) is not None
    assert dock.outlines.isEnabled()
    assert dock.outlines.isChecked()
    viewer.reset_view()
    qtbot.wait(50)
    assert outlines_of(layer) is None
    level = layer.data[2]
    np.asarray(level[:4, :4])
    qtbot.waitUntil(lambda: outlines_of(layer) is not None)
    raster = spots.raster_of(layer)
    cell = 30
    pixel = np.floor(
        (raster.positions[cell] + [10.0, 0] - raster.origin) / raster.pitch(2)
    ).astype(int)
    before = level[tuple(pixel)]
    assert before[3] == 255
    dock.colour_by("gene:" + dock.tissue.var_names[0])
    after = level[tuple(pixel)]
    np.testing.assert_array_equal(
        after, np.rint(raster.colours[cell] * 255).astype(np.uint8)
    )


def test_the_box_switches_between_outlines_and_discs(qtbot, viewer, dock, folder):
    layer = add(viewer, read(folder))
    np.asarray(layer.data[2][:4, :4])
    qtbot.waitUntil(lambda: outlines_of(layer) is not None)
    raster = spots.raster_of(layer)
    # At the arrow's tip: on the cell, and not on its disc; in its dent on neither.
    tip, dent = raster.positions[30] + [[35.0, 0], [-20.0, 0]]
    assert list(raster.spots_at(tip)) == [30]
    assert not len(raster.spots_at(dent))
    dock.outlines.click()
    assert not raster.has_outlines_at(2)
    assert not len(raster.spots_at(tip))
    assert list(raster.spots_at(raster.positions[30])) == [30]
    dock.outlines.click()
    assert raster.has_outlines_at(2)
    assert list(raster.spots_at(tip)) == [30]


def test_sections_without_outlines_offer_none(viewer, dock, tissue):
    layer = add(viewer, tissue)
    assert spots.raster_of(layer) is None
    assert not dock.outlines.isEnabled()
    assert not dock.outlines.isChecked()
    assert "no outlines" in dock.outlines.toolTip()


def test_each_section_keeps_its_choice(viewer, dock, folder):
    one = add(viewer, read(folder), "one")
    two = add(viewer, read(folder), "two")
    dock.sections.setCurrentText("one")
    dock.outlines.setChecked(False)
    dock.sections.setCurrentText("two")
    assert dock.outlines.isChecked()
    dock.sections.setCurrentText("one")
    assert not dock.outlines.isChecked()
    assert not spots.raster_of(one).outlined
    assert spots.raster_of(two).outlined


def test_joined_sections_stand_apart_with_their_outlines(qtbot, viewer, dock, folder):
    joined = join_sections({"a": read(folder), "b": read(folder)})
    layer = add(viewer, joined)
    np.asarray(layer.data[2][:4, :4])
    qtbot.waitUntil(lambda: outlines_of(layer) is not None)
    raster = spots.raster_of(layer)
    n = joined.n_obs // 2
    for cell in (5, n + 5):
        below = raster.positions[cell] + [35.0, 0]
        assert list(raster.spots_at(below)) == [cell]
    # Taken together again they still lie on their cells.
    sections.move_spots(layer, "spatial", "")
    moved = spots.raster_of(layer)
    np.asarray(layer.data[2][:4, :4])
    qtbot.waitUntil(lambda: moved.outlines is not None)
    assert n + 5 in moved.spots_at(moved.positions[n + 5] + [35.0, 0])


def test_a_damaged_file_is_told_once_and_discs_stay(qtbot, viewer, dock, folder):
    from napari.utils.notifications import notification_manager

    (folder / "cell_boundaries.parquet").write_bytes(b"PAR1 no table PAR1")
    layer = add(viewer, read(folder))
    told = []
    notification_manager.notification_ready.connect(told.append)
    np.asarray(layer.data[2][:4, :4])
    raster = spots.raster_of(layer)
    qtbot.waitUntil(lambda: not raster.reading and raster.to_read is None)
    assert len(told) == 1
    assert "Cells are shown as discs" in told[0].message
    np.asarray(layer.data[2][:4, :4])
    assert not raster.may_outline
    assert list(raster.spots_at(raster.positions[3])) == [3]
    dock.context.section_changed.emit()


def test_a_layer_that_is_gone_takes_its_outlines_along(qtbot, viewer, dock, folder):
    layer = add(viewer, read(folder))
    np.asarray(layer.data[2][:4, :4])
    viewer.layers.remove(layer)
    raster = spots.raster_of(layer)
    qtbot.waitUntil(lambda: not raster.reading)
    assert dock.layer is None
    assert not dock.outlines.isEnabled()


def test_after_a_fault_of_ours_no_outlines_are_waited_for(
    qtbot, viewer, dock, folder, monkeypatch
):
    layer = add(viewer, read(folder))
    raster = spots.raster_of(layer)

    def fails(self):
        raise RuntimeError("a fault")

    monkeypatch.setattr(type(raster.to_read), "read", fails)
    with qtbot.captureExceptions() as told:
        np.asarray(layer.data[2][:4, :4])
        qtbot.waitUntil(lambda: not raster.reading)
    assert all("a fault" in str(error) for _, error, _ in told)
    assert not raster.may_outline


def test_a_pin_keeps_the_outlined_cells(qtbot, viewer, dock, folder):
    layer = add(viewer, read(folder))
    np.asarray(layer.data[2][:4, :4])
    qtbot.waitUntil(lambda: outlines_of(layer) is not None)
    dock.pin_button.click()
    pinned = viewer.layers[-1]
    window = np.s_[30000:30400, 30000:30400]
    assert len(pinned.data) == len(layer.data)
    before = np.asarray(pinned.data[2][window]).copy()
    np.testing.assert_array_equal(before, layer.data[2][window])
    dock.colour_by("gene:" + dock.tissue.var_names[1])
    np.testing.assert_array_equal(pinned.data[2][window], before)


@pytest.mark.screen
def test_what_is_seen_close_by_is_the_outline(qtbot, viewer, dock, folder):
    layer = add(viewer, read(folder))
    layer.opacity = 1
    spots.paint_layer(layer, np.tile([1, 0, 0, 1], (dock.tissue.n_obs, 1)).astype("f4"))
    look_at(viewer, layer, 30)
    qtbot.waitUntil(lambda: outlines_of(layer) is not None)
    # Nothing moved: the window shows them by itself, in its next turn.
    QApplication.processEvents()
    seen = look_at(viewer, layer, 30)[..., :3].astype(int)
    middle = np.array(seen.shape[:2]) // 2
    step = seen.shape[0] / 200.0 * 0.95
    down = np.array([step, 0])
    dent, body = ((middle + share * down).astype(int) for share in (-25, 15))
    assert seen[tuple(dent)].sum() < 60
    np.testing.assert_allclose(seen[tuple(body)], [255, 0, 0], atol=3)
    # The border between is darker, all around the cell.
    on_border = (seen[..., 0] > 90) & (seen[..., 0] < 170) & (seen[..., 1] < 20)
    assert on_border.sum() > 100
    spots.raster_of(layer).show_outlines(False)
    spots.redraw(layer, spots.raster_of(layer))
    seen = look_at(viewer, layer, 30)[..., :3].astype(int)
    np.testing.assert_allclose(seen[tuple(middle)], [255, 0, 0], atol=3)


def test_outlined_cells_change_the_size_of_their_discs(viewer, dock, folder):
    layer = add(viewer, read(folder))
    true = spots.diameters(layer)[0]
    dock.spot_size.setValue(50)
    assert spots.diameters(layer)[0] == pytest.approx(true / 2)
    near_edge = spots.positions(layer)[7] + np.array([0.3 * true, 0])
    assert not len(spots.raster_of(layer).spots_at(near_edge))
    dock.spot_size.setValue(100)
    assert list(spots.raster_of(layer).spots_at(near_edge)) == [7]


def test_outlines_need_no_dock(qtbot, viewer, folder):
    (layer,) = viewer.open(str(folder), plugin="napari-semst")
    np.asarray(layer.data[2][:4, :4])
    qtbot.waitUntil(lambda: outlines_of(layer) is not None)
