"""The positions file of Space Ranger in its three forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, abbreviate, check_file, translate_errors
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
_FULLRES = {"pxl_row_in_fullres": "pxl_row", "pxl_col_in_fullres": "pxl_col"}


def positions_in(folder: Path) -> list[Path]:
    """Return the positions files in a folder, told by name, best first.

    The one of a run (``tissue_positions...``) stands before those that a repository
    has given a prefix (``GSM123_tissue_positions...``).
    """
    endings = (".csv", ".csv.gz", ".parquet")
    found = (p for p in folder.glob("*tissue_positions*") if p.name.endswith(endings))
    return sorted(found, key=lambda p: (not p.name.startswith("tissue"), p.name))


def read_positions(path: Path) -> pd.DataFrame:
    """Return the table of a positions file.

    Space Ranger 1 writes ``tissue_positions_list.csv`` without a header, 2 and later
    ``tissue_positions.csv`` with one, and Visium HD ``tissue_positions.parquet``. The
    header is looked for, not told from the name.

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
    with translate_errors(path, _WHAT):
        table = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    return _checked(table, path)


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path, engine="pyarrow")


def _csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    first = pd.read_csv(path, header=None, nrows=1, dtype=str)
    with_header = BARCODE in [str(cell).strip() for cell in first.iloc[0]]
    if with_header:
        return pd.read_csv(path, dtype={BARCODE: str}, skipinitialspace=True)
    if first.shape[1] != 1 + len(COLUMNS):
        raise InputError(
            f"Expected {_WHAT} {path} to have {1 + len(COLUMNS)} columns (barcode, "
            f"{', '.join(COLUMNS)}); found {first.shape[1]}."
        )
    names = [BARCODE, *COLUMNS]
    return pd.read_csv(path, header=None, names=names, dtype={BARCODE: str})


def _checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table by barcode, its columns there and numeric."""
    import numpy as np
    import pandas as pd

    table = table.rename(columns=_FULLRES)
    if BARCODE not in table and table.index.name == BARCODE:
        table = table.reset_index()
    missing = [c for c in (BARCODE, *COLUMNS) if c not in table]
    if missing:
        raise InputError(
            f"Expected {_WHAT} {path} to have the columns barcode, "
            f"{', '.join(COLUMNS)}; missing: {', '.join(missing)}; found: "
            f"{abbreviate(list(table.columns))}."
        )
    by_barcode = table.set_index(as_texts(table[BARCODE]))[list(COLUMNS)]
    numbers: pd.DataFrame = by_barcode.apply(pd.to_numeric, errors="coerce")
    bad = ~np.isfinite(numbers.to_numpy(dtype=float)).all(axis=1)
    if bad.any():
        raise InputError(
            f"Expected numbers in {_WHAT} {path}; {int(bad.sum())} of {len(bad)} rows "
            f"have none (first: {abbreviate(list(numbers.index[bad]), 3)})."
        )
    twice = numbers.index[numbers.index.duplicated()]
    if len(twice):
        raise InputError(
            f"Expected every barcode once in {_WHAT} {path}; {len(twice)} occur again "
            f"(first: {abbreviate(list(twice), 3)}). Remove the doubles."
        )
    return numbers


_OBS = ("in_tissue", "array_row", "array_col")


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
    spots = matrix[in_tissue].copy()
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
