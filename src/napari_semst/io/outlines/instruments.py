"""Outlines of instruments' cells, remembered in a section and found again beside it.

A section that is saved keeps the names of the folder and of the file that its outlines
are in. Opened where that folder is beside it, or from inside of it, it has them again.
A path that leads elsewhere is not followed: files come from anyone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.io.notes import INPUT, note
from napari_semst.io.outlines.cosmx_polygons import OutlinedCells, cosmx_rings
from napari_semst.io.outlines.merscope_boundaries import merscope_rings
from napari_semst.io.outlines.sources import has_outlines, remember_outlines
from napari_semst.io.outlines.xenium_vertices import xenium_rings

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

XENIUM, MERSCOPE, COSMX = "xenium", "merscope", "cosmx"
# What the notes of a section say of its outlines: the instrument, and two names.
_NOTE, _KIND, _FOLDER, _FILE = "outlines", "kind", "folder", "file"


def remember_cells(tissue: AnnData, kind: str, file: Path | None) -> None:
    """Let a tissue know of its instrument's outlines, also once it has been saved.

    Parameters
    ----------
    tissue
        As it was read.
    kind
        `XENIUM`, `MERSCOPE` or `COSMX`.
    file
        That holds the outlines; of older runs of MERSCOPE the folder. None: nothing is
        done.
    """
    if file is None:
        return
    _remember(tissue, kind, file)
    about = {_KIND: kind, _FOLDER: file.absolute().parent.name, _FILE: file.name}
    note(tissue, **{_NOTE: about})


def remember_saved(tissue: AnnData, path: Path) -> None:
    """Let a tissue that was saved know of its outlines, if they are beside its file.

    Parameters
    ----------
    tissue
        As it was read.
    path
        The file or store.
    """
    about = _noted(tissue)
    if has_outlines(tissue) or about is None:
        return
    home = path.absolute().parent.resolve()
    folder, file = about[_FOLDER], about[_FILE]
    places = [home / folder / file, *([home / file] if home.name == folder else [])]
    for place in places:
        # A link may lead out of the folder, a name may not.
        if place.exists() and place.resolve().is_relative_to(home):
            _remember(tissue, about[_KIND], place)
            return


def _remember(tissue: AnnData, kind: str, file: Path) -> None:
    names = tissue.obs_names
    if kind == XENIUM:
        remember_outlines(tissue, file, lambda: xenium_rings(file, names))
    elif kind == MERSCOPE:
        remember_outlines(tissue, file, lambda: merscope_rings(file, names))
    else:
        cells = OutlinedCells(tissue)
        remember_outlines(tissue, file, lambda: cosmx_rings(file, cells))


def _noted(tissue: AnnData) -> dict[str, str] | None:
    """Return what a saved tissue says of its outlines, None for anything odd."""
    notes: Any = tissue.uns.get(INPUT)
    about: Any = notes.get(_NOTE) if hasattr(notes, "get") else None
    if not hasattr(about, "get"):
        return None
    found = {key: str(about.get(key, "")) for key in (_KIND, _FOLDER, _FILE)}
    odd = found[_KIND] not in (XENIUM, MERSCOPE, COSMX)
    names = found[_FOLDER], found[_FILE]
    odd |= any(not name or name in (".", "..") or {*"/\\"} & {*name} for name in names)
    return None if odd else found
