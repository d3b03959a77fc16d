"""Lasso, brush and names by hand in the dock Explore domains, in a real viewer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_semst import keys
from napari_semst.viewer import adapter, spots, spots_as_image
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.drawing import grid_of
from napari_semst.widgets.explore.widget import ExploreDomains
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def dock(dock):
    add(dock._viewer, small_tissue())
    dock.colour_by("ground_truth")
    return dock


def stroke(viewer, places, *modifiers):
    """Draw with the tool that is on, as the canvas tells its layer."""
    layer = viewer.layers.selection.active
    event = SimpleNamespace(
        type="mouse_press", button=1, modifiers=modifiers, handled=False,
        position=places[0], pos=np.array(places[0]),
    )  # fmt: skip
    going = layer.mouse_drag_callbacks[-1](layer, event)
    next(going)
    assert event.handled
    event.type = "mouse_move"
    for place in places[1:]:
        event.position, event.pos = place, np.array(place)
        next(going)
    event.type = "mouse_release"
    assert list(going) == []


def box(top, left, bottom, right):
    return [(top, left), (top, right), (bottom, right), (bottom, left)]


def selected(dock):
    mask = dock.state.selection(dock.tissue)
    return 0 if mask is None else int(mask.sum())


# 12 spots in a row, 100 apart, the first at 50.
TWO_ROWS = box(0, 0, 200, 1300)


def test_a_lasso_selects_and_keys_add_and_take_away(viewer, dock):
    dock.select.lasso.click()
    stroke(viewer, TWO_ROWS)
    mask = dock.state.selection(dock.tissue)
    assert np.array_equal(mask, dock.tissue.obsm["spatial"][:, 1] < 200)
    assert dock.select.count.text() == "24 of 120 spots selected"
    stroke(viewer, box(200, 0, 300, 1300), "Shift")
    assert selected(dock) == 36
    stroke(viewer, box(0, 0, 1000, 100), "Alt")
    assert selected(dock) == 33
    stroke(viewer, box(0, 100, 1000, 200), "Control")
    assert selected(dock) == 30
    stroke(viewer, box(0, 0, 100, 1300))
    assert selected(dock) == 12
    # A click that was no drawing leaves the selection.
    stroke(viewer, [(500, 500)])
    assert selected(dock) == 12


def test_the_layers_are_afterwards_as_they_were(viewer, dock):
    viewer.add_labels(np.zeros((8, 8), int), name="mine").mode = "paint"
    before, drags = list(viewer.layers), list(viewer.mouse_drag_callbacks)
    active = viewer.layers.selection.active
    dock.select.lasso.click()
    assert len(viewer.layers) == len(before) + 1
    assert viewer.layers.selection.active.name == texts.TOOL_NAMES["lasso"]
    dock.select.brush.click()  # the other tool, on the same layer
    assert len(viewer.layers) == len(before) + 1
    assert not dock.select.lasso.isChecked()
    stroke(viewer, [(50, 50), (50, 250)])
    dock.select.brush.click()
    assert list(viewer.layers) == before
    assert viewer.layers.selection.active is active
    assert active.mode == "paint"
    assert list(viewer.mouse_drag_callbacks) == drags
    assert dock.select.hint.isHidden()
    assert [one.name for one in viewer.layers][-1] == "mine"
    dock.select.lasso.click()
    for _ in range(2):
        dock.select.shutdown()
    assert list(viewer.layers) == before
    assert not dock.select.lasso.isChecked()


def test_several_chosen_layers_are_chosen_again(viewer, dock):
    viewer.layers.selection.update(viewer.layers)
    chosen = set(viewer.layers.selection)
    dock.select.lasso.click()
    dock.select.lasso.click()
    assert set(viewer.layers.selection) == chosen


def test_the_tool_ends_with_escape_another_layer_or_the_section(viewer, dock, qtbot):
    tool, lasso = dock.select.tool, dock.select.lasso
    spots = dock.layer
    lasso.click()
    layer = viewer.layers.selection.active
    key = next(k for k in layer.keymap if str(k) == "Escape")
    layer.keymap[key](layer)
    assert (tool.kind, lasso.isChecked(), len(viewer.layers)) == ("", False, 2)

    lasso.click()
    image = viewer.layers[0]
    viewer.layers.selection.active = image
    qtbot.waitUntil(lambda: tool.kind == "")
    assert (tool.kind, lasso.isChecked(), len(viewer.layers)) == ("", False, 2)
    assert viewer.layers.selection.active is image

    lasso.click()
    viewer.layers.remove(viewer.layers.selection.active)
    assert (tool.kind, lasso.isChecked()) == ("", False)

    lasso.click()
    viewer.layers.remove(spots)
    assert (tool.kind, lasso.isChecked(), len(viewer.layers)) == ("", False, 1)
    assert not dock.select.isEnabled()


def put_in(layer, unit, factor):
    layer.scale = np.array(layer.scale) * factor
    layer.translate = np.array(layer.translate) * factor
    layer.units = (unit, unit)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(("unit", "factor"), [("um", 1.0), ("mm", 1e-3), ("um", 0.25)])
def test_spots_in_any_unit_are_drawn_around(
    viewer, dock, monkeypatch, unit, factor, many
):
    """The image is in micrometres, and so is the canvas; the mouse tells that."""
    if many:
        monkeypatch.setattr(spots_as_image, "MOST_POINTS", 1)
        viewer.layers.clear()
        add(viewer, small_tissue())
    image, layer = viewer.layers
    put_in(layer, unit, factor)
    put_in(image, "um", 1.0)
    on_canvas = factor * (1000 if unit == "mm" else 1)
    dock.select.lasso.click()
    units = {str(one.units[0]) for one in viewer.layers}
    assert "pixel" not in units
    stroke(viewer, [tuple(np.array(place) * on_canvas) for place in TWO_ROWS])
    assert selected(dock) == 24
    dock.select.brush.click()
    dock.select.radius.setValue(0.7)  # of 80
    along = [(50 * on_canvas, 50 * on_canvas), (50 * on_canvas, 350 * on_canvas)]
    stroke(viewer, along)
    assert selected(dock) == 4
    dock.select.brush.click()
    assert {str(one.units[0]) for one in viewer.layers} <= units


@pytest.mark.parametrize("stride", [1, -1, 2])
def test_a_tool_takes_no_cell_of_a_grid(viewer, dock, stride):
    """What a lasso surrounds is selected while it is drawn: it is not seen there."""
    grid = grid_of(viewer)
    grid.enabled, grid.stride = True, stride

    def cells():
        there = [x for x in viewer.layers if x.name not in texts.TOOL_NAMES.values()]
        every = list(viewer.layers)
        return grid.actual_shape(every), [
            grid.position(every.index(one), every) for one in there
        ]

    before = cells()
    seen = []
    dock.state.selection_changed.connect(lambda _: seen.append(selected(dock)))
    dock.select.lasso.click()
    assert cells() == before
    stroke(viewer, TWO_ROWS)
    assert selected(dock) == 24
    assert len(seen) > 1
    stroke(viewer, box(200, 0, 300, 1300), "Shift")
    assert selected(dock) == 36
    # Back among each other the layer of the tool is seen.
    grid.enabled = False
    assert viewer.layers.selection.active.visible
    dock.select.lasso.click()
    assert len(viewer.layers) == 2


def test_nothing_is_selected_of_a_section_that_is_hidden(viewer, dock):
    dock.layer.visible = False
    dock.select.lasso.click()
    assert (dock.select.tool.kind, dock.card.title.text()) == ("", texts.HIDDEN)
    dock.select.invert()
    assert selected(dock) == 0


def test_nothing_is_drawn_in_the_3d_view(viewer, dock):
    viewer.dims.ndisplay = 3
    dock.select.lasso.click()
    assert not dock.select.lasso.isChecked()
    assert len(viewer.layers) == 2
    assert dock.card.title.text() == texts.FLAT_ONLY
    viewer.dims.ndisplay = 2
    dock.select.lasso.click()
    viewer.dims.ndisplay = 3
    assert dock.select.tool.kind == ""
    viewer.dims.ndisplay = 2


@pytest.mark.parametrize("most_live", [0, 10**6])
def test_the_brush_selects_along_its_way(viewer, dock, monkeypatch, most_live):
    """While it is drawn, or at its end where spots are many."""
    monkeypatch.setattr("napari_semst.widgets.explore.select._MOST_LIVE", most_live)
    dock.select.radius.setValue(0.75)  # of a diameter of 80
    dock.select.brush.click()
    stroke(viewer, [(50, 50), (50, 150), (50, 350)])
    assert np.flatnonzero(dock.state.selection(dock.tissue)).tolist() == [0, 1, 2, 3]
    stroke(viewer, [(150, 50), (150, 60)], "Shift")
    assert selected(dock) == 5
    dock.select.radius.setValue(2)
    stroke(viewer, [(50, 50), (50, 60)], "Alt")
    assert selected(dock) == 2


def test_what_cannot_be_seen_is_not_selected(viewer, dock):
    dock.sections.choices.hidden["ground_truth"] = frozenset({"upper"})
    dock.select.lasso.click()
    stroke(viewer, box(-100, -100, 2000, 2000))
    assert set(dock.tissue.obs["ground_truth"][dock.state.selection(dock.tissue)]) == {
        "lower"
    }
    dock.layer.shown = np.arange(120) >= 110
    stroke(viewer, box(-100, -100, 2000, 2000))
    assert selected(dock) == 10


def test_hidden_domains_of_a_run_are_not_selected(viewer, dock):
    dock.tissue.obs[keys.DOMAIN] = dock.tissue.obs["ground_truth"]
    dock.tissue.uns[keys.LATEST] = keys.DEFAULT_RUN
    dock.colour_by(keys.DOMAIN)
    dock.legend.shown_changed.emit(frozenset({"upper"}))
    dock.select.lasso.click()
    stroke(viewer, box(-100, -100, 2000, 2000))
    assert set(dock.tissue.obs[keys.DOMAIN][dock.state.selection(dock.tissue)]) == {
        "lower"
    }


def test_spots_that_are_an_image_are_selected_alike(viewer, monkeypatch):
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 50)
    dock = ExploreDomains(viewer)
    viewer.window.add_dock_widget(dock, name="Explore domains")
    layer = add(viewer, small_tissue())
    assert spots.raster_of(layer) is not None
    dock.select.lasso.click()
    stroke(viewer, TWO_ROWS)
    mask = dock.state.selection(dock.tissue)
    assert np.array_equal(mask, dock.tissue.obsm["spatial"][:, 1] < 200)
    dock.select.radius.setValue(0.75)
    dock.select.brush.click()
    stroke(viewer, [(250, 50), (250, 250)], "Shift")
    assert selected(dock) == 27


def test_invert_and_clear(viewer, dock):
    assert not dock.select.clear_button.isEnabled()
    dock.select.lasso.click()
    stroke(viewer, TWO_ROWS)
    dock.select.invert_button.click()
    assert selected(dock) == 96
    dock.select.clear_button.click()
    assert dock.select.count.text() == texts.NOTHING_SELECTED
    dock.select.invert_button.click()
    assert selected(dock) == 120


def test_names_go_to_a_new_column_and_come_back_with_undo(viewer, dock):
    part = dock.select.assign
    assert part.column.currentText() == "annotation"
    part.name.setEditText("edge")
    assert not part.assign_button.isEnabled()  # nothing is selected
    dock.select.lasso.click()
    stroke(viewer, TWO_ROWS)
    part.assign_button.click()
    column = dock.tissue.obs["annotation"]
    assert column.notna().sum() == 24
    assert dock.sections.colouring.key == "annotation"
    assert dock.card.title.text() == texts.ASSIGNED
    assert adapter.UNSAVED in dock.layer.metadata
    assert part.column.currentText() == "annotation"
    assert [part.name.itemText(i) for i in range(part.name.count())] == ["edge"]
    # More, under another name, and some without.
    stroke(viewer, box(0, 0, 100, 1300))
    part.name.setEditText("rim")
    part.assign_button.click()
    counts = dock.tissue.obs["annotation"].value_counts().to_dict()
    assert counts == {"edge": 12, "rim": 12}
    part.remove_button.click()
    assert dock.tissue.obs["annotation"].notna().sum() == 12
    for left in (24, 24, None):
        dock.editing.undo()
        there = dock.tissue.obs.get("annotation")
        assert left is None or there.notna().sum() == left
    assert "annotation" not in dock.tissue.obs
    assert not dock.editing.annotator.can_undo


def test_facts_of_the_section_are_copied_before_they_get_names(viewer, dock):
    part = dock.select.assign
    dock.select.lasso.click()
    stroke(viewer, TWO_ROWS)
    part.column.setEditText("ground_truth")
    part.name.setEditText("edge")
    part.assign_button.click()
    assert set(dock.tissue.obs["ground_truth"]) == {"upper", "lower"}
    assert part.column.currentText() == "ground_truth_edited"
    assert dock.card.title.text() == texts.COPIED
    # A name that no column may have is refused in words.
    part.column.setEditText("semst_mine")
    part.assign_button.click()
    assert dock.card.kind == "error"
    assert "semst_mine" not in dock.tissue.obs


def drag(qtbot, viewer, places, modifiers=Qt.KeyboardModifier.NoModifier):
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    canvas = viewer.window._qt_viewer.canvas.native

    def send(kind, place, button, held):
        spot = QPoint(*(round(one) for one in place))
        window = QPointF(canvas.mapToGlobal(spot))
        event = QMouseEvent(kind, QPointF(spot), window, button, held, modifiers)
        QApplication.sendEvent(canvas, event)

    send(QEvent.Type.MouseButtonPress, places[0], left, left)
    for place in places[1:]:
        before = viewer.cursor.position

        def moved(place=place, before=before):
            # The canvas leaves out moves that follow each other closely.
            send(QEvent.Type.MouseMove, place, none, left)
            return viewer.cursor.position != before

        qtbot.waitUntil(moved)
    send(QEvent.Type.MouseButtonRelease, places[-1], left, none)


@pytest.mark.screen
def test_a_lasso_in_the_real_window(viewer, dock, qtbot):
    """The mouse draws, the view stays, and Escape ends the tool."""
    qtbot.waitExposed(viewer.window._qt_window)
    viewer.screenshot(canvas_only=False, flash=False)  # lays the window out
    viewer.reset_view()
    camera = getattr(viewer, "scene", viewer).camera
    canvas = viewer.window._qt_viewer.canvas.native
    size = np.array([canvas.width(), canvas.height()])

    def pixels(places):
        """Return (x, y) on the canvas of (y, x) on the tissue."""
        away = np.asarray(places, float) - np.asarray(camera.center)[-2:]
        return (away * camera.zoom)[:, ::-1] + size / 2

    dock.select.lasso.click()
    before = camera.center, camera.zoom
    drag(qtbot, viewer, pixels([(0, 0), (0, 600), (200, 600), (200, 0)]))
    assert selected(dock) == 12
    alt = Qt.KeyboardModifier.AltModifier
    drag(qtbot, viewer, pixels([(100, 0), (100, 600), (200, 600), (200, 0)]), alt)
    assert np.flatnonzero(dock.state.selection(dock.tissue)).tolist() == list(range(6))
    assert (camera.center, camera.zoom) == before
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    drag(qtbot, viewer, pixels([(300, 300), (400, 400), (500, 500)]))
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert camera.center != before[0]
    assert selected(dock) == 6
    assert not camera.mouse_pan
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert dock.select.tool.kind == ""
    assert len(viewer.layers) == 2
    pixels = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    assert pixels.std() > 0
