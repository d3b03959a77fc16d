"""Outlines of MERSCOPE's cells: one table of newer runs, a file per field before.

Cells are outlined in several planes; the middle one counts, as for the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.formats.hdf5 import check_dataset, open_hdf5
from napari_semst.io.formats.parquet_tables import check_parquet
from napari_semst.io.outlines.cell_outlines import Rings, concat_rings
from napari_semst.io.outlines.wkb import rings_from_wkb
from napari_semst.io.outlines.xenium_vertices import OUTLINES, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    import pandas as pd
    from numpy.typing import NDArray

_FOLDER, _TABLE = "cell_boundaries", "cell_boundaries.parquet"
# As Vizgen's own tool for segmentation names them.
_OTHER_TABLES = "*micron_space.parquet"
_IDS, _PLANE = ("EntityID", "ID"), "ZIndex"
_GEOMETRY = ("Geometry", "geometry")
_GROUPS, _PLANE_OF = "featuredata", "zIndex_"
# Rows of the table in memory at a time.
_AT_ONCE = 65_536


def merscope_file(counts: Path, name: str) -> Path | None:
    """Return where a section's outlines are, None where there are none.

    Parameters
    ----------
    counts
        The table of counts.
    name
        What it is called: what stands before and behind is the same for all files.

    Returns
    -------
    pathlib.Path or None
        The table, or the folder with a file for each field of view.
    """
    folder = counts.parent
    bare = counts.name.removesuffix(".gz").removesuffix(".csv")
    own = folder / f"{bare.replace(name, _FOLDER)}.parquet"
    if own.is_file():
        return own
    # Beside counts of several sections a table of no name of theirs may be of any.
    if len(list(folder.glob(f"*{name}*"))) > 1:
        return None
    for file in (folder / _TABLE, *sorted(folder.glob(_OTHER_TABLES))):
        if file.is_file():
            return file
    older = folder / _FOLDER
    return older if _field_files(older) else None


def merscope_rings(place: Path, names: pd.Index) -> Rings:
    """Return the outlines of a section's cells, in micrometres.

    Parameters
    ----------
    place
        As `merscope_file` finds it.
    names
        Of the cells wanted.

    Raises
    ------
    InputError
        If it is damaged, or holds no outlines.
    """
    if place.is_file():
        return _of_table(place, names)
    return concat_rings([_of_field(file, names) for file in _field_files(place)])


def _field_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("feature_data_*.hdf5")) if folder.is_dir() else []


def _of_table(file: Path, names: pd.Index) -> Rings:
    from pyarrow import parquet

    check_file(file, OUTLINES)
    with translate_errors(file, OUTLINES):
        check_parquet(file, OUTLINES)
    with translate_errors(file, OUTLINES), parquet.ParquetFile(file) as table:
        there = table.schema_arrow.names
        ids = next((name for name in _IDS if name in there), "")
        geometry = next((name for name in _GEOMETRY if name in there), "")
        if not ids or not geometry:
            raise InputError(
                f"Expected {OUTLINES} {file} to have the columns {_IDS[0]} and "
                f"{_GEOMETRY[0]}; found: {abbreviate(there)}. Copy the file from the "
                "instrument again."
            )
        chosen = _chosen_rows(table, ids, names)
        parts, first = [], 0
        for batch in table.iter_batches(_AT_ONCE, columns=[geometry]):
            cells = chosen[first : first + len(batch)]
            first += len(batch)
            rows = np.flatnonzero(cells >= 0)
            if len(rows):
                shapes = batch.column(0).take(rows)
                parts.append(rings_from_wkb(shapes, cells[rows], file))
    return concat_rings(parts)


def _chosen_rows(table: Any, ids: str, names: pd.Index) -> NDArray[np.int64]:
    """Return the cell of each row whose outline counts, -1 of the others."""
    planes = _PLANE if _PLANE in table.schema_arrow.names else ids
    columns = table.read([ids, planes])
    cells = rows_of(columns[ids], names)
    if planes == ids:
        return cells
    z = columns[planes].to_numpy().astype(np.float64)
    away = np.abs(z - middle_plane(z))
    order = np.lexsort((away, cells))
    again = np.flatnonzero(np.diff(cells[order]) == 0) + 1
    cells[order[again]] = -1
    return cells


def middle_plane(planes: NDArray[np.floating]) -> float:
    """Return the plane in the middle of those that occur."""
    there = np.unique(planes[np.isfinite(planes)])
    return float(there[len(there) // 2]) if len(there) else 0.0


def _of_field(file: Path, names: pd.Index) -> Rings:
    """Return the outlines of a field of view: its file has a group for each cell."""
    import h5py

    check_file(file, OUTLINES)
    lines: list[NDArray[np.float32]] = []
    cells: list[int] = []
    with (
        translate_errors(file, OUTLINES),
        open_hdf5(file, OUTLINES, datasets=False) as held,
    ):
        outlines = held.get(_GROUPS)
        if not isinstance(outlines, h5py.Group):
            raise InputError(
                f"Expected {OUTLINES} {file} to have the group {_GROUPS}; found: "
                f"{abbreviate(list(held))}. Copy the file from the instrument again."
            )
        known = list(outlines)
        for name, row in zip(known, names.get_indexer(known), strict=True):
            if row >= 0:
                found = _of_cell(outlines[name], file)
                lines += found
                cells += [int(row)] * len(found)
    if not lines:
        return concat_rings([])
    offsets = np.cumsum([0, *map(len, lines)]).astype(np.int64)
    return Rings(np.concatenate(lines), offsets, np.array(cells, np.int64))


def _of_cell(group: h5py.Group, file: Path) -> list[NDArray[np.float32]]:
    """Return the pieces of a cell in its middle plane."""
    planes = sorted(
        (int(name.removeprefix(_PLANE_OF)), name)
        for name in group
        if name.startswith(_PLANE_OF) and len(group[name])
    )
    if not planes:
        return []
    plane = group[planes[len(planes) // 2][1]]
    pieces = [plane[piece]["coordinates"] for piece in plane]
    for piece in pieces:
        check_dataset(piece, file, OUTLINES)
    return [np.reshape(piece[()], (-1, 2)).astype(np.float32) for piece in pieces]
