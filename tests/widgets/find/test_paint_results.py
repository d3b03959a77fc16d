"""While a run goes on: the loss, and domains on the tissue."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.widgets.find.configuration import recall_request
from napari_semst.widgets.find.job import domains_shown
from napari_semst.widgets.find.paint_results import MOST_LIVE_SPOTS, domain_rgba
from napari_semst.widgets.find.run_box import LossCurve
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def dock(dock, pipeline):
    dock.settings.n_domains.setValue(5)
    pipeline.epochs, pipeline.seconds_per_epoch = 2000, 0.01
    return dock


@pytest.fixture
def layer(dock):
    return add(dock._viewer, small_tissue())


def n_colours(layer):
    return len(np.unique(layer.face_color, axis=0))


def test_domains_show_while_training_and_cancel_takes_them_back(qtbot, dock, layer):
    before = layer.face_color.copy()
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: n_colours(layer) == 5, timeout=60_000)
    assert not dock.run_box.provisional.isHidden()
    assert not dock.run_box.loss.isHidden()
    assert dock.run_box.loss.points[0] == (1, 1.0)
    assert dock.run_box.loss.steps == 2000
    dock.run_box.cancel_button.click()
    np.testing.assert_array_equal(layer.face_color, before)
    assert dock.run_box.provisional.isHidden()
    assert dock.run_box.loss.isHidden()
    assert "semst_domain" not in dock.section.tissue.obs


def test_a_dock_that_goes_away_takes_its_colours_with_it(qtbot, dock, layer, pipeline):
    before = layer.face_color.copy()
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: n_colours(layer) == 5, timeout=60_000)
    dock._viewer.window.remove_dock_widget(dock)
    np.testing.assert_array_equal(layer.face_color, before)
    qtbot.waitUntil(lambda: pipeline.ended == 1, timeout=60_000)


def test_the_check_box_turns_them_off_and_the_next_session_knows(
    qtbot, dock, layer, pipeline
):
    before = layer.face_color.copy()
    dock.run_box.show_domains.click()
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: len(dock.run_box.loss.points) > 3, timeout=60_000)
    assert pipeline.looks == 0
    np.testing.assert_array_equal(layer.face_color, before)
    dock.run_box.show_domains.click()
    qtbot.waitUntil(lambda: n_colours(layer) == 5, timeout=60_000)
    dock.run_box.show_domains.click()
    np.testing.assert_array_equal(layer.face_color, before)
    dock.run_box.cancel_button.click()
    # The run began with the box unchecked.
    assert recall_request(lambda request: None)["show_domains"] is False


def test_another_colouring_is_not_painted_over(qtbot, dock, layer):
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: n_colours(layer) == 5, timeout=60_000)
    combo = dock.results.colour_by
    combo.setCurrentIndex(combo.findText("ground_truth"))
    assert n_colours(layer) == 2
    dock.running.live.show(np.arange(120, dtype=np.int32) % 5)
    assert n_colours(layer) == 2
    assert not dock.running.live.on
    dock.run_box.cancel_button.click()


def test_final_domains_take_the_place_of_provisional_ones(qtbot, dock, layer, pipeline):
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: n_colours(layer) == 5, timeout=60_000)
    dock.run_box.stop_button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "success", timeout=60_000)
    legend = dock.results.legend
    assert legend.topLevelItem(0).text(1) == "24"
    # Stripes, not every fifth spot.
    assert len(np.unique(layer.face_color[:20], axis=0)) == 1


def test_large_sections_are_left_alone(dock, layer, monkeypatch):
    assert dock.run_box.show_domains.isChecked()
    monkeypatch.setattr("napari_semst.widgets.find.running.MOST_LIVE_SPOTS", 100)
    dock.running.look_ahead()
    assert not dock.run_box.show_domains.isChecked()
    assert MOST_LIVE_SPOTS == 50_000


def test_as_many_domains_as_asked_for(dock):
    request = dock.settings.request("spatial")
    assert domains_shown(request) == 5
    dock.settings.n_domains.setValue(-1)
    assert domains_shown(dock.settings.request("spatial")) == 8


def test_colours_are_those_of_final_domains():
    from napari_semst.palette import domain_colors

    rgba = domain_rgba(np.array([2, 0], np.int32))
    red, green, blue = (round(255 * x) for x in rgba[0, :3])
    assert f"#{red:02x}{green:02x}{blue:02x}" == domain_colors(3)[2].lower()


def test_a_training_that_begins_again_begins_its_curve_again(qtbot):
    curve = LossCurve()
    qtbot.addWidget(curve)
    curve.add([(1, 5.0), (2, 4.0)], 10)
    curve.add([(1, 6.0)], 10)
    assert curve.points == [(1, 6.0)]
    curve.add([(n, 6.0 / n) for n in range(2, 900)], 900)
    curve.resize(300, 80)
    picture = curve.grab().toImage()
    # Screens of few colours round them.
    found = [
        picture.pixelColor(x, y).getRgb()[:3]
        for x in range(60, 290)
        for y in range(20, 75)
    ]
    far = np.abs(np.array(found) - (58, 134, 200)).max(axis=1)
    assert far.min() < 10
