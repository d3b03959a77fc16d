"""The reader that the viewer asks when files are opened or dropped on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.types import LayerData

    PathOrPaths = str | Path | list[str] | list[Path]


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return the function that opens a path, or None for what is not ours.

    It never raises: what cannot be looked at is declined, so that other plugins get
    their turn.
    """
    try:
        paths = _as_list(path)
        return read_layers if paths and all(map(_is_ours, paths)) else None
    except Exception:  # noqa: BLE001  a reader must not raise while being asked
        return None


def read_layers(path: PathOrPaths) -> list[LayerData]:
    """Return the layers of one or several sections."""
    from napari_semst.io.read import read
    from napari_semst.viewer.adapter import layers_of, section_name
    from napari_semst.viewer.hover import watch_current

    layers = [
        layer
        for one in _as_list(path)
        for layer in layers_of(read(one), name=section_name(one))
    ]
    watch_current(layers)
    return layers


def _as_list(path: PathOrPaths) -> list[Path]:
    return [Path(p) for p in path] if isinstance(path, list) else [Path(path)]


def _is_ours(path: Path) -> bool:
    from napari_semst.io.readers.detect import sniff

    return sniff(path) is not None
