"""Outlines in tables that have a row for each corner, as Xenium has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.chunks import chunks
from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.formats.gzipped import open_unpacked
from napari_semst.io.formats.parquet_tables import read_parquet_table
from napari_semst.io.formats.text_tables import read_head
from napari_semst.io.outlines.cell_outlines import Rings, rings_of_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

OUTLINES = "the outlines of the cells"
"""What such a file is, as a user says it."""

_XENIUM = ("cell_id", "vertex_x", "vertex_y")
# Tells the pieces of a cell apart.
_LABEL = "label_id"
# Names that arrow takes at once.
_NAMES = 2**16


def xenium_file(folder: Path) -> Path | None:
    """Return the outlines of a Xenium run's cells, None where it has none."""
    names = (f"cell_boundaries.{end}" for end in ("parquet", "csv.gz", "csv"))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def xenium_rings(file: Path, names: pd.Index) -> Rings:
    """Return the outlines of a Xenium run's cells, in micrometres.

    Parameters
    ----------
    file
        As `xenium_file` finds it.
    names
        Of the cells wanted.

    Raises
    ------
    InputError
        If it is damaged, or no such table.
    """
    there = vertex_columns(file)
    require_columns(file, there, _XENIUM)
    labelled = _LABEL in there
    table = read_vertices(file, (*_XENIUM, *(_LABEL,) * labelled), texts=_XENIUM[:1])
    cells = rows_of(table[_XENIUM[0]], names)
    pieces = (
        table[_LABEL].to_numpy().astype(np.int64)
        if labelled
        else np.zeros(len(cells), np.int64)
    )
    return rings_of_rows(cells, corners_of(table, _XENIUM[1:]), pieces)


def rows_of(ids: pa.ChunkedArray, names: pd.Index) -> NDArray[np.int64]:
    """Return the row of each id among names, -1 where it is not there.

    Parameters
    ----------
    ids
        Texts, bytes or whole numbers.
    names
        Unique.
    """
    import pyarrow as pa
    from pyarrow import compute

    # Each id occurs at every corner: it is looked up once in a chunk.
    coded = [chunk.dictionary_encode() for chunk in ids.chunks]
    texts = [one.dictionary.cast(pa.string()) for one in coded]
    # By arrow, and names part by part: to learn a million of them pandas keeps all
    # threads waiting, the window's among them.
    parts = [pa.array(names[part], pa.string()) for part in chunks(len(names), _NAMES)]
    wanted = pa.chunked_array(parts, pa.string())
    rows = compute.index_in(pa.chunked_array(texts, pa.string()), value_set=wanted)
    found = rows.fill_null(-1).to_numpy().astype(np.int64)
    found_rows, start = [np.empty(0, np.int64)], 0
    for one in coded:
        own = np.append(found[start : start + len(one.dictionary)], -1)
        start += len(one.dictionary)
        where = one.indices.cast(pa.int64()).fill_null(len(own) - 1)
        found_rows.append(own[where.to_numpy(zero_copy_only=False)])
    return np.concatenate(found_rows)


def vertex_columns(file: Path) -> tuple[str, ...]:
    """Return the columns of a table, without reading it."""
    check_file(file, OUTLINES)
    with translate_errors(file, OUTLINES):
        if file.suffix == ".parquet":
            from pyarrow import parquet

            return tuple(parquet.read_schema(file).names)
        return read_head(file, OUTLINES).names


def require_columns(file: Path, there: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a table that lacks a column."""
    missing = [name for name in wanted if name not in there]
    if missing:
        raise InputError(
            f"Expected {OUTLINES} {file} to have the columns {', '.join(wanted)}; "
            f"missing: {', '.join(missing)}; found: {abbreviate(list(there))}. "
            "Copy or export the file again."
        )


def read_vertices(file: Path, columns: Sequence[str], texts: Sequence[str]) -> pa.Table:
    """Return some columns of a table, by name."""
    import pyarrow as pa

    with translate_errors(file, OUTLINES):
        if file.suffix == ".parquet":
            return read_parquet_table(file, OUTLINES, columns=list(columns))
        from pyarrow import csv

        head = read_head(file, OUTLINES)
        types: dict[str, Any] = dict.fromkeys(columns, pa.float64())
        types |= dict.fromkeys(texts, pa.string())
        with open_unpacked(file, OUTLINES) as stream:
            return csv.read_csv(
                stream,
                csv.ReadOptions(
                    column_names=list(head.names),
                    skip_rows=len(head.comments) + 1,
                ),
                csv.ParseOptions(delimiter=head.delimiter),
                csv.ConvertOptions(include_columns=list(columns), column_types=types),
            )


def corners_of(table: pa.Table, columns: Sequence[str]) -> NDArray[np.float32]:
    """Return corners (x, y), shape ``(n_rows, 2)``."""
    return np.stack(
        [table[name].to_numpy().astype(np.float32) for name in columns], axis=1
    )
