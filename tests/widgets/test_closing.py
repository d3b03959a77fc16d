"""Closing the window over results that are in no file."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_semst.viewer import adapter
from napari_semst.widgets.find import files as module
from napari_semst.widgets.find.widget import FindDomains
from napari_semst.widgets.shared import closing
from napari_semst.widgets.shared.closing import CloseGuard, guard_closing
from tests.widgets.stand_in import small_tissue
from tests.widgets.test_widget import add


@pytest.fixture
def dock(make_napari_viewer, pipeline, qtbot):
    viewer = make_napari_viewer()
    dock = FindDomains(viewer)
    viewer.window.add_dock_widget(dock, name="Find domains")
    add(viewer, small_tissue(), "Slice")
    return dock


@pytest.fixture
def window(dock, qtbot):
    """The window after a run that nobody saved."""
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "success", timeout=60_000)
    window = dock._viewer.window._qt_window
    window.closed = []

    def closed(self, event):
        # It is closed for good by the viewer's own fixture.
        self.closed.append(1)
        event.ignore()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(window), "closeEvent", closed)
        yield window


def answering(monkeypatch, answer):
    asked = []
    monkeypatch.setattr(CloseGuard, "ask", lambda self: asked.append(1) or answer)
    return asked


def guard_of(window):
    return window.findChild(CloseGuard)


def test_without_results_nobody_asks(dock, monkeypatch):
    asked = answering(monkeypatch, "")
    guard = guard_closing(dock, dock._viewer)
    assert guard is not None
    # One for the window, whoever asks for it.
    assert guard_closing(dock.section, dock._viewer) is guard
    assert guard.unsaved == []
    dock._viewer.close()
    assert asked == []


def test_staying_keeps_the_window(window, monkeypatch):
    asked = answering(monkeypatch, "")
    window.close()
    assert asked == [1]
    assert window.closed == []


def test_discarding_closes_and_a_closing_held_back_asks_again(
    qtbot, window, monkeypatch
):
    asked = answering(monkeypatch, closing.DISCARD)
    window.close()
    assert len(window.closed) == 1
    qtbot.wait(10)
    window.close()
    assert asked == [1, 1]


def test_saving_writes_and_then_closes(qtbot, window, dock, monkeypatch, tmp_path):
    answering(monkeypatch, closing.SAVE)
    path = tmp_path / "kept.h5ad"
    monkeypatch.setattr(
        module.QFileDialog, "getSaveFileName", lambda *_: (str(path), "")
    )
    window.close()
    assert window.closed == []
    qtbot.waitUntil(lambda: len(window.closed) == 1, timeout=60_000)
    assert path.exists()
    assert adapter.UNSAVED not in dock.section.layer.metadata
    assert dock.results.save_button.text() == "Save..."


def test_saving_without_a_name_keeps_the_window(qtbot, window, monkeypatch):
    answering(monkeypatch, closing.SAVE)
    monkeypatch.setattr(module.QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    window.close()
    guard = guard_of(window)
    qtbot.waitUntil(lambda: not guard._closing.isActive(), timeout=5000)
    assert window.closed == []
    assert [layer.name for layer in guard.unsaved] == ["Slice"]


@pytest.mark.parametrize("press", [closing.SAVE, closing.DISCARD, "Cancel"])
def test_the_question_has_three_answers(window, press):
    told = []

    def click():
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        told.append(box.text())
        names = {b.text().replace("&", ""): b for b in box.buttons()}
        names[press].click()

    QTimer.singleShot(0, click)
    answer = guard_of(window).ask()
    assert answer == ("" if press == "Cancel" else press)
    assert "Slice" in told[0]


def test_a_viewer_closed_by_a_script_asks_nobody(window, dock, monkeypatch):
    asked = answering(monkeypatch, "")
    dock._viewer.layers.clear()
    window.close()
    assert asked == []
