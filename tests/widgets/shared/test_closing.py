"""Closing the window over results that are in no file."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_semst.viewer import adapter
from napari_semst.widgets.find.widget import FindDomains
from napari_semst.widgets.shared import closing
from napari_semst.widgets.shared import files as module
from napari_semst.widgets.shared.closing import CloseGuard, guard_closing
from tests.widgets.docks import add, docked
from tests.widgets.stand_in import small_tissue

pytestmark = pytest.mark.own_window


@pytest.fixture
def dock(viewer, pipeline):
    dock = docked(FindDomains, viewer)
    add(viewer, small_tissue(), "Slice")
    return dock


@pytest.fixture
def closed(dock, qtbot):
    """How often the window closed, after a run that nobody saved."""
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.card.kind == "success", timeout=60_000)
    times = []

    def close(self, event):
        # It is closed for good by the viewer's own fixture.
        times.append(1)
        event.ignore()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(dock._viewer.window._qt_window), "closeEvent", close)
        yield times


def answering(monkeypatch, answer):
    asked = []
    monkeypatch.setattr(CloseGuard, "ask", lambda self: asked.append(1) or answer)
    return asked


def close(dock):
    """Close the window as its cross does."""
    dock._viewer.window._qt_window.close()


def guard_of(dock):
    return guard_closing(dock, dock._viewer)


def test_without_results_nobody_asks(dock, monkeypatch):
    asked = answering(monkeypatch, "")
    guard = guard_closing(dock, dock._viewer)
    assert guard is not None
    # One for the window, whoever asks for it.
    assert guard_closing(dock.section, dock._viewer) is guard
    assert guard.unsaved == []
    dock._viewer.close()
    assert asked == []


def test_staying_keeps_the_window(dock, closed, monkeypatch):
    asked = answering(monkeypatch, "")
    close(dock)
    assert asked == [1]
    assert closed == []


def test_discarding_closes_and_a_closing_held_back_asks_again(
    qtbot, dock, closed, monkeypatch
):
    asked = answering(monkeypatch, closing.DISCARD_BUTTON)
    close(dock)
    assert len(closed) == 1
    qtbot.wait(10)
    close(dock)
    assert asked == [1, 1]


def test_saving_writes_and_then_closes(qtbot, dock, closed, monkeypatch, tmp_path):
    answering(monkeypatch, closing.SAVE_BUTTON)
    path = tmp_path / "kept.h5ad"
    monkeypatch.setattr(
        module.QFileDialog, "getSaveFileName", lambda *_: (str(path), "")
    )
    close(dock)
    assert closed == []
    qtbot.waitUntil(lambda: len(closed) == 1, timeout=60_000)
    assert path.exists()
    assert adapter.UNSAVED not in dock.section.layer.metadata
    assert dock.results.save_button.text() == "Save..."


def test_saving_without_a_name_keeps_the_window(qtbot, dock, closed, monkeypatch):
    answering(monkeypatch, closing.SAVE_BUTTON)
    monkeypatch.setattr(module.QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    close(dock)
    guard = guard_of(dock)
    qtbot.waitUntil(lambda: not guard._closing.isActive(), timeout=5000)
    assert closed == []
    assert [layer.name for layer in guard.unsaved] == ["Slice"]


@pytest.mark.parametrize(
    "press", [closing.SAVE_BUTTON, closing.DISCARD_BUTTON, "Cancel"]
)
def test_the_question_has_three_answers(dock, closed, press):
    told = []

    def click():
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        told.append(box.text())
        names = {b.text().replace("&", ""): b for b in box.buttons()}
        names[press].click()

    QTimer.singleShot(0, click)
    answer = guard_of(dock).ask()
    assert answer == ("" if press == "Cancel" else press)
    assert "Slice" in told[0]


def test_a_viewer_closed_by_a_script_asks_nobody(dock, closed, monkeypatch):
    asked = answering(monkeypatch, "")
    dock._viewer.layers.clear()
    close(dock)
    assert asked == []
