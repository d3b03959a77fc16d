"""Walk through an installed napari-semst as a new user would, and say what works.

    ENVIRONMENT/bin/python .ci/journey.py [FOLDER]

Every step is a command of the shell or a real window; its output is shown where it
fails. The last lines are a row of a table, and the exit status is 1 if a step failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

SHOWN = ("anndata", "pandas", "numpy", "torch", "transformers", "napari", "zarr")
SHELL = {
    "sample": ("sample", "cortex", "-o", "c.h5ad", "--spots", "600", "--genes", "400"),
    "inspect": ("inspect", "c.h5ad"),
    "run": ("run", "c.h5ad", "-k", "5", "-o", "r.h5ad", "--figure", "r.png"),
    "explain": ("explain", "r.h5ad"),
    "report": ("report", "r.h5ad", "-o", "r.html"),
    "export": ("export", "r.h5ad", "-o", "r.geojson"),
}
WINDOWS = ("view", "napari sample", "dock run, saved")


def main(folder: Path) -> int:
    """Take every step in a folder; return how many failed."""
    outcomes = {
        name: _outcome([_semst(), *words], folder) for name, words in SHELL.items()
    }
    for name in WINDOWS:
        words = [sys.executable, str(Path(__file__).resolve()), "--window", name]
        outcomes[name] = _outcome([*_screen(), *words], folder)
    python = ".".join(map(str, sys.version_info[:2]))
    packages = ", ".join(f"{name} {version(name)}" for name in SHOWN)
    print(f"Python {python}: {packages}")
    print("| Python | " + " | ".join(outcomes) + " |")
    print(f"| {python} | " + " | ".join(outcomes.values()) + " |")
    return sum(outcome != "works" for outcome in outcomes.values())


def _semst() -> str:
    """Return the command that this Python's environment holds."""
    return str(Path(sys.executable).with_name("semst"))


def _screen() -> list[str]:
    """Return what gives a window a screen where there is none."""
    if os.environ.get("DISPLAY") or sys.platform != "linux":
        return []
    if shutil.which("xvfb-run") is None:
        sys.exit("Expected a screen, or xvfb-run; found neither.")
    return ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]


def _outcome(words: list[str], folder: Path) -> str:
    """Run a step; show what it printed, warnings too, where it failed."""
    # Not the sources beside this file, nor a path that names them.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PYTHONWARNINGS"] = "default"
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    warned = [line for line in done.stderr.splitlines() if "Warning: " in line]
    ours = [line for line in warned if f"napari_semst{os.sep}" in line]
    print(
        f"- {' '.join(words[-4:])}: {done.returncode}, {len(warned)} warnings of others"
    )
    if done.returncode or ours:
        print(*ours, done.stdout[-2000:], done.stderr[-4000:], sep="\n")
    return "FAILS" if done.returncode or ours else "works"


def window(name: str) -> None:
    """Take one of `WINDOWS` in a real window."""
    {"view": _view, "napari sample": _sample, "dock run, saved": _dock}[name]()


def _view() -> None:
    """Check what ``semst view`` shows, in place of waiting for the window's end."""
    import napari

    def look() -> None:
        viewer = napari.current_viewer()
        names = [layer.name for layer in viewer.layers]
        assert len(names) == 2, names
        assert _docks(viewer) == ["Find domains (napari-semst)"], _docks(viewer)
        _photograph(viewer, "view.png")
        _close(viewer)

    napari.run = look
    sys.argv = ["semst", "view", "r.h5ad"]
    from napari_semst.cli.main import main as semst

    try:
        semst()
    except SystemExit as ended:
        if ended.code:
            raise


def _sample() -> None:
    """Open the simulated cortex from the menu's own command."""
    import napari

    viewer = napari.Viewer()
    viewer.open_sample("napari-semst", "simulated_cortex")
    assert len(viewer.layers) == 2, viewer.layers
    _photograph(viewer, "sample.png")
    _close(viewer)


def _dock() -> None:
    """Find domains in the dock, and save them."""
    import anndata
    import napari
    from qtpy.QtWidgets import QFileDialog

    viewer = napari.Viewer()
    viewer.open("c.h5ad", plugin="napari-semst")
    _, find = viewer.window.add_plugin_dock_widget("napari-semst", "Find domains")
    find.settings.n_domains.setValue(5)
    find.run_box.run_button.click()
    _wait(lambda: find.controller.job is None)
    assert find.card.kind in {"success", "warning"}, find.card.text.text()
    _, explore = viewer.window.add_plugin_dock_widget("napari-semst", "Explore domains")
    QFileDialog.getSaveFileName = lambda *_, **__: ("dock.h5ad", "")
    explore.card.show_status("ready", "", "")
    explore.share.buttons["save"].click()
    _wait(lambda: explore.card.kind in {"success", "error"})
    assert explore.card.kind == "success", explore.card.text.text()
    assert anndata.read_h5ad("dock.h5ad").obs["semst_domain"].nunique() == 5
    _photograph(viewer, "dock.png")
    _close(viewer)


def _docks(viewer) -> list[str]:
    window = viewer.window
    docks = getattr(window, "dock_widgets", None)
    # Before napari 0.6.3 there is no public name for them.
    return list(window._dock_widgets if docks is None else docks)


def _wait(ready) -> None:
    """Let the window work until something is ready, ten minutes at most."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, ticks = QEventLoop(), 0

    def look() -> None:
        nonlocal ticks
        ticks += 1
        if ready() or ticks > 12_000:
            loop.quit()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    loop.exec()
    timer.stop()
    assert ready(), "nothing happened in ten minutes"


def _photograph(viewer, name: str) -> None:
    from qtpy.QtWidgets import QApplication

    QApplication.processEvents()
    pixels = viewer.screenshot(name, canvas_only=False, flash=False)
    assert pixels.std() > 10, "the window is empty"


def _close(viewer) -> None:
    """Close a window, and let its parts go before the interpreter does."""
    from qtpy.QtCore import QEvent, QTimer
    from qtpy.QtWidgets import QApplication

    app = QApplication.instance()
    QTimer.singleShot(0, viewer.close)
    QTimer.singleShot(500, app.quit)
    app.exec()
    app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


if __name__ == "__main__":
    if "--window" in sys.argv:
        window(sys.argv[-1])
    elif len(sys.argv) > 1:
        sys.exit(bool(main(Path(sys.argv[1]))))
    else:
        with tempfile.TemporaryDirectory() as folder:
            sys.exit(bool(main(Path(folder))))
