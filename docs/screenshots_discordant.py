"""Make the pictures of the image-guided method from the real window.

Run it where there is no screen as
``xvfb-run -a -s "-screen 0 1600x1100x24" python docs/screenshots_discordant.py``.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtCore import Qt
from screenshots import picture, picture_of_dock, scroll_to, settle, wait_for
from screenshots_explore import fold

from napari_semst import keys
from napari_semst.viewer import adapter
from napari_semst.widgets.explore.discordant import words

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_semst.widgets.explore.discordant.regions import RegionsPart

WIDTH, HEIGHT, DOCK = 1500, 1050, 410


def arguments_given() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument(
        "--result", default="", help="file with a result; else the sample is run"
    )
    parser.add_argument("--name", default="discordant", help="first part of the names")
    parser.add_argument("--domains", type=int, default=7)
    parts = ["find", "regions", "patches"]
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    return parser.parse_args()


def section(given: argparse.Namespace) -> AnnData:
    """Return a section with a result of the image-guided method."""
    from napari_semst import find_domains
    from napari_semst.io.read import read
    from napari_semst.sample.simulate_discordance import simulated_discordance

    if given.result:
        return read(given.result)
    kinds = ("programme", "precancer")
    tissue = simulated_discordance(3000, strength="strong", kinds=kinds)
    return find_domains(tissue, n_domains=given.domains, method="image-guided")


def open_dock(viewer: Viewer, name: str) -> tuple[QWidget, QWidget]:
    """Open a dock at its usual width; return its window, too."""
    window, dock = viewer.window.add_plugin_dock_widget("napari-semst", name)
    settle()
    main = window.parentWidget()
    main.resizeDocks([window], [DOCK], Qt.Orientation.Horizontal)
    settle(0.3)
    viewer.reset_view()
    return window, dock


def pictures_of_find(viewer: Viewer, given: argparse.Namespace) -> None:
    """Take the settings, and the discordant spots."""
    window, dock = open_dock(viewer, "Find domains")
    settings = dock.settings
    settings.method.setCurrentIndex(settings.method.findData("image-guided"))
    settings.n_domains.setValue(given.domains)
    scroll_to(dock, 0)
    picture_of_dock(dock, given.out / f"{given.name}-settings.png")
    settings.histology.image.encoder.combo.setEditText("hf:owkin/phikon-v2")
    settings.advanced.expand()
    viewer.theme = "light"
    scroll_to(dock, 0.3)
    picture_of_dock(dock, given.out / f"{given.name}-settings-light.png")
    settings.advanced.collapse()
    settings.histology.image.encoder.combo.setEditText("builtin")
    viewer.theme = "dark"
    colour_by = dock.results.colour_by
    for label, what in (
        ("Discordance (nats)", "map"),
        ("Discordance, false discovery rate", "fdr"),
        ("Discordant", "called"),
        ("Image flag", "flag"),
    ):
        colour_by.setCurrentIndex(colour_by.findText(label))
        scroll_to(dock, 1)
        picture(viewer, given.out / f"{given.name}-{what}.png")
    viewer.window.remove_dock_widget(window)


def pictures_of_patches(
    viewer: Viewer, tissue: AnnData, given: argparse.Namespace
) -> None:
    """Take the patches beside that of the most discordant spot."""
    _, dock = open_dock(viewer, "Explore domains")
    fold(dock, "Patches")
    dock.colour_by(keys.DISCORDANCE)
    worst = int(np.nanargmax(tissue.obs[keys.DISCORDANCE].to_numpy()))
    for theme in ("dark", "light"):
        viewer.theme = theme
        dock.patches.show_spot(worst)
        wait_for(lambda: not dock.patches.task.busy, 60)
        settle(0.3)
        area = dock.column.parentWidget().parentWidget().parentWidget()
        area.ensureWidgetVisible(dock.patches, 0, 0)
        picture(viewer, given.out / f"{given.name}-patches-{theme}.png")


def pictures_of_regions(viewer: Viewer, given: argparse.Namespace) -> None:
    """Take the way from the map to genes: unfold, press a region, press a gene."""
    window, dock = open_dock(viewer, "Explore domains")
    part = dock.regions
    fold(dock, words.REGIONS_TITLE)
    wait_for(lambda: not part.reader.busy, 120)
    area = dock.column.parentWidget().parentWidget().parentWidget()
    for theme in ("dark", "light"):
        viewer.theme = theme
        part.table.clearSelection()
        part.table.topLevelItem(0).setSelected(True)
        wait_for(lambda: not part.looking.busy, 60)
        settle(0.3)
        area.ensureWidgetVisible(part, 0, 0)
        area.verticalScrollBar().setValue(part.y())
        picture(viewer, given.out / f"{given.name}-regions-{theme}.png")
    viewer.theme = "dark"
    part.details.genes.linkActivated.emit(gene_of(part))
    picture(viewer, given.out / f"{given.name}-regions-gene.png")
    viewer.reset_view()
    viewer.window.remove_dock_widget(window)


def gene_of(part: RegionsPart) -> str:
    """Return the gene that is told first of the region chosen."""
    found = re.search("href='([^']+)'", part.details.genes.text())
    assert found is not None
    return found.group(1)


def main() -> None:
    """Walk through both docks and take pictures on the way."""
    given = arguments_given()
    given.out.mkdir(parents=True, exist_ok=True)
    # Pictures show the defaults, not what somebody's last run was asked for.
    os.environ["SEMST_SETTINGS"] = tempfile.mkdtemp()
    tissue = section(given)
    viewer = napari.Viewer(show=True)
    viewer.theme = "dark"
    viewer.window.resize(WIDTH, HEIGHT)
    for data in adapter.layers_of(tissue, name="Simulated discordance"):
        viewer.add_layer(Layer.create(*data))
    if "find" in given.parts:
        pictures_of_find(viewer, given)
    if "regions" in given.parts:
        pictures_of_regions(viewer, given)
    if "patches" in given.parts:
        pictures_of_patches(viewer, tissue, given)
    viewer.close()


if __name__ == "__main__":
    main()
