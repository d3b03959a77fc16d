"""An image added to an open section in the dock, registered, and removed again."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys, read, remove_image
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.places.landmarks import landmarks_of
from napari_semst.io.sections import added_libraries
from napari_semst.session.log import session_actions
from napari_semst.viewer.adapter import UNSAVED
from napari_semst.viewer.align_image import image_layers_of
from tests.conftest import banded_tissue
from tests.io.folders import write_xenium
from tests.io.places.test_added_image import stained, write_tiff
from tests.registration.made import turn
from tests.widgets.docks import add

IMAGE = np.array([[100.0, 100.0], [900.0, 150.0], [200.0, 500.0], [850.0, 550.0]])
SPOTS = IMAGE @ turn(20, 1.1).T + (100.0, -50.0)


@pytest.fixture
def path(tmp_path):
    return write_tiff(tmp_path / "he.ome.tif", stained(), 5.0, levels=2)


@pytest.fixture
def run(tmp_path):
    return write_xenium(tmp_path / "run", banded_tissue())


def added(qtbot, dock, path):
    """Add the image to the section in the dock, as its dialog does."""
    dock.alignment.other.add(str(path))
    qtbot.waitUntil(lambda: dock.alignment.library == "he", timeout=20_000)
    return dock.alignment.other


def test_it_is_shown_chosen_and_recorded(qtbot, viewer, dock, run, path):
    section = read(run)
    layer = add(viewer, section)
    assert not dock.alignment.other.remove_button.isVisibleTo(dock)
    viewer.layers.selection.active = layer
    other = added(qtbot, dock, path)
    (image,) = image_layers_of(section, "he", viewer.layers)
    assert image.visible
    assert image.units == layer.units
    assert viewer.layers.index(image) == viewer.layers.index(layer) - 1
    assert viewer.layers.selection.active is layer
    np.testing.assert_allclose(image.scale[:2], 5.0)
    np.testing.assert_allclose(image.translate[:2], 2.5)
    np.testing.assert_array_equal(np.asarray(image.data)[:120, :200], stained())
    assert dock.alignment.image.isVisibleTo(dock)
    assert dock.alignment.by_landmarks.isExpanded()
    assert other.remove_button.isVisibleTo(dock)
    assert other.line.kind == "success"
    assert UNSAVED in layer.metadata
    last = session_actions(section)[-1]
    assert (last.name, last.given["name"]) == ("add_image", "he")


def test_pairs_register_it_and_the_other_image_stays(qtbot, viewer, dock, run, path):
    section = read(run)
    layer = add(viewer, section)
    added(qtbot, dock, path)
    (image,) = image_layers_of(section, "he", viewer.layers)
    panel = dock.alignment.landmarks
    register(qtbot, viewer, panel)
    qtbot.waitUntil(lambda: landmarks_of(section, "he") is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not panel.judging.busy)
    np.testing.assert_allclose(landmarks_of(section, "he").image, IMAGE, atol=1e-6)
    corner = turn(20, 1.1) @ [0.0, 0.0] + (100.0, -50.0)
    low, high = np.asarray(image.extent.world)[:, :2]
    assert (low[::-1] <= corner + 6).all()
    assert (high[::-1] >= corner - 6).all()
    assert landmarks_of(section, dock.alignment.image.itemData(0)) is None
    panel.set_button.setChecked(False)
    assert layer in viewer.layers


def test_undo_takes_it_away_with_its_landmarks(qtbot, viewer, dock, run, path):
    section = read(run)
    add(viewer, section)
    before = list(viewer.layers)
    other = added(qtbot, dock, path)
    other.remove_button.click()
    assert list(viewer.layers) == before
    assert added_libraries(section) == ()
    assert dock.alignment.library != "he"
    assert not other.remove_button.isVisibleTo(dock)
    assert session_actions(section)[-1].name == "remove_image"
    added(qtbot, dock, path)
    assert added_libraries(section) == ("he",)


def register(qtbot, viewer, panel):
    """Set pairs, and press Register."""
    panel.set_button.click()
    for place, spot in zip(IMAGE, SPOTS, strict=True):
        for one in (place, spot):
            viewer.layers.selection.active.add(one[::-1])
    qtbot.waitUntil(lambda: panel.register_button.isEnabled(), timeout=60_000)
    panel.register_button.click()


def test_removed_while_it_is_registered_it_leaves_no_landmarks(
    qtbot, viewer, dock, run, path
):
    section = read(run)
    add(viewer, section)
    other = added(qtbot, dock, path)
    panel = dock.alignment.landmarks
    register(qtbot, viewer, panel)
    other.remove_button.click()
    assert not panel.drawing.busy
    answers = []
    panel.drawing.done.connect(answers.append)
    added(qtbot, dock, path)
    assert answers == []
    assert landmarks_of(section, "he") is None
    # An answer that was under way already; the pairs are still there.
    qtbot.waitUntil(panel.register_button.isEnabled, timeout=60_000)
    panel.register_button.click()
    remove_image(section, "he")
    qtbot.waitUntil(lambda: bool(answers))
    assert keys.LANDMARKS not in section.uns


def test_another_image_of_the_name_is_not_put_where_the_first_lay(
    qtbot, viewer, dock, run, path
):
    section = read(run)
    add(viewer, section)
    other = added(qtbot, dock, path)
    panel = dock.alignment.landmarks
    register(qtbot, viewer, panel)
    qtbot.waitUntil(panel.undo_button.isEnabled, timeout=60_000)
    other.remove_button.click()
    added(qtbot, dock, path)
    assert not panel.undo_button.isEnabled()
    # What was clicked is not lost.
    assert len(panel.pairs[0]) == len(IMAGE)


def test_it_comes_to_its_section_when_another_was_chosen_meanwhile(
    qtbot, viewer, dock, run, path
):
    section, another = read(run), read(run)
    layer, second = add(viewer, section, "one"), add(viewer, another, "two")
    dock.alignment.show_layer(layer)
    other = dock.alignment.other
    assert other.tissue is section
    other.add(str(path))
    dock.alignment.show_layer(second)
    qtbot.waitUntil(lambda: not other.reading.busy)
    assert added_libraries(section) == ("he",)
    assert added_libraries(another) == ()
    (image,) = image_layers_of(section, "he", viewer.layers)
    assert viewer.layers.index(image) == viewer.layers.index(layer) - 1
    assert dock.alignment.tissue is another
    assert other.add_button.isEnabled()
    # One whose section is gone by then is dropped.
    other.add(str(path))
    viewer.layers.remove(second)
    qtbot.waitUntil(lambda: not other.reading.busy)
    assert added_libraries(another) == ()


def test_sections_side_by_side_get_none(qtbot, viewer, dock, run, path):
    joined = join_sections({"a": read(run), "b": read(run)})
    add(viewer, joined)
    other = dock.alignment.other
    other.add(str(path))
    assert not other.reading.busy
    assert other.line.kind == "error"
    assert added_libraries(joined) == ()


def test_a_section_without_an_image_gets_one(qtbot, viewer, dock, tmp_path, path):
    section = read(write_xenium(tmp_path / "bare", banded_tissue(), image=""))
    add(viewer, section)
    assert dock.alignment.other.add_button.isVisibleTo(dock)
    added(qtbot, dock, path)
    assert dock.alignment.by_landmarks.isVisibleTo(dock)


def test_a_damaged_file_is_told_and_nothing_changes(qtbot, viewer, dock, run, tmp_path):
    section = read(run)
    add(viewer, section)
    broken = tmp_path / "he.tif"
    broken.write_bytes(b"II*\0 no image")
    other = dock.alignment.other
    other.add(str(broken))
    qtbot.waitUntil(lambda: other.line.kind == "error")
    assert added_libraries(section) == ()
    assert other.add_button.isEnabled()
