"""Which dock ``napari FILE -w napari-semst`` opens: the one that fits."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from napari.layers import Layer
from qtpy.QtCore import QTimer

from napari_semst import write
from napari_semst.viewer import adapter
from napari_semst.widgets.find.widget import FindDomains
from napari_semst.widgets.open import dock_at_launch
from napari_semst.widgets.open.dock_at_launch import names_no_dock
from napari_semst.widgets.open.widget import OpenData
from tests.widgets.stand_in import small_tissue

BY_NAME_ALONE = ["slice.h5ad", "-w", "napari-semst"]


@pytest.mark.parametrize(
    ("arguments", "alone"),
    [
        (BY_NAME_ALONE, True),
        (["-w", "napari-semst"], True),
        (["--with", "napari-semst", "--reset"], True),
        (["--with=napari-semst", "slice.h5ad"], True),
        (["-w", "another-plugin", "-w", "napari-semst"], True),
        (["slice.h5ad", "-w", "napari-semst", "Open data"], False),
        (["-w", "napari-semst", "__all__"], False),
        (["-w", "another-plugin"], False),
        (["-w", "another-plugin", "napari-semst"], False),
        (["napari-semst"], False),
        (["--plugin", "napari-semst", "slice.h5ad"], False),
        (["-w"], False),
        ([], False),
    ],
)
def test_a_command_line_names_the_plugin_alone_or_a_dock(arguments, alone):
    assert names_no_dock(arguments) is alone


@pytest.fixture
def section(viewer):
    for data in adapter.layers_of(small_tissue(), name="Section"):
        viewer.add_layer(Layer.create(*data))


def command_line(monkeypatch, *arguments):
    monkeypatch.setattr(dock_at_launch.sys, "argv", ["napari", *arguments])


def docks(viewer):
    """Return the kinds of docks in the window, those on show."""
    window = viewer.window._qt_window
    kinds = (OpenData, FindDomains)
    return [kind.__name__ for kind in kinds if window.findChildren(kind)]


def opened(qtbot, viewer, widget=None):
    """Open a dock as napari does for its command line, and let the window begin."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-semst", widget, tabify=True)
    qtbot.wait(50)
    return dock


def test_with_a_section_domains_are_found(qtbot, viewer, section, monkeypatch):
    command_line(monkeypatch, *BY_NAME_ALONE)
    first = opened(qtbot, viewer)
    assert docks(viewer) == ["FindDomains"]
    # The first one is as one that the user closed.
    assert first.parent() is None


def test_without_one_data_are_opened(qtbot, viewer, monkeypatch):
    command_line(monkeypatch, "-w", "napari-semst")
    opened(qtbot, viewer)
    assert docks(viewer) == ["OpenData"]


def test_an_image_alone_is_no_section(qtbot, viewer, monkeypatch):
    command_line(monkeypatch, "image.tif", "-w", "napari-semst")
    viewer.add_image(small_tissue().uns["spatial"]["one"]["images"]["hires"])
    opened(qtbot, viewer)
    assert docks(viewer) == ["OpenData"]


def test_a_dock_that_was_named_stays(qtbot, viewer, section, monkeypatch):
    command_line(monkeypatch, *BY_NAME_ALONE, "Open data")
    opened(qtbot, viewer, "Open data")
    assert docks(viewer) == ["OpenData"]


def test_a_dock_of_the_menu_stays(qtbot, viewer, section, monkeypatch):
    """Whoever opens it in a window that is there wants it."""
    command_line(monkeypatch, *BY_NAME_ALONE)
    QTimer.singleShot(
        0, lambda: viewer.window.add_plugin_dock_widget("napari-semst", "Open data")
    )
    qtbot.wait(50)
    assert docks(viewer) == ["OpenData"]


# napari itself, but for what it does when everything is there: it would wait for users.
# How long that takes is the machine's; what is there then stays for half a second more.
_NAPARI = """
import json
import os
import time
import napari
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDockWidget
from napari.__main__ import main

run, at_end, timer = napari.run, [], QTimer()
wanted = [[os.environ["WANTED_DOCK"], True]]

def docks():
    window = napari.current_viewer().window._qt_window
    found = [(x.windowTitle(), x.isVisible()) for x in window.findChildren(QDockWidget)]
    return [[x.split(" (")[0], seen] for x, seen in found if "(napari-semst)" in x]

def end():
    at_end.extend(docks())
    napari.current_viewer().close()
    QApplication.quit()

def look():
    if docks() == wanted or time.monotonic() > over:
        timer.stop()
        QTimer.singleShot(500, end)

def run_for_a_moment(**given):
    global over
    over = time.monotonic() + 60
    timer.timeout.connect(look)
    timer.start(50)
    run(**given)

napari.run = run_for_a_moment
try:
    main()
finally:
    print(json.dumps(at_end))
"""


@pytest.mark.parametrize(
    ("names", "shown"),
    [((), "Find domains"), (("Explore domains",), "Explore domains")],
)
def test_the_command_line_of_napari(qapp, tmp_path, names, shown):
    section = write(small_tissue(), tmp_path / "slice.h5ad")
    given = [str(section), "-w", "napari-semst", *names]
    ran = subprocess.run(
        [sys.executable, "-c", _NAPARI, *given],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        # Settings and recent files are not the user's.
        env={
            **os.environ,
            "NAPARI_CONFIG": "",
            "XDG_CONFIG_HOME": str(tmp_path),
            "WANTED_DOCK": shown,
        },
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == [[shown, True]]
