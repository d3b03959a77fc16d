"""The dock in a real viewer, with the stand-in pipeline."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import SemanticsError
from napari_semst.widgets.find import texts
from napari_semst.widgets.shared.sections import NO_SECTION
from tests.widgets.docks import add, run_to_end
from tests.widgets.stand_in import small_tissue


def test_empty_viewer_says_how_to_begin(dock):
    assert not dock.run_box.run_button.isEnabled()
    assert dock.card.title.text() == NO_SECTION
    assert dock.results.isHidden()


def test_sections_come_and_go(viewer, dock):
    layer = add(viewer, small_tissue(), "First")
    other = add(viewer, small_tissue(image=False), "Second")
    viewer.add_points(np.zeros((3, 2)), name="foreign")
    combo = dock.section.combo
    assert [combo.itemText(i) for i in range(combo.count())] == ["First", "Second"]
    assert dock.run_box.run_button.isEnabled()
    layer.name = "Renamed"
    assert combo.itemText(0) == "Renamed"
    # What was opened last is chosen; a foreign layer is no section.
    assert dock.section.layer is other
    combo.setCurrentIndex(0)
    viewer.add_points(np.zeros((3, 2)), name="foreign too")
    assert dock.section.layer is layer
    combo.setCurrentIndex(1)
    viewer.layers.remove(layer)
    assert dock.section.layer is other
    viewer.layers.remove(other)
    assert not dock.run_box.run_button.isEnabled()
    assert dock.section.facts.text() == ""


def test_facts_tell_size_and_image(viewer, dock):
    add(viewer, small_tissue())
    line = dock.section.facts.text()
    assert "120 spots, 30 genes" in line
    assert "100 % on the image" in line
    add(viewer, small_tissue(image=False))
    dock.section.combo.setCurrentIndex(1)
    assert dock.section.facts.text().endswith("no image")


def test_coordinates_are_offered_only_where_there_is_a_choice(viewer, dock, pipeline):
    tissue = small_tissue()
    tissue.obsm["X_umap"] = np.zeros((tissue.n_obs, 2))
    add(viewer, tissue)
    assert dock.section.coordinates.isHidden()
    other = small_tissue()
    other.obsm["aligned"] = other.obsm["spatial"] + 1
    add(viewer, other, "Other")
    dock.section.combo.setCurrentIndex(1)
    assert not dock.section.coordinates.isHidden()
    dock.section.coordinates.setCurrentText("aligned")
    request = dock.settings.request(dock.section.coordinates_key)
    assert request.overrides["prepare"]["coordinates"] == "aligned"


def test_spots_follow_the_coordinates_chosen(viewer, dock):
    tissue = small_tissue()
    tissue.obsm["aligned"] = tissue.obsm["spatial"] + 5000
    layer = add(viewer, tissue)
    other = add(viewer, small_tissue(), "Other")
    dock.section.combo.setCurrentIndex(0)
    before = layer.data.copy()
    dock.section.coordinates.setCurrentText("aligned")
    np.testing.assert_allclose(layer.data, before + 5000)
    assert dock.section.facts.text().endswith("0 % on the image")
    # What was chosen is still chosen after a look at another section.
    dock.section.combo.setCurrentIndex(1)
    dock.section.combo.setCurrentIndex(0)
    assert dock.section.coordinates_key == "aligned"
    dock.section.coordinates.setCurrentText("spatial")
    np.testing.assert_array_equal(layer.data, before)
    np.testing.assert_array_equal(other.data, before)


def test_unusable_coordinates_are_refused_and_the_choice_put_back(viewer, dock):
    tissue = small_tissue()
    tissue.obsm["broken"] = np.full((tissue.n_obs, 2), np.nan)
    layer = add(viewer, tissue)
    before = layer.data.copy()
    dock.section.coordinates.setCurrentText("broken")
    assert dock.card.kind == "error"
    assert "broken" in dock.card.text.text()
    assert dock.section.coordinates_key == "spatial"
    assert "100 % on the image" in dock.section.facts.text()
    np.testing.assert_array_equal(layer.data, before)


def test_choices_are_those_of_the_configuration(dock):
    from napari_semst.config import SemanticsConfig
    from napari_semst.config.presets import PRESETS

    def values(combo):
        return [combo.itemData(i) for i in range(combo.count())]

    accepted = SemanticsConfig.__dataclass_fields__["source"].metadata["choices"]
    assert values(dock.settings.semantics) == list(accepted)
    assert values(dock.settings.recipe) == ["auto", *PRESETS]


def test_counts_are_asked_for_only_where_there_is_a_choice(viewer, dock):
    add(viewer, small_tissue())
    assert dock.section.counts.isHidden()
    other = small_tissue()
    other.layers["counts"] = other.X.copy()
    add(viewer, other, "Other")
    dock.section.combo.setCurrentIndex(1)
    assert not dock.section.counts.isHidden()
    assert dock.section.counts_layer == ""
    dock.section.counts.setCurrentIndex(1)
    request = dock.settings.request("spatial", dock.section.counts_layer)
    assert request.overrides["prepare"]["counts_layer"] == "counts"


def test_settings_become_the_request(qtbot, viewer, dock, pipeline):
    add(viewer, small_tissue())
    dock.settings.n_domains.setValue(4)
    dock.settings.seed.setValue(5)
    dock.settings.epochs.setValue(3)
    dock.settings.device.setCurrentIndex(1)
    run_to_end(qtbot, dock)
    asked = pipeline.requests[0]
    assert asked.preset == "auto"
    assert asked.overrides["domains"] == {"n_domains": 4}
    assert asked.overrides["training"] == {"seed": 5, "device": "cpu", "epochs": 3}
    assert asked.overrides["semantics"] == {"source": "builtin"}


def test_a_recipe_without_semantics_is_left_alone(viewer, dock):
    settings = dock.settings
    settings.recipe.setCurrentIndex(settings.recipe.findData("quick"))
    assert not settings.semantics.isEnabled()
    request = settings.request("spatial")
    assert request.preset == "quick"
    assert "semantics" not in request.overrides


def test_precomputed_embedding_is_asked_for(qtbot, viewer, dock, pipeline, tmp_path):
    tissue = small_tissue()
    tissue.obsm["X_language"] = np.zeros((tissue.n_obs, 8), np.float32)
    add(viewer, tissue)
    settings = dock.settings
    assert settings.meaning.embedding.isHidden()
    settings.semantics.setCurrentIndex(settings.semantics.findData("precomputed"))
    assert not settings.meaning.embedding.isHidden()
    dock.run_box.run_button.click()
    assert dock.card.kind == "error"
    assert "Pick one under Embedding" in dock.card.text.text()
    settings.meaning.embedding.combo.setCurrentIndex(0)
    asked = settings.request("spatial").overrides["semantics"]
    assert asked == {"source": "precomputed", "embedding": "X_language"}
    settings.meaning.embedding.add_file(str(tmp_path / "spots.npy"))
    asked = settings.request("spatial").overrides["semantics"]
    assert asked["embedding"] == str(tmp_path / "spots.npy")


def test_domains_are_painted_and_explained(qtbot, viewer, dock):
    tissue = small_tissue()
    layer = add(viewer, tissue)
    before = layer.face_color.copy()
    dock.settings.n_domains.setValue(3)
    run_to_end(qtbot, dock)
    assert dock.card.kind == "success"
    assert dock.card.title.text().startswith("3 domains found")
    assert len(np.unique(layer.face_color, axis=0)) == 3
    assert not np.array_equal(before, layer.face_color)
    legend = dock.results.legend
    rows = [legend.topLevelItem(i) for i in range(legend.topLevelItemCount())]
    assert [row.text(0) for row in rows] == ["1", "2", "3"]
    assert [row.text(1) for row in rows] == ["40", "40", "40"]
    assert list(layer.features["domain"].unique()) == ["1", "2", "3"]
    assert "Used the CPU" in dock.settings.device_note.text()
    assert dock.results.save_button.text() == "Save... *"
    assert dock.settings.run_name() == "run-2"


def test_warnings_of_the_run_are_on_the_card(qtbot, viewer, dock, pipeline):
    pipeline.warnings = ["Only 40 % of the genes have a meaning."]
    add(viewer, small_tissue())
    run_to_end(qtbot, dock)
    assert dock.card.kind == "warning"
    assert "Only 40 %" in dock.card.text.text()


def test_colour_by(qtbot, viewer, dock):
    layer = add(viewer, small_tissue())
    run_to_end(qtbot, dock)
    combo = dock.results.colour_by
    labels = [combo.itemText(i) for i in range(combo.count())]
    assert labels == ["Domain", "Modulation", "Total counts", "ground_truth"]
    combo.setCurrentIndex(1)
    assert dock.results.legend.isHidden()
    assert not dock.results.colorbar.isHidden()
    assert len(np.unique(layer.face_color, axis=0)) > 50
    assert dock.results.colorbar.labels == ("0.02", "0.5", "0.98")
    combo.setCurrentIndex(3)
    assert not dock.results.legend.isHidden()
    assert len(np.unique(layer.face_color, axis=0)) == 2
    dock.results.opacity.setValue(40)
    assert layer.opacity == pytest.approx(0.4)


def test_runs_are_kept_side_by_side(qtbot, viewer, dock):
    layer = add(viewer, small_tissue())
    dock.settings.n_domains.setValue(2)
    run_to_end(qtbot, dock)
    assert dock.results.run.isHidden()
    dock.settings.n_domains.setValue(5)
    dock.settings.run.setText("five")
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.controller.job is None, timeout=60_000)
    assert dock.results.run.currentText() == "five"
    assert len(np.unique(layer.face_color, axis=0)) == 5
    dock.results.run.setCurrentText("default")
    assert len(np.unique(layer.face_color, axis=0)) == 2


def test_cancel_changes_nothing(qtbot, viewer, dock, pipeline):
    pipeline.epochs, pipeline.seconds_per_epoch = 1000, 0.02
    tissue = small_tissue()
    layer = add(viewer, tissue)
    before = layer.face_color.copy()
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: "epoch" in dock.run_box.line.text(), timeout=60_000)
    assert dock.card.kind == "running"
    assert not dock.run_box.run_button.isEnabled()
    assert not dock.settings.isEnabled()
    dock.run_box.cancel_button.click()
    assert dock.card.title.text() == texts.CANCELLED
    assert dock.run_box.run_button.isEnabled()
    qtbot.waitUntil(lambda: pipeline.ended == 1, timeout=60_000)
    assert "semst_domain" not in tissue.obs
    assert np.array_equal(layer.face_color, before)


def test_stop_early_keeps_the_result(qtbot, viewer, dock, pipeline):
    pipeline.epochs, pipeline.seconds_per_epoch = 1000, 0.02
    tissue = small_tissue()
    add(viewer, tissue)
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: "epoch" in dock.run_box.line.text(), timeout=60_000)
    dock.run_box.stop_button.click()
    assert dock.card.text.text() == texts.STOPPING_HELP
    qtbot.waitUntil(lambda: dock.card.kind == "success", timeout=60_000)
    assert "semst_domain" in tissue.obs


def test_stop_early_is_for_training_only(qtbot, viewer, dock, pipeline):
    pipeline.assigning.set()
    add(viewer, small_tissue())
    dock.run_box.run_button.click()
    assert dock.run_box.stop_button.isEnabled()
    qtbot.waitUntil(
        lambda: dock.run_box.line.text().startswith("Assigning"), timeout=60_000
    )
    assert not dock.run_box.stop_button.isEnabled()
    assert dock.run_box.cancel_button.isEnabled()
    pipeline.assigning.clear()
    qtbot.waitUntil(lambda: dock.card.kind == "success", timeout=60_000)


@pytest.mark.parametrize("error", [SemanticsError("Expected a table."), KeyError("x")])
def test_errors_land_on_the_card(qtbot, viewer, dock, pipeline, error):
    pipeline.error = error
    add(viewer, small_tissue())
    run_to_end(qtbot, dock)
    assert dock.card.kind == "error"
    assert str(error) in dock.card.text.text()
    assert "Traceback" in dock.card.details.toPlainText()
    assert dock.run_box.run_button.isEnabled()


def test_section_closed_during_the_run(qtbot, viewer, dock, pipeline):
    pipeline.epochs, pipeline.seconds_per_epoch = 1000, 0.02
    tissue = small_tissue()
    layer = add(viewer, tissue)
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: "epoch" in dock.run_box.line.text(), timeout=60_000)
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: pipeline.ended == 1, timeout=60_000)
    assert dock.controller.job is None
    assert dock.card.text.text() == texts.LAYER_GONE_HELP
    assert "semst_domain" not in tissue.obs


@pytest.mark.own_window
def test_viewer_closed_during_the_run(qtbot, viewer, dock, pipeline):
    pipeline.epochs, pipeline.seconds_per_epoch = 1000, 0.02
    tissue = small_tissue()
    add(viewer, tissue)
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: bool(pipeline.requests), timeout=60_000)
    controller = dock.controller
    viewer.close()
    qtbot.waitUntil(lambda: pipeline.ended == 1, timeout=60_000)
    assert controller.job is None
    assert "semst_domain" not in tissue.obs


def test_dock_closed_during_the_run(qtbot, viewer, dock, pipeline):
    pipeline.epochs, pipeline.seconds_per_epoch = 1000, 0.02
    tissue = small_tissue()
    add(viewer, tissue)
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: bool(pipeline.requests), timeout=60_000)
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: pipeline.ended == 1, timeout=60_000)
    assert "semst_domain" not in tissue.obs
