"""The dock with spots that are an image, as they are where they are many."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from napari.utils._proxies import PublicOnlyProxy

from napari_semst import keys
from napari_semst.io.export.h5ad import write
from napari_semst.viewer import adapter, hover, sections, spots, spots_as_image
from napari_semst.viewer.colour import paint_of
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.widget import FindDomains
from napari_semst.widgets.shared.sections import NO_SECTION
from tests.widgets.docks import add
from tests.widgets.stand_in import section_with_levels, small_tissue


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch):
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 100)


def colours(layer):
    return spots.raster_of(layer).colours


def value(layer, spot):
    place = spots.positions(layer)[spot]
    return layer.get_status(place, world=True, dims_displayed=[0, 1])["value"]


def test_a_file_is_opened_run_and_looked_at(qtbot, viewer, dock, tmp_path):
    path = write(small_tissue(), tmp_path / "section.h5ad")
    dock.files.open(str(path))
    qtbot.waitUntil(lambda: dock.section.layer is not None, timeout=60_000)
    layer = dock.section.layer
    assert isinstance(layer, Image)
    assert [one.name for one in viewer.layers] == ["section image", "section"]
    assert "100 % on the image" in dock.section.facts.text()
    # What shows the whole was drawn in the worker.
    assert len(spots.raster_of(layer)._tiles) > 50
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "success", timeout=60_000)
    tissue = dock.section.tissue
    assert dock.results.colouring.key == keys.DOMAIN
    expected = paint_of(tissue, dock.results.colouring).rgba
    np.testing.assert_allclose(colours(layer), expected, atol=2e-3)
    assert "domain: 1" in value(layer, 0)
    dock.results.opacity.setValue(30)
    assert layer.opacity == 0.3
    viewer.layers.remove(layer)
    assert dock.section.layer is None


def test_levels_and_fading_reach_the_image(viewer, dock):
    layer = add(viewer, section_with_levels())
    before = colours(layer)
    dock.results.level_bar.slider.setValue(2)
    assert not np.array_equal(colours(layer), before)
    dock.canvas.tell_labels()
    shown = dock.results.level_labels
    assert f"domain shown: {shown[5]}" in value(layer, 5)
    dock.results.fade.setChecked(True)
    assert colours(layer)[0, 3] == pytest.approx(0.25, abs=0.01)
    assert colours(layer)[-1, 3] == pytest.approx(1, abs=0.01)


def test_spots_move_in_the_background(qtbot, viewer, dock):
    tissue = small_tissue()
    tissue.obsm["aligned"] = tissue.obsm["spatial"] + 5000
    tissue.obsm["broken"] = np.full((tissue.n_obs, 2), np.nan)
    layer = add(viewer, tissue)
    before, painted = spots.positions(layer).copy(), colours(layer)
    dock.section.coordinates.setCurrentText("aligned")
    assert dock.card.title.text() == texts.MOVING
    qtbot.waitUntil(lambda: not dock.moving.busy, timeout=60_000)
    np.testing.assert_allclose(spots.positions(layer), before + 5000)
    np.testing.assert_array_equal(colours(layer), painted)
    assert dock.card.kind == "ready"
    assert "barcode: spot-7" in value(layer, 7)
    dock.section.coordinates.setCurrentText("broken")
    qtbot.waitUntil(lambda: not dock.moving.busy, timeout=60_000)
    assert dock.card.kind == "error"
    assert dock.section.coordinates_key == "aligned"
    np.testing.assert_allclose(spots.positions(layer), before + 5000)


def test_a_layer_that_left_while_its_spots_were_moving_is_no_matter(
    qtbot, viewer, dock
):
    tissue = small_tissue()
    tissue.obsm["aligned"] = tissue.obsm["spatial"] + 5000
    layer = add(viewer, tissue)
    dock.section.coordinates.setCurrentText("aligned")
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not dock.moving.busy, timeout=60_000)
    assert dock.card.title.text() == NO_SECTION


def test_two_layers_of_one_tissue_move_each_with_an_image_of_its_own(
    qtbot, viewer, dock
):
    tissue = small_tissue()
    tissue.obs["slide"] = np.where(np.arange(120) % 2 == 0, "even", "odd")
    one, other = add(viewer, tissue), add(viewer, tissue)
    dock.settings.sections.setCurrentIndex(dock.settings.sections.findData("slide"))
    qtbot.waitUntil(lambda: not dock.moving.busy, timeout=60_000)
    assert sections.sections_on(one) == sections.sections_on(other) == ("even", "odd")
    np.testing.assert_array_equal(spots.positions(one), spots.positions(other))
    dock.section.shown.setCurrentIndex(1)
    assert sorted([spots.shown_spots(one).sum(), spots.shown_spots(other).sum()]) == [
        60,
        120,
    ]


def test_many_and_few_are_joined(qtbot, viewer, dock):
    add(viewer, small_tissue(), "A")
    add(viewer, small_tissue(60), "B")
    dock.joiner.join([viewer.layers["A"], viewer.layers["B"]])
    qtbot.waitUntil(lambda: "A + B" in viewer.layers, timeout=60_000)
    layer = viewer.layers["A + B"]
    assert isinstance(layer, Image)
    assert "section: B" in value(layer, 130)
    assert not viewer.layers["A"].visible


def test_a_file_opened_by_the_viewer_tells_its_spots(viewer, tmp_path):
    """No dock is there; the reader is asked."""
    path = write(small_tissue(), tmp_path / "section.h5ad")
    viewer.open(str(path), plugin="napari-semst")
    assert "barcode: spot-7" in value(viewer.layers["section"], 7)


def test_the_stand_ins_that_a_plugin_is_given_are_understood(viewer, pipeline):
    dock = FindDomains(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(dock, name="Find domains")
    layer = add(viewer, section_with_levels())
    assert "barcode: spot-7" in value(layer, 7)
    # The layer itself, and not a stand-in of it, keeps what tells its spots.
    assert layer.get_status.__self__ is viewer.layers[-1]
    dock.results.level_bar.slider.setValue(2)
    paint = paint_of(dock.section.tissue, dock.results.colouring).rgba
    assert not np.allclose(colours(layer), paint, atol=0.01)
    dock.results.level_bar.slider.setValue(3)
    np.testing.assert_allclose(colours(layer), paint, atol=0.01)


def test_without_a_viewer_a_reader_returns_its_layers_all_the_same():
    data = adapter.layers_of(small_tissue())
    kinds = [kind for _, _, kind in data]
    hover.watch_current(data)
    hover.watch_current([])
    assert [kind for _, _, kind in data] == kinds
    assert len(kinds) == 2
