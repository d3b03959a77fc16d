"""Make the picture of unsaved work that is offered, from the real window.

Run it where there is no screen as
``xvfb-run -a -s "-screen 0 1600x1100x24" python docs/screenshots_recovery.py``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import napari
import numpy as np
from screenshots import settle, wait_for

from napari_semst.explore import recovery
from napari_semst.explore.annotate import Annotator
from napari_semst.explore.recovery import UnsavedWork
from napari_semst.sample import simulated_cortex


def keep_some_work(folder: Path) -> None:
    """Leave behind what a program leaves that was killed."""
    tissue = simulated_cortex(600, 150)
    path = folder / "lymph_node.h5ad"
    tissue.write_h5ad(path)
    edit = Annotator(tissue)
    spots = np.arange(tissue.n_obs) < 60
    edit.edit("regions", lambda labels: labels.assigned(spots, "tumour"), begin=True)
    file = recovery.recovery_folder() / "lymph_node.h5ad"
    about = UnsavedWork("lymph_node", str(path), colour_by="regions", file=file)
    recovery.process_mark = lambda: "ended"  # type: ignore[assignment]
    recovery.process_runs = lambda mark: mark != "ended"  # type: ignore[assignment]
    recovery.keep_work(*recovery.work_of(tissue, about))


def main() -> None:
    """Make the pictures: offered, and restored."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    with tempfile.TemporaryDirectory() as folder:
        # So that the picture shows no path of this machine.
        os.environ["HOME"] = folder
        os.environ["SEMST_SETTINGS"] = f"{folder}/settings"
        keep_some_work(Path(folder))
        viewer = napari.Viewer()
        viewer.window._qt_window.resize(1200, 800)
        _, dock = viewer.window.add_plugin_dock_widget(
            "napari-semst", "Explore domains"
        )
        dock.parent().resize(420, 760)
        wait_for(lambda: bool(dock.recovery.rows), 30)
        settle()
        dock.grab().copy(0, 0, 420, 380).save(str(out / "recovery-offer.png"))
        if len(sys.argv) > 1:
            dock.recovery.rows[0].restore_button.click()
            wait_for(lambda: not dock.recovery.rows, 60)
            settle()
            viewer.window._qt_window.grab().save(str(out / "recovery-restored.png"))
        viewer.close()


if __name__ == "__main__":
    main()
