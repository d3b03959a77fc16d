"""Tables of molecules that instruments write, remembered and found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.io.beside.noted_files import (
    COSMX,
    MERSCOPE,
    XENIUM,
    note_beside,
    noted_beside,
)
from napari_semst.io.readers.cosmx_cells import pixel_columns
from napari_semst.io.transcripts.sources import (
    FieldPlaces,
    TranscriptColumns,
    TranscriptSource,
    remember_transcripts,
    transcript_sources,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

# Under which the notes of a section say where its molecules are.
_NOTE = "transcripts"
_ENDINGS = (".parquet", ".csv.gz", ".csv")
_COLUMNS = {
    XENIUM: (TranscriptColumns("x_location", "y_location", ("feature_name",), "qv"),),
    MERSCOPE: (TranscriptColumns("global_x", "global_y", ("gene",)),),
    COSMX: (TranscriptColumns("x_global_px", "y_global_px", ("target",)),),
}
_IN_FIELD = TranscriptColumns("x_local_px", "y_local_px", ("target",), field="fov")


def remember_molecules(tissue: AnnData, kind: str, file: Path | None) -> None:
    """Let a tissue know of its instrument's molecules, also once it has been saved.

    Parameters
    ----------
    tissue
        As it was read.
    kind
        `XENIUM`, `MERSCOPE` or `COSMX`.
    file
        The table, None where there is none: nothing is done.
    """
    if file is not None:
        remember_transcripts(tissue, _source(kind, file, tissue))
        note_beside(tissue, _NOTE, kind, file)


def remember_saved_molecules(tissue: AnnData, path: Path) -> None:
    """Let a tissue that was saved know of its molecules, if they are beside its file.

    Parameters
    ----------
    tissue
        As it was read.
    path
        The file or store.
    """
    if not transcript_sources(tissue):
        found = noted_beside(tissue, _NOTE, tuple(_COLUMNS), path)
        if found is not None:
            remember_transcripts(tissue, _source(*found, tissue))


def source_of_file(file: Path) -> TranscriptSource | None:
    """Return a table of molecules by its name, None for what is none of them."""
    name = file.name.lower()
    if not name.endswith(_ENDINGS):
        return None
    for words, kind in (
        ("detected_transcripts", MERSCOPE),
        ("tx_file", COSMX),
        ("transcripts", XENIUM),
    ):
        if words in name:
            return TranscriptSource(file, _COLUMNS[kind])
    return None


def table_in(folder: Path, name: str) -> Path | None:
    """Return a folder's only table whose name ends so, None for none or several.

    Parameters
    ----------
    folder
        The folder.
    name
        The end of the table's name, without its ending; a name before it may tell the
        section.
    """
    for ending in _ENDINGS:
        found = [p for p in sorted(folder.glob(f"*{name}{ending}")) if p.is_file()]
        whole = [p for p in found if p.name == f"{name}{ending}"]
        if len(whole or found) == 1:
            return (whole or found)[0]
    return None


def table_beside(counts: Path, name: str, other: str) -> Path | None:
    """Return the table whose name is like that of the counts, else the only one.

    That is taken where there is one table of counts as well: else it may be of another
    section.

    Parameters
    ----------
    counts
        The table of counts.
    name, other
        The part of its name, and what stands in its place.
    """
    bare = counts.name.removesuffix(".gz").removesuffix(".csv").replace(name, other)
    places = (counts.with_name(f"{bare}{ending}") for ending in _ENDINGS)
    own = next((place for place in places if place.is_file()), None)
    if own is not None:
        return own
    alone = len(list(counts.parent.glob(f"*{name}*"))) == 1
    return table_in(counts.parent, other) if alone else None


def _source(kind: str, file: Path, tissue: AnnData) -> TranscriptSource:
    """Return a table with the way from its places to a tissue's."""
    on_slide, in_field = pixel_columns(list(tissue.obs))
    if kind != COSMX or in_field is None:
        return TranscriptSource(file, _COLUMNS[kind])
    both = (*_COLUMNS[kind], _IN_FIELD)
    fields = _field_places(tissue)
    return TranscriptSource(file, both if on_slide else both[::-1], fields=fields)


def _field_places(tissue: AnnData) -> FieldPlaces:
    """Return where fields lie, told by cells whose places in both are known."""
    from napari_semst.io.outlines.cosmx_polygons import OutlinedCells

    cells = OutlinedCells(tissue)
    assert cells.in_field is not None
    directions = np.asarray(cells.directions(), np.float64)
    told = tissue.obs_names.str.rsplit("_", n=1).str[0].to_numpy(dtype=object)
    places = np.asarray(tissue.obsm[keys.SPATIAL], np.float64)
    away = places - directions * cells.in_field
    # One cell without a place in its field is no reason to know nothing of this.
    there = np.isfinite(away).all(axis=1)
    away, told = away[there], told[there]
    names, codes = np.unique(told.astype(str), return_inverse=True)
    counts = np.bincount(codes)
    offsets = np.stack([np.bincount(codes, column) / counts for column in away.T], 1)
    return FieldPlaces(tuple(names), offsets, directions)
