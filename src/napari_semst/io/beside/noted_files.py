"""Files of an instrument that a saved section finds again beside it.

A section that is saved keeps the names of the folder and of the file that something is
in. Opened where that folder is beside it, or from inside of it, it has that again. A
path that leads elsewhere is not followed: files come from anyone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.io.notes import INPUT, note

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from anndata import AnnData

XENIUM, MERSCOPE, COSMX = "xenium", "merscope", "cosmx"
# What is noted of a file: the instrument, and two names.
_KIND, _FOLDER, _FILE = "kind", "folder", "file"


def note_beside(tissue: AnnData, what: str, kind: str, file: Path) -> None:
    """Note the names of a file and of its folder, as ``uns["semst_input"][what]``."""
    about = {_KIND: kind, _FOLDER: file.absolute().parent.name, _FILE: file.name}
    note(tissue, **{what: about})


def noted_beside(
    tissue: AnnData, what: str, kinds: Collection[str], path: Path
) -> tuple[str, Path] | None:
    """Return the kind and the place of a file that was noted, None where it is gone.

    Parameters
    ----------
    tissue
        As it was read.
    what
        Under which it was noted.
    kinds
        Those that are known; anything else is odd, and nothing is made of it.
    path
        The file or store that the tissue was read from.
    """
    notes: Any = tissue.uns.get(INPUT)
    about: Any = notes.get(what) if hasattr(notes, "get") else None
    if not hasattr(about, "get"):
        return None
    kind, folder, file = (str(about.get(key, "")) for key in (_KIND, _FOLDER, _FILE))
    if kind not in kinds or not all(map(_is_name, (folder, file))):
        return None
    home = path.absolute().parent.resolve()
    places = [home / folder / file, *([home / file] if home.name == folder else [])]
    for place in places:
        # A link may lead out of the folder, a name may not.
        if place.exists() and place.resolve().is_relative_to(home):
            return kind, place
    return None


def _is_name(name: str) -> bool:
    return bool(name) and name not in (".", "..") and not {*"/\\"} & {*name}
