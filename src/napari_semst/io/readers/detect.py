"""What kind of input a path holds, judged by what is inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_semst.io.readers.registry import Format


def detect_format(path: str | Path) -> Format | None:
    """Return the kind of input at a path, or None for what is not ours.

    It looks inside, never at the name alone, and never raises: a file that cannot be
    opened is not recognised, and `napari_semst.io.read.read` says why.

    Parameters
    ----------
    path
        A file or a folder.
    """
    try:
        from napari_semst.io.readers.registry import KINDS

        place = Path(path).expanduser()
        return next((kind for kind in KINDS if kind.looks_like(place)), None)
    except Exception:  # noqa: BLE001  a viewer asks about anything dropped on it
        return None
