"""A click on a spot shows its patch beside those that are to be expected."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_semst import keys
from napari_semst.io.places.landmarks import register_image
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.patches import patch_caption
from napari_semst.widgets.explore.widget import ExploreDomains
from tests.widgets.discordant_tissue import attach_discordance
from tests.widgets.docks import add, docked
from tests.widgets.stand_in import small_tissue

SPOT = 51


@pytest.fixture
def tissue():
    return attach_discordance(small_tissue(), np.arange(120) % 12 == 3)


@pytest.fixture
def dock(dock, tissue):
    add(dock._viewer, tissue)
    dock.patches.part.expand()
    return dock


def press(dock, place, moved=0.0, button=1):
    """Press and lift the mouse, as the canvas tells the viewer."""
    event = SimpleNamespace(
        type="mouse_press", button=button, position=place, pos=np.zeros(2)
    )
    going = dock.patches._on_press(dock._viewer, event)
    next(going)
    event.type, event.pos = "mouse_move", np.full(2, moved)
    next(going)
    event.type = "mouse_release"
    assert list(going) == []


def place_of(tissue, spot):
    x, y = tissue.obsm["spatial"][spot]
    return np.array([y, x])


def shown(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.patches.task.busy, timeout=30_000)
    return dock.patches.shown


def test_a_click_shows_the_spot_and_what_is_alike(qtbot, dock, tissue):
    part = dock.patches
    assert part.message.text() == texts.PATCHES_ASK
    assert part.content.isHidden()
    press(dock, place_of(tissue, SPOT))
    found = shown(qtbot, dock)
    assert found.spot == SPOT
    assert not part.content.isHidden()
    assert part.large.spot == part.alone.spot == SPOT
    for row, alike in zip(part.rows, found.alike, strict=True):
        assert alike
        there = [view.spot for view in row if not view.isHidden()]
        assert there == list(alike)
    assert part.large.lines == patch_caption(tissue, SPOT, "domain 2")
    assert part.large.lines[1] == f"{tissue.obs[keys.DISCORDANCE].iloc[SPOT]:+.1f} nats"
    assert part.large.lines[1].startswith("+")
    assert part.large.lines[2] == "FDR 0.02"
    assert "wide" in part.message.text()
    # The domains of those beside it are told above them.
    assert "of 4)" in part.titles[0].text()


def test_pressing_a_patch_moves_the_view_to_it(qtbot, dock, tissue):
    press(dock, place_of(tissue, SPOT))
    found = shown(qtbot, dock)
    other = found.alike.by_image[0]
    dock.patches.rows[1][0].click()
    camera = getattr(dock._viewer, "scene", dock._viewer).camera
    np.testing.assert_allclose(camera.center[-2:], place_of(tissue, other))
    assert dock.patches.large.spot == SPOT


def test_what_is_no_click_on_a_spot_shows_nothing(dock, tissue):
    press(dock, place_of(tissue, SPOT), moved=30.0)
    press(dock, place_of(tissue, SPOT), button=2)
    press(dock, np.array([-500.0, -500.0]))
    dock.select.lasso.click()
    press(dock, place_of(tissue, SPOT))
    dock.select.lasso.click()
    dock.patches.part.collapse()
    press(dock, place_of(tissue, SPOT))
    assert not dock.patches.task.busy
    assert dock.patches.shown is None


def test_without_an_image_a_sentence_says_so(qtbot, viewer):
    dock = docked(ExploreDomains, viewer)
    tissue = attach_discordance(small_tissue(image=False), np.arange(120) % 12 == 3)
    add(viewer, tissue)
    dock.patches.part.expand()
    press(dock, place_of(tissue, SPOT))
    shown(qtbot, dock)
    assert "image of the section" in dock.patches.message.text()
    assert dock.patches.content.isHidden()


def test_a_spot_without_a_usable_image_says_so(tissue):
    assert patch_caption(tissue, 0, "1") == ("1", texts.NO_PATCH_NUMBER)
    del tissue.obs[keys.DISCORDANCE], tissue.obs[keys.DISCORDANCE_FDR]
    assert patch_caption(tissue, 0, "1") == ("1",)


def test_a_changed_tissue_is_read_anew(qtbot, dock, tissue):
    press(dock, place_of(tissue, SPOT))
    shown(qtbot, dock)
    dock.state.tissue_changed.emit(tissue, None)
    assert dock.patches.shown is None
    assert dock.patches.message.text() == texts.PATCHES_ASK


def test_a_registered_image_is_read_anew(dock, tissue):
    part = dock.patches
    asked = [part._key(tissue)]
    places = np.array([[0.0, 0.0], [900.0, 100.0], [100.0, 800.0]])
    register_image(tissue, "one", landmarks_from(places, places[:, ::-1]))
    asked.append(part._key(tissue))
    register_image(tissue, "one", landmarks_from(places, places + 1.0))
    asked.append(part._key(tissue))
    assert len(set(asked)) == 3


def test_the_mouse_is_the_viewers_own_again(dock):
    part = dock.patches
    assert part._on_press in part._viewer.mouse_drag_callbacks
    part.shutdown()
    assert part._on_press not in part._viewer.mouse_drag_callbacks


@pytest.mark.screen
def test_a_click_in_the_real_window(qtbot, dock, tissue):
    viewer = dock._viewer
    qtbot.waitExposed(viewer.window._qt_window)
    viewer.screenshot(canvas_only=False, flash=False)  # lays the window out
    viewer.reset_view()
    camera = getattr(viewer, "scene", viewer).camera
    canvas = viewer.window._qt_viewer.canvas.native
    size = np.array([canvas.width(), canvas.height()])
    away = place_of(tissue, SPOT) - np.asarray(camera.center)[-2:]
    x, y = (away * camera.zoom)[::-1] + size / 2
    before = camera.center
    QTest.mouseMove(canvas, QPoint(round(x), round(y)))
    left = Qt.MouseButton.LeftButton
    QTest.mouseClick(canvas, left, pos=QPoint(round(x), round(y)))
    assert shown(qtbot, dock).spot == SPOT
    assert camera.center == before
