"""Levels, fading and what layers remember, in a real viewer."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_semst import keys
from napari_semst.domains.hierarchy import domains_at
from napari_semst.viewer import adapter, confidence_fade
from napari_semst.viewer.display_state import FADE, LEVEL
from tests.widgets.docks import add
from tests.widgets.stand_in import attach_levels, section_with_levels, small_tissue


@pytest.fixture
def dock(real_dock):
    return real_dock


def legend_of(dock):
    legend = dock.results.legend
    rows = [legend.topLevelItem(i) for i in range(legend.topLevelItemCount())]
    return {row.text(0): int(row.text(1)) for row in rows}


def shown(row_widget):
    """Whether a widget is not hidden, whatever its window is."""
    return not row_widget.isHidden()


def names_on(layer, tissue):
    """Read the domains back from the colours on the layer."""
    from napari_semst.domains.levels import level_colors

    names = [str(n + 1) for n in range(6)]
    table = np.array([to_rgba(c) for c in level_colors(tissue, names)])[:, :3]
    apart = np.abs(layer.face_color[:, None, :3] - table).sum(axis=-1)
    assert apart.min(axis=1).max() < 1e-5
    return [names[i] for i in apart.argmin(axis=1)]


def test_the_slider_paints_every_level(viewer, dock):
    tissue = section_with_levels()
    before = tissue.obs.copy()
    layer = add(viewer, tissue)
    bar = dock.results.level_bar
    assert shown(bar)
    assert (bar.slider.minimum(), bar.slider.maximum()) == (2, 6)
    assert bar.slider.value() == 3
    assert not bar.keep_button.isEnabled()
    for k in (2, 6, 4, 5, 3):
        bar.slider.setValue(k)
        labels = domains_at(tissue, k)
        assert names_on(layer, tissue) == list(labels)
        assert legend_of(dock) == labels.value_counts().to_dict()
        assert bar.number.text() == str(k)
    # Nothing is written but by the button.
    assert tissue.obs.equals(before)
    assert adapter.UNSAVED not in layer.metadata


def test_back_to_the_runs_own_number(viewer, dock):
    tissue = section_with_levels()
    layer = add(viewer, tissue)
    bar = dock.results.level_bar
    assert bar.home_button.text() == "Run's own: 3"
    bar.slider.setValue(5)
    assert layer.metadata[LEVEL] == 5
    bar.home_button.click()
    assert bar.slider.value() == 3
    assert LEVEL not in layer.metadata
    bar.slider.setValue(6)
    QTest.mouseDClick(
        bar.slider, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        QPoint(5, 5),
    )  # fmt: skip
    assert bar.slider.value() == 3
    assert names_on(layer, tissue) == list(tissue.obs[keys.DOMAIN])


def test_hovering_tells_the_level_on_show(viewer, dock):
    tissue = section_with_levels()
    layer = add(viewer, tissue)
    dock.results.level_bar.slider.setValue(2)
    dock.canvas.tell_labels()
    assert list(layer.features["domain shown"]) == list(domains_at(tissue, 2))
    dock.results.colour_by.setCurrentIndex(
        dock.results.colour_by.findText("Confidence")
    )
    dock.canvas.tell_labels()
    assert "domain shown" not in layer.features


def test_keep_writes_the_level_as_a_column(viewer, dock):
    tissue = section_with_levels()
    layer = add(viewer, tissue)
    bar = dock.results.level_bar
    bar.slider.setValue(4)
    bar.keep_button.click()
    expected = domains_at(tissue, 4)
    assert list(tissue.obs["semst_domain_at_4"]) == list(expected)
    assert adapter.UNSAVED in layer.metadata
    assert dock.results.save_button.text() == "Save... *"
    assert dock.card.kind == "success"
    assert "semst_domain_at_4" in dock.card.text.text()
    assert "took the place" not in dock.card.text.text()
    # The level stays on show, no run has come, and the column can be coloured by.
    assert bar.slider.value() == 4
    assert dock.results.run.count() == 1
    combo = dock.results.colour_by
    combo.setCurrentIndex(combo.findText("Domains, 4 kept"))
    assert not shown(bar)
    assert names_on(layer, tissue) == list(expected)
    combo.setCurrentIndex(combo.findText("Domain"))
    bar.keep_button.click()
    assert "took the place" in dock.card.text.text()


def test_keep_is_refused_where_a_run_has_that_name(viewer, dock):
    tissue = section_with_levels(run="at_4")
    layer = add(viewer, tissue)
    dock.results.level_bar.slider.setValue(4)
    dock.results.level_bar.keep_button.click()
    assert dock.card.kind == "error"
    assert "at_4" in dock.card.text.text()
    assert adapter.UNSAVED not in layer.metadata


def test_unsure_spots_fade_as_stated(viewer, dock):
    tissue = section_with_levels()
    layer = add(viewer, tissue)
    results = dock.results
    confidence = tissue.obs[keys.CONFIDENCE].to_numpy()
    risen = np.clip(
        (confidence - confidence_fade.UNSURE)
        / (confidence_fade.SURE - confidence_fade.UNSURE),
        0,
        1,
    )
    expected = confidence_fade.FAINTEST + (1 - confidence_fade.FAINTEST) * risen
    assert shown(results.fade)
    assert (layer.face_color[:, 3] == 1).all()
    results.fade.setChecked(True)
    np.testing.assert_allclose(layer.face_color[:, 3], expected, atol=1e-5)
    assert "0.8" in results.fade_note.text()
    assert "own 3" not in results.fade_note.text()
    # Any level, any opacity of the layer; the colours themselves are full.
    results.level_bar.slider.setValue(2)
    results.opacity.setValue(50)
    np.testing.assert_allclose(layer.face_color[:, 3], expected, atol=1e-5)
    assert names_on(layer, tissue) == list(domains_at(tissue, 2))
    assert layer.opacity == pytest.approx(0.5)
    assert "own 3" in results.fade_note.text()
    # Numbers are not faded; the choice waits for the next categories.
    results.colour_by.setCurrentIndex(results.colour_by.findText("Confidence"))
    assert not shown(results.fade)
    assert not shown(results.fade_note)
    assert (layer.face_color[:, 3] == 1).all()
    results.colour_by.setCurrentIndex(results.colour_by.findText("ground_truth"))
    np.testing.assert_allclose(layer.face_color[:, 3], expected, atol=1e-5)
    results.fade.setChecked(False)
    assert (layer.face_color[:, 3] == 1).all()


def test_without_hierarchy_or_confidence_neither_is_offered(viewer, dock):
    tissue = section_with_levels(confident=False)
    tissue.uns[keys.RUNS]["default"].pop("hierarchy")
    add(viewer, tissue)
    assert not shown(dock.results.level_bar)
    assert not shown(dock.results.fade)
    assert not shown(dock.results.curve_part)
    assert dock.results.look.level is None
    add(viewer, small_tissue(), "Raw")
    dock.section.combo.setCurrentIndex(1)
    assert not shown(dock.results.level_bar)
    assert not shown(dock.results.fade)


def test_each_layer_remembers_its_own_level_run_and_fade(viewer, dock):
    tissue = section_with_levels(run="first")
    attach_levels(tissue, run="second", turned=True)
    layer = add(viewer, tissue, "One")
    other = add(viewer, section_with_levels(), "Two")
    combo, results = dock.section.combo, dock.results
    combo.setCurrentIndex(0)
    assert results.run.currentText() == "second"
    results.fade.setChecked(True)
    results.run.setCurrentText("first")
    # Another run starts at its own number; its confidence is not kept.
    assert results.level_bar.slider.value() == 3
    assert not shown(results.fade)
    results.level_bar.slider.setValue(5)
    painted = layer.face_color.copy()
    assert names_on(layer, tissue) == list(domains_at(tissue, 5, "first"))
    combo.setCurrentIndex(1)
    assert results.level_bar.slider.value() == 3
    assert not results.fade.isChecked()
    assert not other.metadata.get(FADE)
    results.level_bar.slider.setValue(2)
    combo.setCurrentIndex(0)
    assert results.run.currentText() == "first"
    assert results.level_bar.slider.value() == 5
    assert results.fade.isChecked()
    np.testing.assert_array_equal(layer.face_color, painted)
    combo.setCurrentIndex(1)
    assert results.level_bar.slider.value() == 2


def test_a_new_run_starts_at_its_own_number(qtbot, viewer, dock, pipeline):
    tissue = section_with_levels()
    add(viewer, tissue)
    dock.results.level_bar.slider.setValue(5)
    dock.settings.n_domains.setValue(4)
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.controller.job is None, timeout=60_000)
    assert dock.results.run.currentText() == "run-2"
    # The stand-in makes no hierarchy.
    assert not shown(dock.results.level_bar)
    assert len(legend_of(dock)) == 4
    dock.results.run.setCurrentText("default")
    assert dock.results.level_bar.slider.value() == 3
