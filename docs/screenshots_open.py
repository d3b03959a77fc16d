"""Make the pictures of the dock "Open data" from the real window.

Run it where there is no screen as
``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_open.py``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import napari
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from screenshots import DOCK, HEIGHT, WIDTH, _horizontal, picture, settle, wait_for

from napari_semst import write
from napari_semst.sample import simulated_cortex
from napari_semst.widgets.open import opening
from napari_semst.widgets.open.widget import OpenData


def turned_section(folder: Path) -> Path:
    """Write a simulated section whose image was turned, and return its file."""
    tissue = simulated_cortex(3000)
    images = tissue.uns["spatial"]["simulated_cortex"]["images"]
    images["hires"] = np.ascontiguousarray(np.rot90(images["hires"]))
    tissue.layers["counts"] = tissue.X.copy()
    return write(tissue, folder / "cortex.h5ad")


def main() -> None:
    """Look inside a file, open it, and turn its image back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--theme", default="dark")
    arguments = parser.parse_args()
    stem = "open" if arguments.theme == "dark" else f"open-{arguments.theme}"
    with TemporaryDirectory() as folder:
        # Not the list of whoever makes the pictures.
        opening.recent_file = lambda: Path(folder) / "recent.json"
        file = turned_section(Path(folder))
        viewer = napari.Viewer(show=True)
        viewer.theme = arguments.theme
        dock = OpenData(viewer)
        window = viewer.window.add_dock_widget(dock, name="Open data (SemST)")
        viewer.window.resize(WIDTH, HEIGHT)
        settle()
        window.parentWidget().resizeDocks([window], [DOCK], _horizontal())
        dock.look([file])
        wait_for(lambda: bool(dock.inside.looks), 60)
        picture(viewer, arguments.out / f"{stem}-inside.png")
        dock.open_button.click()
        wait_for(lambda: not dock.opener.busy, 120)
        dock.forget.click()
        dock.alignment.by_hand.expand()
        picture(viewer, arguments.out / f"{stem}-turned.png")
        dock.alignment.buttons["rotate"].click()
        picture(viewer, arguments.out / f"{stem}-aligned.png")
        viewer.close()


if __name__ == "__main__":
    main()
