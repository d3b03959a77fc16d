"""What tests do with docks: open one, give it a section, let it run."""

from __future__ import annotations

from napari.layers import Layer

from napari_semst.explore.label_edits import LabelEdit
from napari_semst.viewer import adapter


def docked(kind, viewer):
    """Return a dock of some kind, in the viewer's window."""
    dock = kind(viewer)
    viewer.window.add_dock_widget(dock, name=kind.__name__)
    return dock


def add(viewer, tissue, name="Section"):
    """Show a section; return the layer of its spots."""
    layers = [Layer.create(*data) for data in adapter.layers_of(tissue, name=name)]
    for layer in layers:
        viewer.add_layer(layer)
    return layers[-1]


def renamed(name, new):
    """Return the edit that gives a name another one."""
    return LabelEdit("renamed", {"name": name, "new": new})


def run_to_end(qtbot, dock, kinds=("success", "warning", "error")):
    dock.run_box.run_button.click()
    qtbot.waitUntil(lambda: dock.card.kind in kinds, timeout=60_000)
