"""Make the pictures of the dock Explore domains from the real window.

Run it where there is no screen as
``xvfb-run -a -s "-screen 0 1600x1100x24" python docs/screenshots_explore.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtCore import Qt
from screenshots import picture, settle, wait_for
from superqt import QCollapsible

from napari_semst import find_domains

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_semst.widgets.explore.widget import ExploreDomains

WIDTH, HEIGHT, DOCK = 1500, 1050, 410


def arguments_given() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--tissue", default="", help="file or folder; else the sample")
    parser.add_argument("--name", default="explore", help="first part of the names")
    parser.add_argument("--domains", type=int, default=7)
    parser.add_argument("--gene", default="MBP")
    return parser.parse_args()


def borders(viewer: Viewer, dock: ExploreDomains, path: Path) -> None:
    """Look at the borders of the annotation, and at the genes of one of them."""
    dock.colour_by("ground_truth")
    dock.neighbours.look()
    wait_for(lambda: dock.neighbours.answer is not None, 300)
    dock.neighbours.distance_button.click()
    dock.neighbours.table.selectRow(1)
    # What was found for the legend is not awaited again.
    dock.markers.show_table(None, "")
    dock.neighbours.genes_button.click()
    wait_for(lambda: dock.markers.table is not None, 300)
    fold(dock, "Borders", "Markers")
    scroll_to_end(dock)
    picture(viewer, path)


def fold(dock: ExploreDomains, *shown: str) -> None:
    """Unfold the parts of these titles, and fold all others."""
    for part in dock.findChildren(QCollapsible):
        (part.expand if part.text() in shown else part.collapse)()
    settle(0.3)


def scroll_to_end(dock: ExploreDomains) -> None:
    """Show the lower end of the dock."""
    from qtpy.QtWidgets import QScrollArea

    settle(0.3)
    bar = dock.findChildren(QScrollArea)[0].verticalScrollBar()
    bar.setValue(bar.maximum())


def set_up(viewer: Viewer, given: argparse.Namespace) -> ExploreDomains:
    """Open a section with domains, and the dock beside it."""
    from napari.layers import Layer

    from napari_semst.sample import simulated_cortex
    from napari_semst.viewer import adapter

    viewer.window.resize(WIDTH, HEIGHT)
    source = given.tissue or simulated_cortex(3000)
    tissue = find_domains(source, n_domains=given.domains)
    name = Path(given.tissue).stem or "Simulated cortex"
    for data in adapter.layers_of(tissue, name=name):
        viewer.add_layer(Layer.create(*data))
    viewer.reset_view()
    window, dock = viewer.window.add_plugin_dock_widget(
        "napari-semst", "Explore domains"
    )
    settle()
    main = window.parentWidget()
    main.resizeDocks([window], [DOCK], Qt.Orientation.Horizontal)
    return dock


def main() -> None:
    """Walk through the dock and take pictures on the way."""
    given = arguments_given()

    def path(what: str) -> Path:
        return given.out / f"{given.name}-{what}.png"

    viewer = napari.Viewer(show=True)
    dock = set_up(viewer, given)
    fold(dock)
    for theme in ("dark", "light"):
        viewer.theme = theme
        picture(viewer, path(f"legend-{theme}"))
    dock.colour_by(f"gene:{given.gene}")
    picture(viewer, path("gene"))
    dock.colour_by("semst_domain")
    dock.legend.tree.topLevelItem(0).setSelected(True)
    dock.genes.find_markers()
    wait_for(lambda: dock.markers.table is not None, 300)
    fold(dock, "Markers")
    scroll_to_end(dock)
    picture(viewer, path("markers"))
    dock.reasons.ask()
    wait_for(lambda: not dock.why.busy, 600)
    fold(dock, "Why")
    scroll_to_end(dock)
    picture(viewer, path("why"))
    dock.legend.tree.clearSelection()
    fold(dock, "UMAP")
    wait_for(lambda: dock.umap.view is not None, 300)
    scroll_to_end(dock)
    picture(viewer, path("umap"))
    fold(dock, "Compare")
    dock.compare.one.setCurrentText("ground_truth")
    dock.compare.button.click()
    scroll_to_end(dock)
    picture(viewer, path("compare"))
    borders(viewer, dock, path("borders"))
    dock.colour_by("semst_domain")
    dock.pin()
    dock.colour_by(f"gene:{given.gene}")
    fold(dock)
    picture(viewer, path("pinned"))
    viewer.close()


if __name__ == "__main__":
    main()
