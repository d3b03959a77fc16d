"""The positions file of Space Ranger in its three forms."""

from __future__ import annotations

import csv
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, abbreviate, check_file, translate_errors
from napari_semst.io.formats.gzipped import open_bytes, unpacked_name
from napari_semst.io.formats.parquet_tables import check_parquet
from napari_semst.io.formats.sample_files import files_of_samples
from napari_semst.io.formats.text_tables import is_number
from napari_semst.io.notes import note, warn
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData


# Eleven million bins of 2 micrometres, the largest there are, take 700 MB as text.
_LARGEST = 1500 * MEGABYTE
_WHAT = "the positions file"

BARCODE = "barcode"
COLUMNS = ("in_tissue", "array_row", "array_col", "pxl_row", "pxl_col")
# Names of Space Ranger 2 and later, and of Seurat.
_SYNONYMS = {
    "pxl_row_in_fullres": "pxl_row",
    "pxl_col_in_fullres": "pxl_col",
    "imagerow": "pxl_row",
    "imagecol": "pxl_col",
    "row": "array_row",
    "col": "array_col",
    "tissue": "in_tissue",
    "barcodes": BARCODE,
}
# What R calls columns without a header.
_OF_R = [f"V{number}" for number in range(1, 7)]
_STEM = "tissue_positions"
_ENDINGS = (".csv", ".parquet", ".tsv", ".txt")
_DELIMITERS = ",\t;"


def positions_in(folder: Path) -> dict[str, Path]:
    """Return the positions files in a folder, told by name, by sample.

    That of a run is named ``tissue_positions...``; repositories put the name of the
    sample in front (``GSM123_tissue_positions...``).
    """
    return files_of_samples(folder, (_STEM,), _ENDINGS)


def read_positions(path: Path) -> pd.DataFrame:
    """Return the table of a positions file.

    Space Ranger 1 writes ``tissue_positions_list.csv`` without a header, 2 and later
    ``tissue_positions.csv`` with one, and Visium HD ``tissue_positions.parquet``. The
    header is looked for, not told from the name, and columns go by their names; a
    first column without one, as R writes it, holds the barcodes where none is named so.

    Returns
    -------
    pandas.DataFrame
        Indexed by barcode, with the columns of `COLUMNS`; pixels are those of the
        full-resolution image.

    Raises
    ------
    InputError
        If it is missing, not such a table, or names a barcode twice.
    """
    check_file(path, _WHAT, at_most=_LARGEST)
    with translate_errors(path, _WHAT), open_bytes(path, _WHAT, _LARGEST) as file:
        table = (
            _parquet(file, path)
            if unpacked_name(path).endswith(".parquet")
            else _csv(file)
        )
        if not isinstance(table, int):
            return _checked(table, path)
    raise InputError(
        f"Expected {_WHAT} {path} to have a header, or {1 + len(COLUMNS)} columns "
        f"(barcode, {', '.join(COLUMNS)}); found {table} without a header."
    )


def _parquet(file: IO[bytes], path: Path) -> pd.DataFrame:
    import io

    import pandas as pd

    held = io.BytesIO(file.read())
    check_parquet(path, _WHAT, held)
    held.seek(0)
    return pd.read_parquet(held, engine="pyarrow")


def _csv(file: Any) -> pd.DataFrame | int:
    """Return the table of a file of text, the number of its columns if it is none."""
    import pandas as pd

    # What is peeked at is read again.
    start = file.peek(8192).removeprefix(b"\xef\xbb\xbf").split(b"\n")[0]
    text = start.decode("utf-8").rstrip("\r")
    delimiter = max(_DELIMITERS, key=text.count)
    fields = [field.strip() for field in next(csv.reader([text], delimiter=delimiter))]
    names = None
    if any(map(is_number, fields[1:])):
        if len(fields) != 1 + len(COLUMNS):
            return len(fields)
        names = [BARCODE, *COLUMNS]
    return pd.read_csv(
        file,
        sep=delimiter,
        header=0 if names is None else None,
        names=names,
        dtype={BARCODE: str},
        skipinitialspace=True,
    )


def _checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table by barcode, its columns there and numeric."""
    import pandas as pd

    table = _usual_names(table)
    missing = [c for c in (BARCODE, *COLUMNS) if c not in table]
    if missing:
        raise InputError(
            f"Expected {_WHAT} {path} to have the columns barcode, "
            f"{', '.join(COLUMNS)}; missing: {', '.join(missing)}; found: "
            f"{abbreviate(list(table.columns))}. Choose another file."
        )
    by_barcode = table.set_index(as_texts(table[BARCODE]))[list(COLUMNS)]
    numbers: pd.DataFrame = by_barcode.apply(pd.to_numeric, errors="coerce")
    bad = ~np.isfinite(numbers.to_numpy(dtype=float)).all(axis=1)
    if bad.any():
        raise InputError(
            f"Expected numbers in {_WHAT} {path}; {int(bad.sum())} of {len(bad)} rows "
            f"have none (first: {abbreviate(list(numbers.index[bad]), 3)})."
        )
    told = numbers["in_tissue"].isin((0, 1))
    if not told.all():
        raise InputError(
            f"Expected 1 (in tissue) or 0 as in_tissue in {_WHAT} {path}; "
            f"{int((~told).sum())} of {len(told)} rows have others (first: "
            f"{abbreviate(list(numbers.index[~told]), 3)}). Copy the file from the run "
            "again."
        )
    twice = numbers.index[numbers.index.duplicated()]
    if len(twice):
        raise InputError(
            f"Expected every barcode once in {_WHAT} {path}; {len(twice)} occur again "
            f"(first: {abbreviate(list(twice), 3)}). Remove the doubles."
        )
    return numbers


def _usual_names(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the names of `COLUMNS`, its barcodes in a column."""
    import pandas as pd

    names = [str(name).strip() for name in table.columns]
    unnamed = [not name or name.startswith("Unnamed: ") for name in names]
    if [n for n, no in zip(names, unnamed, strict=True) if not no] == _OF_R:
        # A table without a header that R read and wrote again.
        usual = iter((BARCODE, *COLUMNS))
        names = [n if no else next(usual) for n, no in zip(names, unnamed, strict=True)]
    lower = [name.lower() for name in names]
    usual_names = [_SYNONYMS.get(name, name) for name in lower]
    names = [
        usual
        if usual in (BARCODE, *COLUMNS) and usual_names.count(usual) == 1
        else name
        for name, usual in zip(names, usual_names, strict=True)
    ]
    table = table.set_axis(names, axis=1)
    if BARCODE in table:
        return table
    if not isinstance(table.index, pd.RangeIndex):
        return table.assign(**{BARCODE: table.index.astype(str)})
    if unnamed[0]:
        return table.set_axis([BARCODE, *names[1:]], axis=1)
    return table


_OBS = ("in_tissue", "array_row", "array_col")


def all_in_tissue(barcodes: pd.Index, positions: pd.DataFrame) -> bool:
    """Return whether every barcode has a position that is in tissue."""
    rows = positions.index.get_indexer(barcodes)
    in_tissue = positions["in_tissue"].to_numpy() == 1
    return bool((rows >= 0).all() and in_tissue[rows].all())


def join_positions(matrix: AnnData, positions: pd.DataFrame) -> AnnData:
    """Return the spots in tissue with their positions, in the matrix's order.

    Parameters
    ----------
    matrix
        Counts of barcodes, shape ``(n_barcodes, n_genes)``.
    positions
        The table of `napari_semst.io.formats.tissue_positions.read_positions`.

    Returns
    -------
    anndata.AnnData
        With ``obs`` in_tissue, array_row and array_col, and ``obsm["spatial"]`` of
        shape ``(n_spots, 2)``: (x, y) = (pxl_col, pxl_row).

    Raises
    ------
    InputError
        If no barcode has a position, or no spot is in tissue.
    """
    rows = positions.index.get_indexer(matrix.obs_names)
    placed = rows >= 0
    if not placed.any():
        raise InputError(
            "Expected the matrix and the positions file to share barcodes; they share "
            f"none. The matrix has {abbreviate(list(matrix.obs_names), 2)}, the "
            f"positions {abbreviate(list(positions.index), 2)}. The files may belong "
            "to different runs."
        )
    in_tissue_all = positions["in_tissue"].to_numpy() == 1
    in_tissue = placed & in_tissue_all[rows]
    if not in_tissue.any():
        raise InputError(
            "Expected spots in tissue; the positions file marks none of the matrix's "
            f"{len(rows):,} barcodes with in_tissue = 1. The files may belong to "
            "different runs."
        )
    # Counts on disk stay there where all spots are in tissue.
    spots = matrix if in_tissue.all() else matrix[in_tissue].copy()
    chosen = positions.iloc[rows[in_tissue]]
    for column in _OBS:
        spots.obs[column] = chosen[column].to_numpy().astype(np.int64)
    spots.obsm["spatial"] = chosen[["pxl_col", "pxl_row"]].to_numpy(dtype=np.float64)
    note(spots, coordinates="positions file")
    warn(spots, *_doubts(matrix.n_obs, placed, in_tissue, int(in_tissue_all.sum())))
    return spots


def _doubts(
    n_barcodes: int,
    placed: np.ndarray[tuple[int], np.dtype[np.bool_]],
    in_tissue: np.ndarray[tuple[int], np.dtype[np.bool_]],
    n_expected: int,
) -> list[str]:
    """Return what hints at files of different runs."""
    doubts = []
    without = n_barcodes - int(placed.sum())
    if without:
        doubts.append(
            f"{without:,} of {n_barcodes:,} barcodes of the matrix have no position "
            "and are left out: does the positions file belong to this run?"
        )
    # All slides share their barcodes, so that a positions file of another run joins
    # without complaint; but a filtered matrix holds just the spots in tissue, and a
    # raw one holds all of these.
    missing = n_expected - int(in_tissue.sum())
    outside = int((placed & ~in_tissue).sum())
    if missing and outside:
        doubts.append(
            f"{outside:,} barcodes of the matrix lie outside the tissue and "
            f"{missing:,} spots in tissue are not in the matrix: does the positions "
            "file belong to this run?"
        )
    elif missing > 0.05 * n_expected:
        doubts.append(
            f"{missing:,} of {n_expected:,} spots in tissue are not in the matrix."
        )
    return doubts
