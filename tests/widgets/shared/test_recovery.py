"""Unsaved work of docks that comes back after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_semst.explore import recovery
from napari_semst.explore.labels import read_labels
from napari_semst.io.manual_alignment import Adjustment, adjust, adjustment_of
from napari_semst.viewer import adapter
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.explore.widget import ExploreDomains
from napari_semst.widgets.find.widget import FindDomains
from napari_semst.widgets.open.widget import OpenData
from napari_semst.widgets.shared import recovery_offer, unsaved
from napari_semst.widgets.shared.unsaved import keeper_of, mark_unsaved
from tests.conftest import banded_tissue
from tests.widgets.docks import add, docked
from tests.widgets.stand_in import small_tissue


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(unsaved, "_SOON", 1)
    monkeypatch.setattr(unsaved, "_SHARE", 1000.0)


@pytest.fixture
def crashed(monkeypatch):
    """Call it, and what was kept until then is of a program that ended."""
    own = recovery.process_runs
    gone: set[str] = set()

    def crash():
        gone.add(recovery.process_mark())
        monkeypatch.setattr(recovery, "process_mark", lambda: "another")
        monkeypatch.setattr(
            recovery,
            "process_runs",
            lambda mark: mark not in gone and (mark == "another" or own(mark)),
        )

    return crash


def files():
    return sorted(recovery.recovery_folder().glob("*"))


def written(qtbot, viewer):
    keeper = keeper_of(viewer)
    qtbot.waitUntil(lambda: not keeper.busy, timeout=60_000)


def name_some(dock, name="tumour", count=30):
    """Give spots a name as people do: select, type, press."""
    spots = np.zeros(dock.tissue.n_obs, bool)
    spots[:count] = True
    dock.state.select(dock.tissue, spots)
    dock.select.assign.column.setEditText("by_hand")
    dock.select.assign.name.setEditText(name)
    dock.select.assign.assign_button.click()


def leave(viewer):
    """Close the sections without a word, as a crash does."""
    viewer.layers.clear()


def kept_of(path, qtbot, viewer, crashed):
    """Open a file, edit it, and let the program crash."""
    dock = docked(ExploreDomains, viewer)
    viewer.open(str(path), plugin="napari-semst")
    name_some(dock)
    dock.legend.recoloured.emit("tumour", "#112233")
    written(qtbot, viewer)
    labels = read_labels(dock.tissue, "by_hand")
    leave(viewer)
    crashed()
    return labels


@pytest.fixture
def section(tmp_path):
    path = tmp_path / "slice.h5ad"
    banded_tissue().write_h5ad(path)
    return path


def new_dock(kind, viewer, qtbot):
    """Return a dock as the next start of the program has it."""
    unsaved._KEEPERS.clear()
    dock = docked(kind, viewer)
    qtbot.waitUntil(lambda: bool(dock.recovery.rows), timeout=60_000)
    return dock


@pytest.mark.parametrize("kind", [ExploreDomains, FindDomains, OpenData])
def test_edits_of_a_crash_are_offered_and_the_file_opens_with_them(
    viewer, qtbot, crashed, section, kind
):
    labels = kept_of(section, qtbot, viewer, crashed)
    before = section.read_bytes()
    dock = new_dock(kind, viewer, qtbot)
    (row,) = dock.recovery.rows
    assert "Unsaved work of slice" in row.text.text()
    assert "by_hand" in row.text.text()
    with qtbot.waitSignal(dock.recovery.keeper.restored, timeout=60_000) as restored:
        row.restore_button.click()
    tissue = restored.args[0]
    layer = next(x for x in viewer.layers if tissue_of(x) is tissue)
    again = read_labels(tissue, "by_hand")
    np.testing.assert_array_equal(again.codes, labels.codes)
    assert (again.names, again.colors) == (labels.names, labels.colors)
    assert layer.metadata[adapter.COLOUR_BY] == "by_hand"
    assert adapter.UNSAVED in layer.metadata
    assert dock.recovery.rows == []
    assert dock.card.title.text() == unsaved.RESTORED
    # Its file is this program's now, and there is no second one.
    written(qtbot, viewer)
    assert len(files()) == 1
    assert recovery.find_unsaved_work() == []
    assert section.read_bytes() == before


def test_a_section_that_is_open_gets_its_work_back(viewer, qtbot, crashed):
    dock = docked(ExploreDomains, viewer)
    add(viewer, small_tissue(), "Slice")
    name_some(dock)
    turned = Adjustment(flip_x=True, shift_x=30.0)
    adjust(dock.tissue, "one", turned)
    mark_unsaved(viewer, dock.tissue)
    written(qtbot, viewer)
    leave(viewer)
    crashed()
    dock = new_dock(ExploreDomains, viewer, qtbot)
    row = dock.recovery.rows[0]
    row.restore_button.click()
    assert "Open the section" in dock.card.text.text()
    tissue = small_tissue()
    tissue.uns["spatial"]["one"]["images"]["hires"][:, :60] = 0
    add(viewer, tissue, "Slice")
    image = next(x for x in viewer.layers if adapter.PLACEMENT in x.metadata)
    assert image.data[0, 0].sum() == 0
    row.restore_button.click()
    assert list(read_labels(tissue, "by_hand").names) == ["tumour"]
    assert adjustment_of(tissue, "one") == turned
    assert image.data[0, 0].sum() > 0
    written(qtbot, viewer)


def test_discarding_asks_and_removes(viewer, qtbot, crashed, section, monkeypatch):
    kept_of(section, qtbot, viewer, crashed)
    dock = new_dock(ExploreDomains, viewer, qtbot)
    answers = iter([False, True])
    monkeypatch.setattr(recovery_offer, "agrees", lambda *_: next(answers))
    dock.recovery.rows[0].discard_button.click()
    assert len(dock.recovery.rows) == len(files()) == 1
    dock.recovery.rows[0].discard_button.click()
    assert dock.recovery.rows == files() == []
    assert not dock.recovery.isVisibleTo(dock)


def test_what_was_saved_is_not_kept_and_later_edits_are(
    viewer, qtbot, section, monkeypatch, tmp_path
):
    dock = docked(ExploreDomains, viewer)
    viewer.open(str(section), plugin="napari-semst")
    name_some(dock)
    written(qtbot, viewer)
    assert len(files()) == 1
    target = tmp_path / "saved.h5ad"
    module = "napari_semst.widgets.shared.files.QFileDialog.getSaveFileName"
    monkeypatch.setattr(module, lambda *_: (str(target), ""))
    with qtbot.waitSignal(dock.sharing.saved, timeout=60_000):
        dock.share.buttons["save"].click()
    assert files() == []
    name_some(dock, "stroma", 10)
    written(qtbot, viewer)
    assert len(files()) == 1
    # Saved while an edit waits to be kept, and while it is being kept.
    name_some(dock, "wall", 5)
    keeper_of(viewer)._write_next()
    keeper_of(viewer).forget(dock.tissue)
    written(qtbot, viewer)
    assert files() == []


@pytest.mark.own_window
def test_discarding_at_closing_removes_what_is_kept(viewer, qtbot, section):
    from napari_semst.widgets.shared import closing

    dock = docked(ExploreDomains, viewer)
    viewer.open(str(section), plugin="napari-semst")
    name_some(dock)
    written(qtbot, viewer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing.CloseGuard, "ask", lambda self: closing.DISCARD_BUTTON)
        window = viewer.window._qt_window
        # It is closed for good by the viewer's own fixture.
        patch.setattr(type(window), "closeEvent", lambda self, event: event.ignore())
        window.close()
        del window
    assert files() == []


def test_a_folder_that_cannot_be_written_is_told_once(
    viewer, qtbot, section, monkeypatch
):
    dock = docked(ExploreDomains, viewer)
    viewer.open(str(section), plugin="napari-semst")
    recovery.recovery_folder().parent.mkdir(parents=True)
    recovery.recovery_folder().write_text("a file")
    said = []
    dock.recovery.keeper.status_changed.connect(lambda *text: said.append(text))
    name_some(dock)
    written(qtbot, viewer)
    name_some(dock, "stroma", 10)
    written(qtbot, viewer)
    assert [kind for kind, title, _ in said if title == unsaved.NOT_KEPT] == ["warning"]


CRASH = """
import os, signal, sys
import napari, numpy as np
from qtpy.QtCore import QTimer
from napari_semst.widgets.explore.widget import ExploreDomains
from napari_semst.widgets.shared.unsaved import keeper_of

viewer = napari.Viewer(show=False)
dock = ExploreDomains(viewer)
viewer.window.add_dock_widget(dock)
viewer.open(sys.argv[1], plugin="napari-semst")
spots = np.zeros(dock.tissue.n_obs, bool)
spots[:30] = True
dock.state.select(dock.tissue, spots)
dock.select.assign.column.setEditText("by_hand")
dock.select.assign.name.setEditText("tumour")
dock.select.assign.assign_button.click()
def end():
    if not keeper_of(viewer).busy:
        os.kill(os.getpid(), signal.SIGKILL)
timer = QTimer(); timer.timeout.connect(end); timer.start(10)
napari.run(force=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_work_of_a_program_that_was_killed_is_offered(viewer, qtbot, section):
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(section)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    dock = new_dock(ExploreDomains, viewer, qtbot)
    with qtbot.waitSignal(dock.recovery.keeper.restored, timeout=60_000) as restored:
        dock.recovery.rows[0].restore_button.click()
    labels = read_labels(restored.args[0], "by_hand")
    assert list(np.flatnonzero(labels.spots_of(["tumour"]))) == list(range(30))
    written(qtbot, viewer)
