"""Opening and saving from the dock, the dialogs answered by the tests."""

from __future__ import annotations

import anndata
import pandas as pd
import pytest
from qtpy.QtWidgets import QMessageBox

from napari_semst.widgets.find import files as module
from napari_semst.widgets.find.files import Files, file_stem
from napari_semst.widgets.find.widget import FindDomains
from tests.widgets.stand_in import small_tissue
from tests.widgets.test_widget import add


@pytest.fixture
def dock(make_napari_viewer, pipeline, qtbot):
    viewer = make_napari_viewer()
    dock = FindDomains(viewer)
    viewer.window.add_dock_widget(dock, name="Find domains")
    return dock


@pytest.fixture
def finished(dock, qtbot):
    """The dock after a run."""
    add(dock._viewer, small_tissue(), "My slice: 1")
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "success", timeout=15_000)
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
    qtbot.waitUntil(lambda: dock.card.title.text() == "Saved", timeout=15_000)


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
    monkeypatch.setattr(module.QMessageBox, "question", lambda *a: replies.pop(0))
    finished.results.save_button.click()
    assert there.read_bytes() == b"precious"
    finished.results.save_button.click()
    saved(qtbot, finished)
    assert there.read_bytes() != b"precious"


def test_what_cannot_be_written_is_said(qtbot, finished, monkeypatch, tmp_path):
    answer(monkeypatch, tmp_path / "no" / "such" / "folder" / "out.h5ad")
    finished.results.save_button.click()
    qtbot.waitUntil(lambda: finished.card.kind == "error", timeout=15_000)
    assert finished.card.title.text() == "Not saved"
    assert finished.results.save_button.text() == "Save... *"


def test_open_adds_the_section_and_chooses_it(qtbot, dock, tmp_path):
    path = tmp_path / "slice.h5ad"
    small_tissue().write_h5ad(path)
    add(dock._viewer, small_tissue(), "Before")
    dock.files.open(str(path))
    assert dock.card.title.text() == "Opening"
    qtbot.waitUntil(lambda: len(dock._viewer.layers) == 4, timeout=15_000)
    assert dock.section.layer.name == "slice"
    assert dock.card.kind == "ready"


def test_what_cannot_be_opened_is_said(qtbot, dock, tmp_path):
    path = tmp_path / "notes.h5ad"
    path.write_text("not a table")
    dock.files.open(str(path))
    qtbot.waitUntil(lambda: dock.card.kind == "error", timeout=15_000)
    assert "notes.h5ad" in dock.card.text.text()
    assert len(dock._viewer.layers) == 0


def test_file_stems():
    assert file_stem("a/b: c") == "a_b__c"
    assert file_stem("...") == "section"


def test_dialogs_open_what_was_picked(qapp, monkeypatch):
    files, opened = Files(None), []
    monkeypatch.setattr(files, "open", opened.append)
    monkeypatch.setattr(
        module.QFileDialog, "getOpenFileName", lambda *a: ("/a.h5ad", "")
    )
    monkeypatch.setattr(module.QFileDialog, "getExistingDirectory", lambda *a: "/outs")
    files.ask_file()
    files.ask_folder()
    assert opened == ["/a.h5ad", "/outs"]
