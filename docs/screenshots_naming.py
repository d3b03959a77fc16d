"""Make the pictures of "Name from another section" from the real window.

Run it where there is no screen as
``xvfb-run -a -s "-screen 0 1600x1100x24" python docs/screenshots_naming.py SECTION``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari
from qtpy.QtCore import Qt
from screenshots import picture, settle, wait_for
from screenshots_explore import fold

from napari_semst.io.read import read

WIDTH, HEIGHT, DOCK = 1300, 1000, 430


def arguments_given() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--reference", default="builtin:cortex")
    return parser.parse_args()


def main() -> None:
    """Name a section's domains and take a picture in each theme."""
    from napari.layers import Layer
    from qtpy.QtWidgets import QScrollArea

    from napari_semst.viewer import adapter

    given = arguments_given()
    viewer = napari.Viewer()
    viewer.window.resize(WIDTH, HEIGHT)
    tissue = read(given.section)
    for data in adapter.layers_of(tissue, name="Cortex, 33 genes"):
        viewer.add_layer(Layer.create(*data))
    viewer.reset_view()
    window, dock = viewer.window.add_plugin_dock_widget(
        "napari-semst", "Explore domains"
    )
    settle()
    window.parentWidget().resizeDocks([window], [DOCK], Qt.Orientation.Horizontal)
    panel = dock.naming.panel
    fold(dock, dock.naming.fold.text())
    titles = [choice.source for choice in dock.naming._choices]
    panel.reference.setCurrentIndex(titles.index(given.reference))
    panel.button.click()
    wait_for(lambda: not dock.naming.busy, 300)
    panel.table.selectRow(0)
    for theme in ("dark", "light"):
        viewer.theme = theme
        settle(0.5)
        dock.findChildren(QScrollArea)[0].ensureWidgetVisible(panel.rename_button)
        settle(0.5)
        picture(viewer, given.out / f"naming-{theme}.png")
    viewer.close()


if __name__ == "__main__":
    main()
