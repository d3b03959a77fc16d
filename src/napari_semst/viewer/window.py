"""The window, opened on a file from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.errors import InputError
from napari_semst.io.readers.registry import detect_format

if TYPE_CHECKING:
    from pathlib import Path


def open_window(source: Path) -> None:
    """Open napari on a section, with the dock, until the window is closed.

    Raises
    ------
    InputError
        If the file is no section, or napari has no Qt to draw with.
    """
    if detect_format(source) is None:
        raise InputError(
            f"Expected a tissue section at {source}; found none. `semst inspect` says "
            "what is there."
        )
    try:
        import napari
        from napari.layers import Layer

        from napari_semst.viewer.read_layers import read_layers

        viewer = napari.Viewer(title=f"{source.name} - napari")
    except ImportError as error:
        raise InputError(
            "Expected a Qt binding for napari's window; found none. Install one: "
            'python -m pip install "napari-semst[all]".'
        ) from error
    # Not viewer.open: it goes by endings, and napari keeps some of them to itself.
    for layer in read_layers(source):
        viewer.add_layer(Layer.create(*layer))
    viewer.window.add_plugin_dock_widget("napari-semst", "Find domains")
    napari.run()
