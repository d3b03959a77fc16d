"""Settings in files and between sessions, forecast, and what is asked before a run."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_semst.config import Request
from napari_semst.widgets.find import configuration, texts
from napari_semst.widgets.find.configuration import recall_request, remembered_file
from napari_semst.widgets.find.forecast import forecast_run
from napari_semst.widgets.shared.downloads import DownloadQuestion
from napari_semst.widgets.shared.resources import count_stored_values, describe_device
from tests.widgets.docks import add, run_to_end
from tests.widgets.stand_in import small_tissue

FULL = """
preset = "dlpfc"

[domains]
n_domains = 120

[prepare]
counts_layer = "counts"
n_top_genes = 500

[semantics]
source = "prompts"
model = "owner/model"
pooling = "genes"
template = "tissue"
tissue = "cortex"
n_genes = 12
ranking = "specificity"
revision = "abc"
control = "random"

[training]
seed = 3
epochs = 40
ensemble = 2
device = "cuda:3"
"""


def choose(combo, value):
    combo.setCurrentIndex(combo.findData(value))


def test_a_configuration_comes_back_as_it_was(dock, tmp_path):
    tissue = small_tissue()
    tissue.layers["counts"] = tissue.X.copy()
    add(dock._viewer, tissue)
    file = tmp_path / "all.toml"
    file.write_text(FULL, encoding="utf-8")
    dock.configuration.load(str(file))
    assert dock.card.title.text() == texts.LOADED
    assert dock.section.counts_layer == "counts"
    assert dock.settings.n_domains.value() == 120
    assert dock.settings.control_note.text()
    # What has no field is named and goes with the run.
    assert dock.settings.extra.settings == {"prepare": {"n_top_genes": 500}}
    assert "prepare.n_top_genes = 500" in dock.settings.extra.banner.text()
    asked = dock.running.request()
    assert asked.preset == "dlpfc"
    wanted = {k: dict(v) for k, v in Request.from_toml(FULL).overrides.items()}
    wanted["prepare"]["coordinates"] = "spatial"
    assert asked.overrides == wanted
    dock.settings.extra.forget_button.click()
    assert "n_top_genes" not in dock.running.request().overrides["prepare"]


def test_save_writes_what_the_command_line_reads(dock, monkeypatch, tmp_path):
    path = tmp_path / "mine"
    monkeypatch.setattr(
        configuration.QFileDialog, "getSaveFileName", lambda *_: (str(path), "")
    )
    dock.settings.n_domains.setValue(9)
    dock.settings.configuration.save_button.click()
    written = Request.from_file(tmp_path / "mine.toml")
    assert written == dock.running.request()
    assert written.overrides["domains"]["n_domains"] == 9
    # It was not asked about under that name.
    dock.settings.configuration.save_button.click()
    assert dock.card.kind == "error"


@pytest.mark.parametrize(
    "text", ["preset = 'none such'", "[training]\nspeed = 3", "[domains", "k = 3"]
)
def test_a_file_that_is_none_changes_nothing(dock, tmp_path, text):
    before = dock.running.request()
    file = tmp_path / "bad.toml"
    file.write_text(text, encoding="utf-8")
    dock.configuration.load(str(file))
    assert dock.card.kind == "error"
    assert dock.running.request() == before


def test_settings_are_remembered_between_sessions(qtbot, dock, form):
    tissue = small_tissue()
    tissue.obsm["aligned"] = tissue.obsm["spatial"] + 1
    add(dock._viewer, tissue)
    dock.section.coordinates.setCurrentText("aligned")
    dock.settings.n_domains.setValue(4)
    dock.settings.seed.setValue(11)
    choose(dock.settings.control, "random")
    run_to_end(qtbot, dock)
    recall_request(form.show_request)
    assert form.n_domains.value() == 4
    assert form.seed.value() == 11
    # A run is never spoilt by what was chosen last week.
    assert form.control.control == "none"
    assert form.extra.settings == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"preset": "x", "overrides": {}}'])
def test_broken_memory_is_left_alone(form, text):
    place = remembered_file()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    assert recall_request(form.show_request) == {}
    assert form.n_domains.value() == 7


SHOWN = {
    "builtin": {"n_genes", "ranking"},
    "none": set(),
    "precomputed": set(),
    "table": {"n_genes", "ranking"},
    "server": {"n_genes", "ranking"},
    "prompts": {"n_genes", "ranking", "pooling", "template", "revision"},
    "genes": {"n_genes", "ranking", "pooling", "gene_text", "revision"},
}


@pytest.mark.parametrize("source", SHOWN)
def test_only_what_a_source_uses_is_shown(form, source):
    choose(form.semantics, source)
    names = texts.READING_LABELS
    shown = {n for n in names if not getattr(form.reading, n).isHidden()}
    assert shown == SHOWN[source]


def test_more_fields_come_with_what_needs_them(form):
    choose(form.semantics, "server")
    choose(form.meaning.server.per, "gene")
    assert not form.reading.gene_text.isHidden()
    choose(form.semantics, "prompts")
    choose(form.reading.template, "tissue")
    assert not form.reading.tissue.isHidden()
    form.reading.tissue.setText(" cortex ")
    form.reading.n_genes.setValue(20)
    asked = form.request("spatial").overrides["semantics"]
    assert asked["template"] == "tissue"
    assert asked["tissue"] == "cortex"
    # The recipe may have another number: what is chosen here is asked for.
    assert asked["n_genes"] == 20
    assert "pooling" not in asked
    choose(form.recipe, "quick")
    assert form.reading.isHidden()


def test_the_forecast_follows_section_and_settings(qtbot, dock):
    add(dock._viewer, small_tissue())
    line = dock.run_box.needs
    qtbot.waitUntil(lambda: "GiB" in line.text(), timeout=30_000)
    assert not line.isHidden()
    assert dock.run_box.warning.isHidden()
    assert "core" in dock.settings.device_note.text()
    choose(dock.settings.semantics, "precomputed")
    # Nothing is forecast of half a choice.
    qtbot.waitUntil(lambda: line.isHidden(), timeout=60_000)


def test_too_little_memory_is_told_before(monkeypatch):
    monkeypatch.setattr("napari_semst.pipeline.forecast.free_memory", lambda: 1e6)
    monkeypatch.setattr("napari_semst.pipeline.forecast.held_memory", lambda: 0.0)
    request = Request().with_settings("domains", n_domains=3)
    told = forecast_run(small_tissue(), request)
    assert told.warning.startswith("May not fit in memory")
    assert "Reading" not in told.needs


def test_the_time_of_reading_is_forecast():
    request = Request().with_settings("semantics", source="genes", model="owner/none")
    told = forecast_run(small_tissue(), request)
    assert "at most 30 texts are read" in told.needs


def test_devices_in_words(monkeypatch):
    monkeypatch.setattr("napari_semst.widgets.shared.resources.usable_cores", lambda: 1)
    name, line = describe_device("cpu")
    assert (name, line) == ("cpu", "Computing on the CPU, as chosen, 1 core.")
    name, line = describe_device("cuda:99")
    assert name == "cpu"
    assert line.startswith("Expected CUDA device")


def test_counts_are_counted_where_they_are():
    tissue = small_tissue()
    stored = tissue.X.nnz
    tissue.layers["dense"] = tissue.X.toarray()
    assert count_stored_values(tissue) == stored
    assert count_stored_values(tissue, "dense") == stored
    tissue.X = None
    assert count_stored_values(tissue) == 0


def test_a_large_download_is_asked_about(qtbot, dock, pipeline, monkeypatch):
    add(dock._viewer, small_tissue())
    choose(dock.settings.semantics, "genes")
    dock.settings.meaning.model.combo.setEditText("owner/not-here")
    asked = []
    answers = iter([False, True])
    monkeypatch.setattr(
        DownloadQuestion,
        "_ask",
        lambda self, *found: asked.append(found) or next(answers),
    )
    dock.run_box.run_button.click()
    assert not dock.run_box.run_button.isEnabled()
    qtbot.waitUntil(
        lambda: dock.card.title.text() == texts.NOT_DOWNLOADED, timeout=60_000
    )
    need, folder = asked[0]
    assert need.name == "owner/not-here"
    assert folder
    assert pipeline.requests == []
    assert dock.run_box.run_button.isEnabled()
    run_to_end(qtbot, dock)
    assert len(pipeline.requests) == 1


def test_cancel_takes_back_the_question(qtbot, dock, pipeline, monkeypatch):
    add(dock._viewer, small_tissue())
    choose(dock.settings.semantics, "prompts")
    monkeypatch.setattr(DownloadQuestion, "_ask", lambda self, *found: True)
    dock.run_box.run_button.click()
    dock.run_box.cancel_button.click()
    assert dock.card.title.text() == texts.CANCELLED
    qtbot.waitUntil(lambda: not dock.running.downloads.task.busy, timeout=60_000)
    assert dock.controller.job is None
    assert pipeline.requests == []


@pytest.mark.parametrize(("press", "answer"), [("Download", True), ("Cancel", False)])
def test_the_question_names_model_size_and_folder(dock, press, answer):
    from napari_semst.models.hub import DownloadNeed

    told = []

    def click():
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        told.append(f"{box.text()} {box.informativeText()}")
        names = {b.text().replace("&", ""): b for b in box.buttons()}
        names[press].click()

    QTimer.singleShot(0, click)
    need = DownloadNeed("owner/large", 8.1e9)
    assert dock.running.downloads._ask(need, "/where/it/goes") is answer
    assert "owner/large (about 8.1 GB)" in told[0]
    assert "/where/it/goes" in told[0]


def test_a_section_without_counts_says_so_at_once(dock):
    tissue = small_tissue()
    tissue.layers["counts"] = tissue.X.copy()
    tissue.X = tissue.X.log1p()
    add(dock._viewer, tissue)
    assert dock.card.kind == "warning"
    assert dock.card.title.text() == texts.NO_COUNTS
    assert "choose layers['counts'] under Counts" in dock.card.text.text()
    choose(dock.section.counts, "counts")
    assert dock.card.title.text() == texts.READY


@pytest.mark.parametrize("value", [0.5, -1.0, np.nan])
def test_a_quick_check_finds_what_is_no_count(value):
    from napari_semst.io.counts import quick_check

    tissue = small_tissue()
    assert quick_check(tissue) == ("", [])
    tissue.X.data[3] = value
    found, elsewhere = quick_check(tissue)
    assert found
    assert elsewhere == []
    tissue.X = tissue.X.toarray()
    assert quick_check(tissue)[0]
