"""Opening and saving from the dock, the dialogs answered by the tests."""

from __future__ import annotations

import threading

import anndata
import pandas as pd
import pytest
from qtpy.QtWidgets import QMessageBox

from napari_semst.widgets.shared import files as module
from napari_semst.widgets.shared.files import FileDialogs, file_stem
from tests.widgets.docks import add
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def finished(dock, qtbot):
    """The dock after a run."""
    add(dock._viewer, small_tissue(), "My slice: 1")
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "success", timeout=60_000)
    return dock


def answer(monkeypatch, path):
    """Let the save dialog answer with a path; return what it was asked."""
    asked = []

    def ask(parent, title, name, kind):
        asked.append(name)
        return str(path) if path else "", kind

    monkeypatch.setattr(module.QFileDialog, "getSaveFileName", ask)
    return asked


def saved(qtbot, dock):
    qtbot.waitUntil(lambda: dock.card.title.text() == "Saved", timeout=60_000)


def test_save_writes_the_section_with_its_domains(
    qtbot, finished, monkeypatch, tmp_path
):
    asked = answer(monkeypatch, tmp_path / "out.h5ad")
    assert finished.results.save_button.text() == "Save... *"
    finished.results.save_button.click()
    saved(qtbot, finished)
    assert asked == ["My_slice__1_semst.h5ad"]
    assert finished.results.save_button.text() == "Save..."
    back = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert back.obs["semst_domain"].nunique() == 7
    assert "spatial" in back.uns


def test_save_table(qtbot, finished, monkeypatch, tmp_path):
    answer(monkeypatch, tmp_path / "out.csv")
    finished.results.table_button.click()
    saved(qtbot, finished)
    table = pd.read_csv(tmp_path / "out.csv")
    assert len(table) == 120
    assert table["domain"].nunique() == 7
    # A table is not the whole section: its results are still unsaved.
    assert finished.results.save_button.text() == "Save... *"


def test_leaving_the_dialog_saves_nothing(finished, monkeypatch):
    answer(monkeypatch, None)
    finished.results.save_button.click()
    assert not finished.files._saving.busy


def test_a_missing_suffix_never_replaces_a_file_silently(
    qtbot, finished, monkeypatch, tmp_path
):
    there = tmp_path / "out.h5ad"
    there.write_bytes(b"precious")
    answer(monkeypatch, tmp_path / "out")
    replies = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *a: replies.pop(0))
    finished.results.save_button.click()
    assert there.read_bytes() == b"precious"
    finished.results.save_button.click()
    saved(qtbot, finished)
    assert there.read_bytes() != b"precious"


def test_what_cannot_be_written_is_said(qtbot, finished, monkeypatch, tmp_path):
    answer(monkeypatch, tmp_path / "no" / "such" / "folder" / "out.h5ad")
    finished.results.save_button.click()
    qtbot.waitUntil(lambda: finished.card.kind == "error", timeout=60_000)
    assert finished.card.title.text() == "Not saved"
    assert finished.results.save_button.text() == "Save... *"


def test_open_adds_the_section_and_chooses_it(qtbot, dock, tmp_path):
    path = tmp_path / "slice.h5ad"
    small_tissue().write_h5ad(path)
    add(dock._viewer, small_tissue(), "Before")
    dock.files.open(str(path))
    assert dock.card.title.text() == "Opening"
    qtbot.waitUntil(lambda: len(dock._viewer.layers) == 4, timeout=60_000)
    assert dock.section.layer.name == "slice"
    assert dock.card.kind == "ready"


def test_what_cannot_be_opened_is_said(qtbot, dock, tmp_path):
    path = tmp_path / "notes.h5ad"
    path.write_text("not a table")
    dock.files.open(str(path))
    qtbot.waitUntil(lambda: dock.card.kind == "error", timeout=60_000)
    assert "notes.h5ad" in dock.card.text.text()
    assert len(dock._viewer.layers) == 0


def open_file(qtbot, dock, tissue, path):
    tissue.write_h5ad(path)
    dock.files.open(str(path))
    qtbot.waitUntil(lambda: dock.card.title.text() != "Opening", timeout=60_000)


def test_a_section_without_coordinates_is_refused_on_the_card(qtbot, dock, tmp_path):
    tissue = small_tissue(image=False)
    del tissue.obsm["spatial"]
    open_file(qtbot, dock, tissue, tmp_path / "nowhere.h5ad")
    assert dock.card.kind == "error"
    assert dock.card.text.text().startswith("No coordinates")
    assert "Traceback" in dock.card.details.toPlainText()
    assert len(dock._viewer.layers) == 0


def test_a_section_with_other_coordinates_opens_at_them(qtbot, dock, tmp_path):
    tissue = small_tissue(image=False)
    tissue.obsm["aligned"] = tissue.obsm.pop("spatial")
    open_file(qtbot, dock, tissue, tmp_path / "aligned.h5ad")
    assert dock.section.coordinates_key == "aligned"
    request = dock.settings.request(dock.section.coordinates_key)
    assert request.overrides["prepare"]["coordinates"] == "aligned"


def test_an_image_without_a_scale_factor_is_left_out(qtbot, dock, tmp_path):
    tissue = small_tissue()
    del tissue.uns["spatial"]["one"]["scalefactors"]["tissue_hires_scalef"]
    open_file(qtbot, dock, tissue, tmp_path / "unscaled.h5ad")
    assert [layer.name for layer in dock._viewer.layers] == ["unscaled"]
    assert dock.card.kind == "warning"
    assert "tissue_hires_scalef" in dock.card.text.text()
    assert dock.section.facts.text().endswith("no image")


def test_a_section_without_a_main_table_opens(qtbot, dock, tmp_path):
    tissue = small_tissue()
    tissue.layers["counts"] = tissue.X
    tissue.X = None
    open_file(qtbot, dock, tissue, tmp_path / "layered.h5ad")
    assert dock.section.layer.name == "layered"
    assert dock.section.counts_layer == "counts"


@pytest.fixture
def slow(monkeypatch):
    """Hold what is being written until the event is set."""
    from napari_semst.io.export import h5ad

    write, go = h5ad.write, threading.Event()

    def held(*arguments, **named):
        go.wait(10)
        return write(*arguments, **named)

    monkeypatch.setattr(h5ad, "write", held)
    yield go
    go.set()


def test_results_of_a_run_that_ended_while_saving_are_still_unsaved(
    qtbot, finished, monkeypatch, tmp_path, slow
):
    answer(monkeypatch, tmp_path / "out.h5ad")
    finished.results.save_button.click()
    finished.run_box.run_button.click()
    qtbot.waitUntil(lambda: finished.controller.job is None, timeout=60_000)
    slow.set()
    saved(qtbot, finished)
    assert finished.results.save_button.text() == "Save... *"
    assert "semst_domain_run-2" not in anndata.read_h5ad(tmp_path / "out.h5ad").obs
    finished.results.save_button.click()
    qtbot.waitUntil(
        lambda: finished.results.save_button.text() == "Save...", timeout=60_000
    )


def test_two_saves_are_both_answered(qtbot, finished, monkeypatch, tmp_path, slow):
    told = []
    finished.files.saved.connect(told.append)
    first = finished.section.layer
    other = add(finished._viewer, small_tissue(), "Other")
    answer(monkeypatch, tmp_path / "first.h5ad")
    finished.files.ask_save(first)
    answer(monkeypatch, tmp_path / "other.h5ad")
    finished.files.ask_save(other)
    slow.set()
    qtbot.waitUntil(lambda: len(told) == 2, timeout=60_000)
    assert [one.path.name for one in told] == ["first.h5ad", "other.h5ad"]
    assert [one.tissue for one in told] == [
        first.metadata["adata"],
        other.metadata["adata"],
    ]
    assert finished.results.save_button.text() == "Save..."


def test_file_stems():
    assert file_stem("a/b: c") == "a_b__c"
    assert file_stem("...") == "section"


def test_dialogs_open_what_was_picked(qapp, monkeypatch):
    files, opened = FileDialogs(None), []
    monkeypatch.setattr(files, "open", opened.append)
    monkeypatch.setattr(
        module.QFileDialog, "getOpenFileNames", lambda *a: (["/a.h5ad"], "")
    )
    monkeypatch.setattr(module.QFileDialog, "getExistingDirectory", lambda *a: "/outs")
    files.ask_file()
    files.ask_folder()
    assert opened == ["/a.h5ad", "/outs"]
