"""The reader that the viewer asks when files are opened or dropped on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.viewer.read_layers import path_list, read_layers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.types import LayerData

    from napari_semst.viewer.read_layers import PathOrPaths


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return the function that opens a path, or None for what is not ours.

    It never raises: what cannot be looked at is declined, so that other plugins get
    their turn.
    """
    try:
        paths = path_list(path)
        return read_layers if paths and all(map(_is_ours, paths)) else None
    except Exception:  # noqa: BLE001  a reader must not raise while being asked
        return None


def _is_ours(path: Path) -> bool:
    from napari_semst.io.readers.registry import detect_format

    return detect_format(path) is not None
