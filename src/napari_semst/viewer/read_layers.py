"""Layers of sections that are read from paths."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.session.actions import Action

if TYPE_CHECKING:
    from napari.types import LayerData

    from napari_semst.io.options import ReadOptions

    PathOrPaths = str | Path | list[str] | list[Path]


READ_FROM = "semst_read_from"
"""Key of a layer's metadata for the path that it was read from, and the choices."""


def read_layers(path: PathOrPaths) -> list[LayerData]:
    """Return the layers of one or several sections."""
    from napari_semst.io.read import read
    from napari_semst.viewer.adapter import layers_of, section_name
    from napari_semst.viewer.hover import watch_current

    layers = [
        layer
        for one in path_list(path)
        for layer in from_path(layers_of(read(one), name=section_name(one)), one)
    ]
    watch_current(layers)
    return layers


def from_path(
    layers: list[LayerData], path: Path, options: ReadOptions | None = None
) -> list[LayerData]:
    """Let layers remember where they were read from; return them.

    Parameters
    ----------
    options
        What was chosen; none for what is usual.
    """
    from napari_semst.io.options import ReadOptions

    where = path.expanduser().absolute(), options or ReadOptions()
    for _, how, _ in layers:
        how["metadata"][READ_FROM] = where
    origin = Action("read", {"path": where[0], **asdict(where[1])})
    return with_session(layers, origin)


def with_session(layers: list[LayerData], origin: Action) -> list[LayerData]:
    """Begin the record of a section that layers show; return them.

    Parameters
    ----------
    origin
        How the section was had.
    """
    from napari_semst.session.log import begin_session
    from napari_semst.viewer.spots import TISSUE

    for _, how, _ in layers:
        tissue = how["metadata"].get(TISSUE)
        if tissue is not None:
            begin_session(tissue, origin)
            break
    return layers


def path_list(path: PathOrPaths) -> list[Path]:
    """Return one path or several as a list."""
    return [Path(p) for p in path] if isinstance(path, list) else [Path(path)]
