"""Molecules in the points of a SpatialData store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.notes import warn
from napari_semst.io.transcripts.sources import (
    TRANSCRIPTS,
    TranscriptColumns,
    TranscriptSource,
    remember_transcripts,
)
from napari_semst.io.transcripts.tables import rows_in

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.readers.spatialdata_places import PlacedRegions

_POINTS, _FILE = "points", "points.parquet"
# What the makers call genes, where the store does not say.
_GENES = ("feature_name", "gene", "target", "feature")


def remember_point_molecules(
    tissue: AnnData, store: Path, placed: PlacedRegions
) -> None:
    """Let a tissue know of the molecules in its store.

    Parameters
    ----------
    tissue
        As it was read, with the places of its elements.
    store
        The store.
    placed
        The regions of the table.
    """
    pairs = (
        [(region.name, region.system) for region in placed.regions]
        if placed.separate
        else [("", system) for system in placed.systems[:1]]
    )
    try:
        with translate_errors(store, TRANSCRIPTS):
            found = [points_in(store, system, section) for section, system in pairs]
    except InputError as error:
        # They are no reason to refuse a section.
        warn(tissue, f"Transcripts cannot be shown. {error}")
        return
    remember_transcripts(tissue, *(one for one in found if one is not None))


def points_in(
    store: Path, system: str = ngff.USUAL_SYSTEM, section: str = ""
) -> TranscriptSource | None:
    """Return the points of a store that are molecules, None where there are none.

    Of several those of the most rows.

    Parameters
    ----------
    store
        The store.
    system
        The coordinate system that they are to be in.
    section
        That they are of.
    """
    folder = store / _POINTS
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    found = [
        source
        for name in names
        if (source := _source(store, folder / name, system, section)) is not None
    ]
    if len(found) < 2:
        return found[0] if found else None
    rows = [rows_in(source.file) for source in found]
    return found[int(np.argmax(rows))]


def _source(
    store: Path, group: Path, system: str, section: str
) -> TranscriptSource | None:
    """Return points as a table of molecules, None for points of another kind."""
    file = group / _FILE
    # A link may lead anywhere: nothing outside of the store is read for it.
    if not file.exists() or not file.resolve().is_relative_to(store.resolve()):
        return None
    transforms = ngff.transforms(group)
    if transforms and system not in ngff.placed_in(transforms):
        return None
    about = ngff.attributes(group).get("spatialdata_attrs")
    told = str(about.get("feature_key") or "") if isinstance(about, dict) else ""
    known = _names_in(file)
    gene = next((g for g in (told, *_GENES) if g and g in known), None)
    if gene is None or not {"x", "y"} <= known:
        return None
    matrix = ngff.matrix_to(transforms, system)
    return TranscriptSource(
        file,
        (TranscriptColumns("x", "y", (gene,), "qv"),),
        None if np.array_equal(matrix, np.eye(3)) else matrix,
        section=section,
    )


def _names_in(file: Path) -> set[str]:
    from pyarrow import parquet

    parts = sorted(file.glob("*.parquet")) if file.is_dir() else [file]
    if not parts:
        return set()
    with translate_errors(parts[0], TRANSCRIPTS):
        return set(parquet.read_schema(parts[0]).names)
