"""Channels in the dock Open data: ticked, they are layers; the real widgets driven."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_semst.errors import InputError
from napari_semst.io.formats.tiff import read_section_image
from napari_semst.io.places.landmarks import register_image
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.viewer import align_image
from napari_semst.viewer.adapter import PLACEMENT
from napari_semst.viewer.align_image import redraw_images
from napari_semst.viewer.image_channels import CHANNEL, ShownChannel
from napari_semst.widgets.open import channels as module
from tests.io.formats.channel_files import NAMES, described, pixels, write_pages
from tests.registration.made import turn
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue

PER_UNIT = 0.2


def section(path):
    """Return a section whose image is the first channel of a file."""
    tissue = small_tissue()
    picture, told = read_section_image(path, PER_UNIT, (0.0, 0.0))
    assert not told
    entry = tissue.uns["spatial"]["one"]
    entry["images"] = {"hires": picture.image}
    entry["scalefactors"] = {
        "tissue_hires_scalef": picture.per_unit,
        "tissue_hires_origin_x": 0.0,
        "tissue_hires_origin_y": 0.0,
        "spot_diameter_fullres": 50.0,
    }
    return tissue


@pytest.fixture(params=["reduced", "whole"])
def opened(request, viewer, dock, qtbot, tmp_path, monkeypatch):
    if request.param == "reduced":
        monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 15_000)
    image = pixels(5)
    path = write_pages(tmp_path / "a.ome.tif", image, described(5, (200, 240)))
    tissue = section(path)
    layer = add(viewer, tissue)
    panel = dock.alignment.channels
    qtbot.waitUntil(lambda: panel.list.count() == 5, timeout=60_000)
    return tissue, layer, panel, image


def tick(qtbot, panel, row, wanted=True):
    state = Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked
    panel.list.item(row).setCheckState(state)
    qtbot.waitUntil(lambda: not panel.opening.busy, timeout=60_000)


def channel_layers(viewer):
    return [one for one in viewer.layers if CHANNEL in one.metadata]


def test_the_channels_of_the_file_are_listed(opened, dock, viewer):
    _, _, panel, _ = opened
    found = [panel.list.item(row).text() for row in range(5)]
    assert found == list(NAMES)
    assert not dock.alignment.by_channel.isHidden()
    assert channel_layers(viewer) == []


def test_ticked_channels_are_added_as_light_in_the_place_of_the_image(
    opened, viewer, qtbot
):
    _, layer, panel, image = opened
    base = viewer.layers[0]
    for row in (2, 0):
        tick(qtbot, panel, row)
    shown = channel_layers(viewer)
    assert [one.name for one in shown] == [NAMES[2], NAMES[0]]
    assert list(viewer.layers) == [base, *shown, layer]
    assert not base.visible
    for one, number in zip(shown, (2, 0), strict=True):
        assert str(one.blending) == "additive"
        assert one.multiscale
        assert np.array_equal(np.asarray(one.data[0]), image[number])
        # Five units a pixel, from the corner on.
        np.testing.assert_allclose(one.scale, 5)
        np.testing.assert_allclose(one.translate, 2.5)
        assert 1000 * (number + 1) <= one.contrast_limits[0]
        assert tuple(one.colormap.colors[0]) == (0, 0, 0, 1)
    assert len({tuple(one.colormap.colors[-1]) for one in shown}) == 2
    tick(qtbot, panel, 2, False)
    assert [one.name for one in channel_layers(viewer)] == [NAMES[0]]
    assert not base.visible
    tick(qtbot, panel, 0, False)
    assert base.visible


def test_several_ticked_at_once_all_come(opened, viewer, qtbot):
    _, _, panel, _ = opened
    for row in range(5):
        panel.list.item(row).setCheckState(Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: len(channel_layers(viewer)) == 5, timeout=60_000)
    assert panel.line.isHidden()


def test_one_unticked_before_it_is_there_does_not_come(opened, viewer, qtbot):
    _, _, panel, _ = opened
    panel.list.item(1).setCheckState(Qt.CheckState.Checked)
    tick(qtbot, panel, 1, False)
    assert channel_layers(viewer) == []
    assert viewer.layers[0].visible


def test_channels_move_with_the_image(opened, dock, viewer, qtbot):
    tissue, _, panel, image = opened
    tick(qtbot, panel, 1)
    (shown,) = channel_layers(viewer)
    dock.alignment.buttons["flip_x"].click()
    dock.alignment.shift_x.setValue(100)
    assert np.array_equal(np.asarray(shown.data[0]), image[1][:, ::-1])
    np.testing.assert_allclose(shown.translate, (2.5, 102.5))
    places = np.array([[0.0, 0.0], [1000.0, 100.0], [300.0, 900.0]])
    landmarks = landmarks_from(places, places @ turn(90).T + (1000.0, 0.0))
    register_image(tissue, "one", landmarks)
    redraw_images(tissue, "one", viewer.layers)
    # A quarter turn clockwise; (x, y) to (1000 - y, x).
    assert np.array_equal(np.asarray(shown.data[0]), np.rot90(image[1], -1))
    np.testing.assert_allclose(shown.translate, (2.5, 2.5), atol=1e-6)
    assert shown.metadata[PLACEMENT].registered is not None


def test_a_layer_deleted_in_the_viewer_can_be_ticked_again(opened, viewer, qtbot):
    _, _, panel, _ = opened
    tick(qtbot, panel, 3)
    base = viewer.layers[0]
    tick(qtbot, panel, 2)
    assert not base.visible
    viewer.layers.remove(channel_layers(viewer)[0])
    assert not base.visible
    viewer.layers.remove(channel_layers(viewer)[0])
    # With its last channel gone the image is seen again.
    assert base.visible
    assert panel.list.item(3).checkState() == Qt.CheckState.Unchecked
    tick(qtbot, panel, 3)
    assert len(channel_layers(viewer)) == 1


def test_a_channel_without_smaller_copies_lies_where_its_image_lies(
    viewer, dock, qtbot, tmp_path, monkeypatch
):
    monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 6_000)
    text = described(5, (200, 240))
    path = write_pages(tmp_path / "a.ome.tif", pixels(5), text, subifds=0)
    add(viewer, section(path))
    panel = dock.alignment.channels
    qtbot.waitUntil(lambda: panel.list.count() == 5, timeout=60_000)
    tick(qtbot, panel, 1)
    base, (shown,) = viewer.layers[0], channel_layers(viewer)
    assert not shown.multiscale
    assert shown.data.size <= 6_000
    assert shown.data.shape == base.data.shape
    np.testing.assert_allclose(shown.scale, base.scale)
    np.testing.assert_allclose(shown.translate, base.translate)
    dock.alignment.shift_x.setValue(100)
    np.testing.assert_allclose(shown.translate, base.translate)


def test_a_shift_draws_nothing_anew(opened, dock, viewer, qtbot, monkeypatch):
    _, _, panel, _ = opened
    tick(qtbot, panel, 1)
    (shown,) = channel_layers(viewer)
    fine, place = shown.data[0], np.array(shown.translate)
    drawn = []
    monkeypatch.setattr(ShownChannel, "placed", lambda *_: drawn.append("channel"))
    monkeypatch.setattr(align_image, "image_data", lambda *_: drawn.append("image"))
    dock.alignment.shift_y.setValue(30)
    assert drawn == []
    assert shown.data[0] is fine
    np.testing.assert_allclose(shown.translate, place + np.array([30, 0]))
    assert shown.metadata[PLACEMENT].by_hand.shift_y == 30


def test_landmarks_are_set_on_the_image_and_not_on_a_channel(
    opened, dock, viewer, qtbot
):
    _, _, panel, _ = opened
    tick(qtbot, panel, 1)
    base = viewer.layers[0]
    viewer.layers.move(0, 2)
    dock.alignment.landmarks.set_button.click()
    assert dock.alignment.landmarks._canvas._image is base


def test_channels_that_cannot_be_listed_are_told(viewer, dock, qtbot, monkeypatch):
    def refuse(*_):
        raise InputError("Expected the channel ch0001.ome.tif to be whole.")

    monkeypatch.setattr(module, "channels_of_image", refuse)
    add(viewer, small_tissue())
    panel = dock.alignment.channels
    qtbot.waitUntil(lambda: not panel.looking.busy, timeout=60_000)
    assert panel.line.kind == "error"
    assert "to be whole" in panel.line.text()
    assert not panel.line.isHidden()
    assert not dock.alignment.by_channel.isHidden()


def test_an_image_of_one_channel_offers_none(viewer, dock, qtbot):
    add(viewer, small_tissue())
    panel = dock.alignment.channels
    qtbot.waitUntil(lambda: not panel.looking.busy, timeout=60_000)
    assert dock.alignment.by_channel.isHidden()
