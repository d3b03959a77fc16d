"""Layers of sections that are read from paths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.types import LayerData

    PathOrPaths = str | Path | list[str] | list[Path]


def read_layers(path: PathOrPaths) -> list[LayerData]:
    """Return the layers of one or several sections."""
    from napari_semst.io.read import read
    from napari_semst.viewer.adapter import layers_of, section_name
    from napari_semst.viewer.hover import watch_current

    layers = [
        layer
        for one in path_list(path)
        for layer in layers_of(read(one), name=section_name(one))
    ]
    watch_current(layers)
    return layers


def path_list(path: PathOrPaths) -> list[Path]:
    """Return one path or several as a list."""
    return [Path(p) for p in path] if isinstance(path, list) else [Path(path)]
