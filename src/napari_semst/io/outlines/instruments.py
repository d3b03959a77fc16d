"""Outlines of instruments' cells, remembered in a section and found again beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.io.beside.noted_files import (
    COSMX,
    MERSCOPE,
    XENIUM,
    note_beside,
    noted_beside,
)
from napari_semst.io.outlines.cosmx_polygons import OutlinedCells, cosmx_rings
from napari_semst.io.outlines.merscope_boundaries import merscope_rings
from napari_semst.io.outlines.sources import has_outlines, remember_outlines
from napari_semst.io.outlines.xenium_vertices import xenium_rings

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

# Under which the notes of a section say where its outlines are.
_NOTE = "outlines"


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
    note_beside(tissue, _NOTE, kind, file)


def remember_saved(tissue: AnnData, path: Path) -> None:
    """Let a tissue that was saved know of its outlines, if they are beside its file.

    Parameters
    ----------
    tissue
        As it was read.
    path
        The file or store.
    """
    if has_outlines(tissue):
        return
    found = noted_beside(tissue, _NOTE, (XENIUM, MERSCOPE, COSMX), path)
    if found is not None:
        _remember(tissue, *found)


def _remember(tissue: AnnData, kind: str, file: Path) -> None:
    names = tissue.obs_names
    if kind == XENIUM:
        remember_outlines(tissue, file, lambda: xenium_rings(file, names))
    elif kind == MERSCOPE:
        remember_outlines(tissue, file, lambda: merscope_rings(file, names))
    else:
        cells = OutlinedCells(tissue)
        remember_outlines(tissue, file, lambda: cosmx_rings(file, cells))
