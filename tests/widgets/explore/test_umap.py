"""The map in the dock Explore domains: coloured as the tissue, linked both ways."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore import plane_view
from napari_semst.explore.umap import UmapView
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore import umap as part
from napari_semst.widgets.explore.scatter import ScatterPlot
from napari_semst.widgets.explore.widget import ExploreDomains
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def scatter(qtbot):
    """Nine points as the keys of a telephone, in a picture of 100 x 100."""
    made = ScatterPlot()
    made.setMinimumHeight(0)
    made.resize(100, 100)
    qtbot.addWidget(made)
    x, y = np.meshgrid([0.0, 1.0, 2.0], [2.0, 1.0, 0.0])
    made.set_points(np.stack([x.ravel(), y.ravel()], axis=1))
    made.grab()
    return made


@pytest.fixture
def dock(dock):
    tissue = small_tissue()
    # The map is the tissue turned upside down, so that places can be told.
    tissue.obsm["X_umap"] = np.asarray(tissue.obsm["spatial"]) * (1, -1)
    add(dock._viewer, tissue)
    dock.colour_by("ground_truth")
    return dock


def look(qtbot, dock):
    dock.umap.fold.expand()
    qtbot.waitUntil(lambda: dock.umap.view is not None, timeout=60_000)
    dock.umap.panel.scatter.grab()


def draw(widget, corners, modifier=Qt.KeyboardModifier.NoModifier):
    """Drag the mouse from corner to corner."""
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    kinds = [QEvent.Type.MouseButtonPress]
    kinds += [QEvent.Type.MouseMove] * (len(corners) - 1)
    kinds += [QEvent.Type.MouseButtonRelease]
    for kind, corner in zip(kinds, [*corners, corners[-1]], strict=True):
        place = QPointF(*corner)
        button = none if kind == QEvent.Type.MouseMove else left
        event = QMouseEvent(kind, place, place, button, left, modifier)
        handle = {
            QEvent.Type.MouseButtonPress: widget.mousePressEvent,
            QEvent.Type.MouseMove: widget.mouseMoveEvent,
            QEvent.Type.MouseButtonRelease: widget.mouseReleaseEvent,
        }[kind]
        handle(event)


def colour_at(scatter, x, y):
    ratio = scatter.devicePixelRatioF()
    image = scatter.grab().toImage()
    return image.pixelColor(round(x * ratio), round(y * ratio)).getRgb()[:3]


def test_points_are_where_they_belong_and_told_by_the_mouse(scatter, qtbot):
    assert scatter.point_at(QPointF(50, 50)) == 4
    assert scatter.point_at(QPointF(7, 7)) == 0
    assert scatter.point_at(QPointF(93, 93)) == 8
    assert scatter.point_at(QPointF(30, 30)) == plane_view.NO_POINT
    with qtbot.waitSignal(scatter.hovered) as told:
        over = QPointF(50, 50)
        none = Qt.MouseButton.NoButton
        keys_ = Qt.KeyboardModifier.NoModifier
        move = QMouseEvent(QEvent.Type.MouseMove, over, over, none, none, keys_)
        scatter.mouseMoveEvent(move)
    assert told.args == [4]


def test_colours_faint_points_and_hidden_ones(scatter):
    rgba = np.tile(np.float32([0, 0, 1, 1]), (9, 1))
    rgba[4] = (1, 0, 0, 1)
    rgba[0, 3] = 0
    scatter.set_colours(rgba)
    assert colour_at(scatter, 50, 50) == (255, 0, 0)
    assert colour_at(scatter, 93, 93) == (0, 0, 255)
    assert scatter.point_at(QPointF(7, 7)) == plane_view.NO_POINT
    rgba[:, 3] = 0.16
    rgba[4, 3] = 1
    scatter.set_colours(rgba, np.arange(9) == 4)
    assert colour_at(scatter, 50, 50) == (255, 0, 0)
    # The square root of 0.16, as precise as the screen.
    assert colour_at(scatter, 93, 93) == pytest.approx((0, 0, 102), abs=8)
    assert rgba[0, 3] == np.float32(0.16)


def test_dragging_moves_and_with_the_lasso_draws(scatter, qtbot):
    draw(scatter, [(50, 50), (60, 45)])
    scatter.grab()
    assert scatter.point_at(QPointF(60, 45)) == 4
    QTest.mouseDClick(scatter, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    scatter.grab()
    assert scatter.point_at(QPointF(50, 50)) == 4
    corners = [(0, 0), (100, 0), (100, 20), (0, 20)]
    scatter.lasso_on = True
    with qtbot.waitSignal(scatter.surrounded) as told:
        draw(scatter, corners)
    assert np.flatnonzero(told.args[0]).tolist() == [0, 1, 2]
    assert told.args[1] == "replace"
    scatter.lasso_on = False
    for key, how in (
        (Qt.KeyboardModifier.ShiftModifier, "add"),
        (Qt.KeyboardModifier.AltModifier, "subtract"),
    ):
        with qtbot.waitSignal(scatter.surrounded) as told:
            draw(scatter, corners, key)
        assert told.args[1] == how


def test_the_wheel_zooms_to_the_mouse(scatter):
    place = QPointF(93, 93)
    event = QWheelEvent(
        place, place, QPoint(), QPoint(0, 600), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    scatter.wheelEvent(event)
    scatter.grab()
    assert scatter.point_at(QPointF(93, 93)) == 8
    assert scatter.point_at(QPointF(50, 50)) == plane_view.NO_POINT


def test_an_empty_map_shows_its_message(qtbot):
    made = ScatterPlot()
    qtbot.addWidget(made)
    made.message = "Being made"
    made.grab()
    assert made.point_at(QPointF(5, 5)) == plane_view.NO_POINT
    assert not made.points_within([QPointF(0, 0)] * 3).any()


def test_a_lasso_on_the_map_selects_on_the_tissue(qtbot, dock):
    look(qtbot, dock)
    scatter = dock.umap.panel.scatter
    dock.umap.panel.lasso.click()
    wide, high = scatter.width(), scatter.height()
    draw(scatter, [(0, 0), (wide, 0), (wide, high / 2), (0, high / 2)])
    mask = dock.state.selection(dock.tissue)
    # Up on the map is y falling.
    assert np.array_equal(mask, dock.tissue.obsm["spatial"][:, 1] < 500)
    half = [(0, 0), (wide / 2, 0), (wide / 2, high), (0, high)]
    draw(scatter, half, Qt.KeyboardModifier.AltModifier)
    assert dock.state.selection(dock.tissue).sum() == 30
    faint = dock.layer.face_color[:, 3] < 0.5
    assert np.array_equal(faint, ~dock.state.selection(dock.tissue))


def test_the_map_has_the_colours_of_the_tissue(qtbot, dock):
    look(qtbot, dock)
    scatter = dock.umap.panel.scatter
    assert np.array_equal(scatter._rgba, dock.layer.face_color)
    dock.colour_by("gene:GENE3")
    assert np.array_equal(scatter._rgba, dock.layer.face_color)
    selected = np.arange(120) < 9
    dock.state.select(dock.tissue, selected)
    assert np.array_equal(scatter._ranks == 2, selected)
    assert np.array_equal(scatter._rgba[:, :3], dock.layer.face_color[:, :3])
    assert dock.umap.panel.source.text() == texts.UMAP_SOURCE.format(
        source="the section's own X_umap"
    )
    scatter.hovered.emit(3)
    scatter.hovered.emit(plane_view.NO_POINT)


def test_it_is_made_when_looked_at_and_anew_after_a_run(qtbot, viewer, monkeypatch):
    asked, taken, go = [], [], threading.Event()

    def made(tissue, seed, own):
        assert go.wait(10)
        asked.append(tissue)
        taken.append(own)
        places = np.random.default_rng(len(asked)).normal(size=(tissue.n_obs, 2))
        source = "the latent of the latest run"
        return UmapView(places.astype(np.float32), np.arange(tissue.n_obs), source)

    monkeypatch.setattr(part, "umap_of", made)
    dock = ExploreDomains(viewer)
    viewer.window.add_dock_widget(dock, name="Explore domains")
    tissue = small_tissue()
    add(viewer, tissue)
    assert not dock.umap.task.busy
    dock.umap.fold.expand()
    assert dock.umap.panel.scatter.message == texts.UMAP_BUSY
    assert not dock.umap.panel.again.isEnabled()
    go.set()
    qtbot.waitUntil(lambda: dock.umap.view is not None, timeout=60_000)
    assert asked[0] is not tissue  # other docks may write to it meanwhile
    assert dock.umap.panel.source.text().endswith("the latent of the latest run.")
    # What changes no latent makes no new map.
    dock.state.tissue_changed.emit(tissue, None)
    assert not dock.umap.task.busy
    tissue.obsm[keys.LATENT] = np.zeros((tissue.n_obs, 3), np.float32)
    first = dock.umap.view
    dock.state.tissue_changed.emit(tissue, None)
    assert dock.umap.view is first
    assert dock.umap.panel.source.text() == texts.UMAP_BUSY
    qtbot.waitUntil(lambda: dock.umap.view is not first, timeout=60_000)
    dock.umap.panel.again.click()
    qtbot.waitUntil(lambda: len(asked) == 3 and not dock.umap.task.busy)
    # Another section has a map of its own; the first one's is kept.
    other = add(viewer, small_tissue(60), "Other")
    qtbot.waitUntil(lambda: len(asked) == 4 and not dock.umap.task.busy)
    assert len(dock.umap.view.spots) == 60
    dock.sections.setCurrentIndex(0)
    assert len(dock.umap.view.spots) == 120
    viewer.layers.remove(other)
    assert len(asked) == 4
    assert taken == [True, True, False, True]


def test_what_went_wrong_is_told(qtbot, viewer, monkeypatch):
    def fails(tissue, seed, own):
        raise InputError("Expected a run's latent; found none. Find domains first.")

    monkeypatch.setattr(part, "umap_of", fails)
    dock = ExploreDomains(viewer)
    viewer.window.add_dock_widget(dock, name="Explore domains")
    add(viewer, small_tissue())
    dock.umap.fold.expand()
    qtbot.waitUntil(lambda: dock.card.kind == "error", timeout=60_000)
    assert "Find domains first" in dock.umap.panel.scatter.message
    assert dock.umap.panel.again.isEnabled()


def test_it_goes_to_a_dock_of_its_own_and_back(qtbot, viewer, dock):
    look(qtbot, dock)
    panel = dock.umap.panel
    panel.out.click()
    assert dock.umap.on_show
    assert panel.window() is viewer.window._qt_window
    assert not dock.isAncestorOf(panel)
    assert not dock.umap.elsewhere.isHidden()
    panel.out.click()
    qtbot.waitUntil(lambda: dock.isAncestorOf(panel))
    panel.out.click()
    panel.parent().destroyOnClose()  # the cross in its corner
    qtbot.waitUntil(lambda: dock.isAncestorOf(panel))
    assert panel.out.text() == "Pop out"
    assert dock.umap.elsewhere.isHidden()
    assert dock.umap.elsewhere.isHidden()
    assert dock.umap.view is not None
    panel.out.click()
    for _ in range(2):
        dock.umap.shutdown()
        assert dock.isAncestorOf(panel)
    assert not dock.umap.on_show or dock.umap.fold.isExpanded()
