"""An image registered by landmarks in the dock, its real widgets and layers driven."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_semst import keys, read, write
from napari_semst.io.manual_alignment import adjustment_of
from napari_semst.io.places.landmarks import (
    landmarks_of,
    read_landmarks,
    write_landmarks,
)
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.viewer import align_image, spots
from napari_semst.viewer.adapter import UNSAVED
from napari_semst.viewer.landmark_layers import AMONG_SPOTS, ON_IMAGE
from napari_semst.viewer.sections import images_of
from napari_semst.widgets.open import landmarks as module
from napari_semst.widgets.open import texts
from tests.registration.made import turn
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue

# Places on the image as its file puts it, and where a turn takes them.
IMAGE = np.array([[100.0, 100.0], [900.0, 150.0], [200.0, 800.0], [850.0, 700.0]])
SPOTS = IMAGE @ turn(20, 1.1, mirrored=True).T + (1100.0, -100.0)


@pytest.fixture
def panel(dock):
    return dock.alignment.landmarks


def settled(qtbot, panel):
    qtbot.waitUntil(
        lambda: not panel.judging.busy and not panel.drawing.busy, timeout=60_000
    )


def click(viewer, place):
    """Set a point on the active layer, as a click in its mode does."""
    layer = viewer.layers.selection.active
    assert layer.mode == "add"
    layer.add(np.asarray(place)[::-1])


def click_pairs(qtbot, viewer, panel, n=4):
    """Set pairs where image and spots stand at their own coordinates."""
    for image, spot in zip(IMAGE[:n], SPOTS[:n], strict=True):
        click(viewer, image)
        click(viewer, spot)
    settled(qtbot, panel)


def registered(qtbot, viewer, panel):
    panel.set_button.click()
    click_pairs(qtbot, viewer, panel)
    panel.register_button.click()
    settled(qtbot, panel)


def test_clicks_go_in_turn_to_the_image_and_to_the_spots(qtbot, viewer, dock, panel):
    add(viewer, small_tissue())
    panel.set_button.click()
    assert viewer.layers.selection.active.name == ON_IMAGE
    click(viewer, IMAGE[0])
    assert viewer.layers.selection.active.name == AMONG_SPOTS
    assert panel.table.topLevelItem(0).text(0) == f"1: {texts.SPOT_MISSING}"
    click(viewer, SPOTS[0])
    assert viewer.layers.selection.active.name == ON_IMAGE
    assert panel.line.text() == "2 more pairs are needed for this map."
    assert not panel.register_button.isEnabled()
    np.testing.assert_allclose(panel.pairs[0], IMAGE[:1])
    np.testing.assert_allclose(panel.pairs[1], SPOTS[:1])


def test_registered_the_image_lies_where_its_landmarks_say(qtbot, viewer, dock, panel):
    tissue = small_tissue()
    layer = add(viewer, tissue)
    places, pixels = layer.data.copy(), tissue.uns["spatial"]["one"]["images"]["hires"]
    original = pixels.copy()
    registered(qtbot, viewer, panel)
    kept = landmarks_of(tissue, "one")
    np.testing.assert_allclose(kept.image, IMAGE)
    np.testing.assert_allclose(kept.spots, SPOTS)
    # The points on the image have gone with it.
    np.testing.assert_allclose(viewer.layers[ON_IMAGE].data, SPOTS[:, ::-1], atol=1e-6)
    (image,) = images_of(layer, viewer.layers)
    assert image.data.shape[2] == 4
    assert np.array_equal(layer.data, places)
    assert np.array_equal(pixels, original)
    assert UNSAVED in layer.metadata
    assert "Registered by 4 pairs" in dock.alignment.line.text()
    assert "flipped left-right, turned 20.0" in panel.line.text().lower()
    assert not panel.register_button.isEnabled()


def test_a_pair_set_after_that_is_on_the_image_as_its_file_has_it(
    qtbot, viewer, dock, panel
):
    add(viewer, small_tissue())
    registered(qtbot, viewer, panel)
    fifth = np.array([[500.0, 400.0]])
    seen = fifth @ turn(20, 1.1, mirrored=True).T + (1100.0, -100.0)
    click(viewer, seen[0])
    np.testing.assert_allclose(panel.pairs[0][4], fifth[0], atol=1e-6)


def test_errors_are_told_for_each_pair_and_the_one_far_off_is_named(
    qtbot, viewer, dock, panel
):
    tissue = small_tissue()
    tissue.uns["spatial"]["one"]["scalefactors"]["microns_per_pixel"] = 0.5
    add(viewer, tissue)
    panel.set_button.click()
    click_pairs(qtbot, viewer, panel)
    assert panel.table.topLevelItem(0).text(1) == "0 \u00b5m"
    assert panel.line.kind == "success"
    click(viewer, (500.0, 400.0))
    click(viewer, (500.0, 900.0))
    settled(qtbot, panel)
    assert panel.line.kind == "warning"
    assert "Pair 5 contradicts the others" in panel.line.text()
    row = panel.table.topLevelItem(4)
    assert row.text(0) == "5: far off"
    assert row.text(2).endswith("\u00b5m")
    # Without it all is well.
    panel.table.setCurrentItem(row)
    panel.remove_button.click()
    settled(qtbot, panel)
    assert panel.line.kind == "success"
    assert (
        len(viewer.layers[ON_IMAGE].data) == len(viewer.layers[AMONG_SPOTS].data) == 4
    )


def test_three_pairs_of_an_affine_map_claim_nothing(qtbot, viewer, dock, panel):
    add(viewer, small_tissue())
    panel.kind.setCurrentIndex(panel.kind.findData("affine"))
    panel.set_button.click()
    click_pairs(qtbot, viewer, panel, 3)
    assert panel.line.kind == "warning"
    assert panel.line.text().startswith(texts.ERROR_UNKNOWN)
    assert panel.table.topLevelItem(0).text(2) == "not known"
    assert panel.register_button.isEnabled()


def test_pairs_on_one_line_are_refused_in_words(qtbot, viewer, dock, panel):
    add(viewer, small_tissue())
    panel.set_button.click()
    for place in (100.0, 300.0, 800.0):
        click(viewer, (place, place))
        click(viewer, (place, place + 20))
    settled(qtbot, panel)
    assert panel.line.kind == "error"
    assert "nearly on one line" in panel.line.text()
    assert not panel.register_button.isEnabled()


def test_a_point_deleted_in_the_viewer_takes_its_other_half_along(
    qtbot, viewer, dock, panel
):
    add(viewer, small_tissue())
    panel.set_button.click()
    click_pairs(qtbot, viewer, panel)
    layer = viewer.layers[AMONG_SPOTS]
    layer.selected_data = {1}
    layer.remove_selected()
    settled(qtbot, panel)
    kept = [0, 2, 3]
    np.testing.assert_allclose(panel.pairs[0], IMAGE[kept])
    np.testing.assert_allclose(panel.pairs[1], SPOTS[kept])
    assert list(viewer.layers[ON_IMAGE].features["pair"]) == [1, 2, 3]


def test_undo_and_take_back(qtbot, viewer, dock, panel):
    tissue = small_tissue()
    layer = add(viewer, tissue)
    (image,) = images_of(layer, viewer.layers)
    dock.alignment.buttons["flip_x"].click()
    dock.alignment.shift_x.setValue(15)
    by_hand, seen = adjustment_of(tissue, "one"), image.data.copy()
    where = image.translate.copy()
    registered(qtbot, viewer, panel)
    assert adjustment_of(tissue, "one").is_none
    assert not np.array_equal(image.data.shape, seen.shape)
    panel.undo_button.click()
    settled(qtbot, panel)
    assert landmarks_of(tissue, "one") is None
    assert adjustment_of(tissue, "one") == by_hand
    assert np.array_equal(image.data, seen)
    assert np.allclose(image.translate, where)
    assert not panel.undo_button.isEnabled()
    panel.register_button.click()
    settled(qtbot, panel)
    panel.take_back_button.click()
    settled(qtbot, panel)
    assert keys.LANDMARKS not in tissue.uns
    assert adjustment_of(tissue, "one").is_none
    assert panel.register_button.isEnabled()


def test_pairs_go_away_from_the_canvas_and_come_back(qtbot, viewer, dock, panel):
    add(viewer, small_tissue())
    panel.set_button.click()
    click_pairs(qtbot, viewer, panel)
    panel.set_button.click()
    assert ON_IMAGE not in viewer.layers
    assert len(panel.pairs[0]) == 4
    panel.set_button.click()
    np.testing.assert_allclose(viewer.layers[ON_IMAGE].data, IMAGE[:, ::-1])


def test_a_registration_comes_back_with_the_file(qtbot, viewer, dock, panel, tmp_path):
    tissue = small_tissue()
    add(viewer, tissue)
    registered(qtbot, viewer, panel)
    panel.set_button.click()
    (image,) = images_of(viewer.layers[1], viewer.layers)
    path = write(tissue, tmp_path / "registered.h5ad")
    again = add(viewer, read(path), "again")
    (back,) = images_of(again, viewer.layers)
    assert np.array_equal(back.data, image.data)
    assert np.allclose(back.translate, image.translate)
    np.testing.assert_allclose(panel.pairs[0], IMAGE)
    assert "Registered by 4 pairs" in dock.alignment.line.text()


def test_a_session_says_how_the_image_was_registered(qtbot, viewer, dock, panel):
    tissue = small_tissue()
    add(viewer, tissue)
    registered(qtbot, viewer, panel)
    from napari_semst.session.log import session_actions

    last = session_actions(tissue)[-1]
    assert last.name == "register"
    assert last.given["landmarks"]["kind"] == "similarity"
    np.testing.assert_allclose(last.given["landmarks"]["spots"], SPOTS)


def test_pairs_are_saved_and_loaded(qtbot, viewer, dock, panel, tmp_path, monkeypatch):
    add(viewer, small_tissue())
    panel.set_button.click()
    click_pairs(qtbot, viewer, panel)
    path = tmp_path / "pairs.csv"
    monkeypatch.setattr(module, "ask_path", lambda *_: path)
    panel.save_button.click()
    np.testing.assert_allclose(read_landmarks(path).image, IMAGE)
    panel.table.setCurrentItem(panel.table.topLevelItem(0))
    panel.remove_button.click()
    panel.load(str(path))
    settled(qtbot, panel)
    assert len(panel.pairs[0]) == 4
    path.write_text("a,b\n1,2\n")
    panel.load(str(path))
    assert panel.line.kind == "error"
    assert "image_x" in panel.line.text()
    assert len(panel.pairs[0]) == 4


def test_pairs_are_changed_though_their_layers_were_deleted(
    qtbot, viewer, dock, panel, tmp_path
):
    add(viewer, small_tissue())
    panel.set_button.click()
    click_pairs(qtbot, viewer, panel)
    path = write_landmarks(landmarks_from(IMAGE[::-1], SPOTS[::-1]), tmp_path / "a.csv")
    viewer.layers.remove(viewer.layers[ON_IMAGE])
    panel.load(str(path))
    settled(qtbot, panel)
    np.testing.assert_allclose(panel.pairs[0], IMAGE[::-1])
    panel.table.setCurrentItem(panel.table.topLevelItem(0))
    panel.remove_button.click()
    settled(qtbot, panel)
    np.testing.assert_allclose(panel.pairs[1], SPOTS[2::-1])


def test_of_sections_side_by_side_each_has_pairs_in_its_own_coordinates(
    qtbot, viewer, dock, panel
):
    from napari_semst.io.concat_sections import join_sections

    joined = join_sections({"A": small_tissue(), "B": small_tissue()})
    layer = add(viewer, joined)
    first, second = images_of(layer, viewer.layers)
    beside = second.translate - first.translate
    assert np.abs(beside).max() > 100
    where = first.translate.copy()
    dock.alignment.image.setCurrentIndex(1)
    dock.alignment.image.activated.emit(1)
    panel.set_button.click()
    for image, spot in zip(IMAGE, SPOTS, strict=True):
        click(viewer, image + beside[::-1])
        click(viewer, spot + beside[::-1])
    settled(qtbot, panel)
    np.testing.assert_allclose(panel.pairs[0], IMAGE, atol=1e-6)
    np.testing.assert_allclose(panel.pairs[1], SPOTS, atol=1e-6)
    panel.register_button.click()
    settled(qtbot, panel)
    assert landmarks_of(joined, "A") is None
    assert landmarks_of(joined, "B") is not None
    assert np.allclose(first.translate, where)
    np.testing.assert_allclose(
        viewer.layers[ON_IMAGE].data, SPOTS[:, ::-1] + beside, atol=1e-6
    )


def test_many_spots_drawn_as_an_image_have_landmarks_too(
    qtbot, viewer, dock, panel, monkeypatch
):
    from napari_semst.viewer import spots_as_image

    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 10)
    tissue = small_tissue()
    layer = add(viewer, tissue)
    assert spots.raster_of(layer) is not None
    registered(qtbot, viewer, panel)
    np.testing.assert_allclose(landmarks_of(tissue, "one").spots, SPOTS, atol=1e-6)


def test_a_section_without_image_offers_no_landmarks(viewer, dock, panel):
    add(viewer, small_tissue(image=False))
    assert dock.alignment.by_landmarks.isHidden()


def test_what_takes_long_of_registering_is_done_by_the_worker(
    qtbot, viewer, dock, panel, monkeypatch
):
    tissue = small_tissue()
    add(viewer, tissue)
    threads = []
    whole = align_image.image_data

    def noted(placement):
        threads.append(threading.current_thread() is threading.main_thread())
        return whole(placement)

    monkeypatch.setattr(align_image, "image_data", noted)
    registered(qtbot, viewer, panel)
    qtbot.waitUntil(lambda: landmarks_of(tissue, "one") is not None)
    panel.undo_button.click()
    qtbot.waitUntil(lambda: landmarks_of(tissue, "one") is None)
    assert threads == [False, False]
