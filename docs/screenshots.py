"""Make the pictures of the documentation from the real window.

Run it where there is no screen as
``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer

    from napari_semst.widgets.find.widget import FindDomains

WIDTH, HEIGHT, DOCK = 1500, 950, 400


def wait_for(done: Callable[[], bool], seconds: float) -> None:
    """Let the window live until something is done."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"Not done within {seconds:.0f} s.")
        QApplication.processEvents()
        time.sleep(0.01)


def settle(seconds: float = 0.6) -> None:
    """Let the window paint what changed."""
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > end, seconds + 1)


def picture(viewer: Viewer, path: Path) -> None:
    """Take the whole window as a PNG."""
    settle()
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    print(path)


def picture_of_dock(dock: FindDomains, path: Path) -> None:
    """Take the dock alone as a PNG."""
    settle()
    dock.grab().save(str(path))
    print(path)


def open_section(viewer: Viewer, tissue: str) -> None:
    """Open a file, or the sample."""
    if tissue:
        viewer.open(tissue, plugin="napari-semst")
    else:
        viewer.open_sample("napari-semst", "simulated_cortex")


def scroll_to(dock: FindDomains, where: float) -> None:
    """Scroll the dock: 0 to its top, 1 to its end."""
    settle(0.3)
    bar = dock._area.verticalScrollBar()
    bar.setValue(round(where * bar.maximum()))


def set_up(viewer: Viewer, epochs: int, domains: int) -> FindDomains:
    """Open the dock and choose the settings in it."""
    window, dock = viewer.window.add_plugin_dock_widget("napari-semst", "Find domains")
    viewer.window.resize(WIDTH, HEIGHT)
    settle()
    main = window.parentWidget()
    main.resizeDocks([window], [DOCK], _horizontal())
    dock.settings.epochs.setValue(epochs)
    dock.settings.n_domains.setValue(domains)
    return dock


def _horizontal():
    from qtpy.QtCore import Qt

    return Qt.Orientation.Horizontal


def number(text: str) -> int:
    """Return a number of domains, or -1 for auto, as settings hold it."""
    from napari_semst.config import number_of_domains

    return number_of_domains(text)


def run(viewer: Viewer, dock: FindDomains, path: Callable[[str], Path]) -> None:
    """Run with the settings as they stand; take a picture on the way."""
    dock.run_box.run_button.click()
    ended = lambda: dock.controller.job is None  # noqa: E731
    wait_for(lambda: ended() or "left" in dock.run_box.line.text(), 300)
    picture(viewer, path("running"))
    wait_for(ended, 3600)
    if dock.card.kind == "error":
        raise RuntimeError(
            f"{dock.card.text.text()}\n{dock.card.details.toPlainText()}"
        )


def pictures_of_levels(
    viewer: Viewer, dock: FindDomains, path: Callable[[str], Path], few: int
) -> None:
    """Take fewer domains, unsure spots faded, and the curve where there is one."""
    results = dock.results
    results.level_bar.slider.setValue(few)
    scroll_to(dock, 1)
    picture(viewer, path("levels"))
    results.level_bar.home_button.click()
    results.fade.setChecked(True)
    scroll_to(dock, 1)
    picture(viewer, path("faded"))
    if results.curve_part.isHidden():
        return
    results.curve_part.expand()
    viewer.theme = "light"
    scroll_to(dock, 1)
    picture_of_dock(dock, path("curve"))
    results.curve_part.collapse()
    viewer.theme = "dark"


def two_sections() -> list[Layer]:
    """Return two simulated sections of the same tissue, the second one turned over."""
    import numpy as np

    from napari_semst.sample import simulated_cortex
    from napari_semst.viewer.adapter import layers_of

    first, second = simulated_cortex(3000), simulated_cortex(2000)
    entry = second.uns["spatial"]["simulated_cortex"]
    images = entry["images"]
    factor = entry["scalefactors"]["tissue_hires_scalef"]
    width = images["hires"].shape[1] / factor
    entry["images"] = {"hires": np.ascontiguousarray(images["hires"][:, ::-1])}
    # Pixel j has its centre at j.
    second.obsm["spatial"][:, 0] = width - 1 - second.obsm["spatial"][:, 0]
    both = (("Cortex A", first), ("Cortex B", second))
    return [
        Layer.create(*data) for name, one in both for data in layers_of(one, name=name)
    ]


def pictures_together(
    viewer: Viewer, dock: FindDomains, path: Callable[[str], Path]
) -> None:
    """Join two sections, find their domains, and look at both and at one."""
    for layer in two_sections():
        viewer.add_layer(layer)
    dock.section.join_button.click()
    dialog = dock.joiner.dialog
    settle()
    dialog.grab().save(str(path("joining")))
    dialog.join_button.click()
    wait_for(lambda: dock.card.title.text() == "2 sections joined", 60)
    run(viewer, dock, path)
    scroll_to(dock, 0)
    picture(viewer, path("domains"))
    dock.section.shown.setCurrentIndex(2)
    picture(viewer, path("alone"))


def pictures_of_semantics(
    viewer: Viewer, dock: FindDomains, path: Callable[[str], Path]
) -> None:
    """Take the sources of gene semantics and what is told of a control run."""
    part, control = dock.settings.meaning, dock.settings.control
    part.server.url.setText("https://embeddings.example.org/v1")
    part.server.model.setText("Qwen/Qwen3-Embedding-0.6B")
    for source in ("server", "prompts", "genes"):
        part.source.setCurrentIndex(part.source.findData(source))
        settle()
        scroll_to(dock, 0)
        picture_of_dock(dock, path(source))
    part.server.url.setText("http://127.0.0.1:9/v1")
    part.source.setCurrentIndex(part.source.findData("server"))
    part.server.test_button.click()
    wait_for(lambda: not part.server.test.busy, 30)
    picture_of_dock(dock, path("server-error"))
    part.source.setCurrentIndex(part.source.findData("builtin"))
    control.setCurrentIndex(control.findData("shuffled"))
    dock.settings.advanced.expand()
    picture_of_dock(dock, path("control-ahead"))
    dock.settings.advanced.collapse()
    run(viewer, dock, path)
    scroll_to(dock, 1)
    picture(viewer, path("control"))
    viewer.theme = "light"
    picture_of_dock(dock, path("control-light"))
    part.source.setCurrentIndex(part.source.findData("server"))
    scroll_to(dock, 0)
    picture_of_dock(dock, path("server-light"))


def arguments_given() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--tissue", default="", help="file or folder; else the sample")
    parser.add_argument("--name", default="", help="first part of the pictures' names")
    parser.add_argument("--epochs", type=int, default=0, help="0: as the recipe says")
    parser.add_argument("--domains", type=number, default=7, help="a number, or auto")
    parser.add_argument(
        "--together", action="store_true", help="two simulated sections, joined"
    )
    parser.add_argument(
        "--semantics", action="store_true", help="sources of gene semantics"
    )
    parser.add_argument("--few", type=int, default=4, help="domains of the levels")
    return parser.parse_args()


def main() -> None:
    """Walk through the dock and take pictures on the way."""
    arguments = arguments_given()
    arguments.out.mkdir(parents=True, exist_ok=True)
    usual = "section" if arguments.tissue else "sample"
    stem = arguments.name or ("together" if arguments.together else usual)

    def path(what: str) -> Path:
        return arguments.out / f"{stem}-{what}.png"

    # Pictures show the defaults, not what somebody's last run was asked for.
    os.environ["SEMST_SETTINGS"] = tempfile.mkdtemp()
    viewer = napari.Viewer(show=True)
    viewer.theme = "dark"
    dock = set_up(viewer, arguments.epochs, arguments.domains)
    if arguments.together:
        pictures_together(viewer, dock, path)
        viewer.close()
        return
    picture(viewer, path("empty"))
    open_section(viewer, arguments.tissue)
    settle()
    if arguments.semantics:
        pictures_of_semantics(viewer, dock, path)
        viewer.close()
        return
    picture(viewer, path("opened"))
    run(viewer, dock, path)
    picture(viewer, path("domains"))
    pictures_of_levels(viewer, dock, path, arguments.few)
    dock.results.fade.setChecked(False)
    scroll_to(dock, 1)
    colour_by = dock.results.colour_by
    colour_by.setCurrentIndex(max(colour_by.findText("Modulation"), 0))
    picture(viewer, path("modulation"))
    viewer.theme = "light"
    colour_by.setCurrentIndex(0)
    scroll_to(dock, 1)
    picture(viewer, path("light"))
    viewer.close()


if __name__ == "__main__":
    main()
