"""CosMx (NanoString, Bruker): the flat files of a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats.text_tables import (
    peek,
    preview_tables,
    read_columns,
    read_head,
)
from napari_semst.io.formats.wide_tables import read_wide
from napari_semst.io.notes import note, warn
from napari_semst.io.readers.cell_tables import (
    CellTables,
    as_numbers,
    disc_diameters,
    tissue_from_cells,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions

_COUNTS, _CELLS, _VIEWS = (
    "exprMat_file.csv",
    "metadata_file.csv",
    "fov_positions_file.csv",
)
_KEYS = ("fov", "cell_ID")
_X, _Y = "CenterX_global_px", "CenterY_global_px"
_LOCAL = ("CenterX_local_px", "CenterY_local_px")
# Probes and codes that stand for no gene and measure what is misread.
_NO_GENES = ("negprb", "negative", "systemcontrol", "falsecode")
_NOT_COUNTS = ("cell", "cell_id", "slide")


@dataclass(frozen=True, slots=True)
class CosmxFiles:
    """The files of one slide that are read."""

    counts: Path
    cells: Path
    views: Path | None


def can_read(path: Path) -> bool:
    """Return whether a folder holds a slide of CosMx, judged by its tables."""
    files = locate(path)
    if files is None:
        return False
    counts, cells = peek(files.counts, 2), peek(files.cells, 2)
    return (
        counts is not None
        and cells is not None
        and set(_KEYS) <= set(counts.names)
        and set(_KEYS) <= set(cells.names)
    )


def locate(path: Path) -> CosmxFiles | None:
    """Return the files of a slide, told by their names.

    The path is the folder, or the table of counts in it.
    """
    folder = path if path.is_dir() else path.absolute().parent
    tables = [path] if path.is_file() else sorted(folder.glob(f"*{_COUNTS}*"))
    tables = [t for t in tables if t.name.endswith((_COUNTS, f"{_COUNTS}.gz"))]
    if len(tables) != 1:
        return None
    prefix = tables[0].name.removesuffix(".gz").removesuffix(_COUNTS)
    beside = {}
    for name in (_CELLS, _VIEWS):
        places = (folder / f"{prefix}{name}", folder / f"{prefix}{name}.gz")
        beside[name] = next((p for p in places if p.is_file()), None)
    cells = beside[_CELLS]
    return None if cells is None else CosmxFiles(tables[0], cells, beside[_VIEWS])


def looks_like(path: Path) -> bool:
    """Return whether the names of files are those of CosMx, whatever is inside."""
    if path.is_dir():
        return any(path.glob(f"*{_COUNTS}*"))
    return locate(path) is not None


def tables(path: Path) -> list[Path]:
    """Return the files that counts and places are read from."""
    files = locate(path)
    return (
        []
        if files is None
        else [
            file
            for file in (files.counts, files.cells, files.views)
            if file is not None
        ]
    )


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the cells of a slide, coordinates in pixels of the instrument.

    What lies outside of cells (``cell_ID`` 0) and probes that stand for no gene are
    left out. Cells are named ``fov_cell``.

    Raises
    ------
    InputError
        If a table is damaged, or the tables are of different slides.
    """
    files = locate(path)
    if files is None:
        raise InputError(
            f"Expected one *{_COUNTS} and its *{_CELLS} (also with .gz) in {path}; one "
            "of them is not there. Choose the folder that holds both."
        )
    what = "the table of counts"
    columns = list(getattr(peek(files.counts, 1), "names", ()))
    ids = [columns.index(key) for key in _KEYS if key in columns]
    if len(ids) != len(_KEYS):
        raise InputError(
            f"Expected {what} {files.counts} to have the columns fov and cell_ID; "
            f"found {abbreviate(columns)}. Choose another folder."
        )
    table, genes, counts = read_wide(
        files.counts, what, ids, lambda name: name.lower() not in _NOT_COUNTS
    )
    inside = np.flatnonzero((table[ids[1]] != "0").to_numpy())
    kept = [i for i, gene in enumerate(genes) if is_gene(gene)]
    cells = _cells(files)
    found = CellTables(
        counts[inside][:, kept],
        _names(table[ids[0]], table[ids[1]])[inside],
        [genes[i] for i in kept],
        cells,
        _X,
        _Y,
        _diameters(cells),
        None,
        (files.counts.name, files.cells.name),
    )
    tissue = tissue_from_cells(found, files.counts.name.split(f"_{_COUNTS}")[0])
    note(tissue, not_genes=len(genes) - len(kept))
    if not len(kept):
        warn(tissue, f"{files.counts.name} names no gene.")
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a slide, by the names of `Preview`."""
    files = locate(path)
    if files is None:
        raise InputError(f"Expected a CosMx folder at {path}; found none.")
    head = read_head(files.counts, files.counts.name)
    genes = [name for name in head.names if is_gene(name)]
    return preview_tables(files.counts, files.cells, len(genes), head)


def is_gene(name: str) -> bool:
    """Return whether a column of the table of counts is a gene."""
    told = name.lower()
    return told not in (*_NOT_COUNTS, "fov") and not told.startswith(_NO_GENES)


def _names(views: pd.Series, cells: pd.Series) -> pd.Index:
    import pandas as pd

    return pd.Index(views.astype(str) + "_" + cells.astype(str))


def _cells(files: CosmxFiles) -> pd.DataFrame:
    """Return the table of cells by name, with places on the whole slide."""
    what = "the table of cells"
    cells = read_columns(files.cells, what, _KEYS)
    missing = set(_KEYS) - set(cells)
    if missing:
        raise InputError(
            f"Expected {what} {files.cells} to have the columns fov and cell_ID; found "
            f"{abbreviate(list(cells))}. Choose another folder."
        )
    if not {_X, _Y} <= set(cells):
        cells = _on_the_slide(cells, files, what)
    return cells.set_index(_names(cells[_KEYS[0]], cells[_KEYS[1]]))


def _on_the_slide(cells: pd.DataFrame, files: CosmxFiles, what: str) -> pd.DataFrame:
    """Return cells whose places in a field of view were moved to where that lies."""
    if files.views is None or not set(_LOCAL) <= set(cells):
        raise InputError(
            f"Expected {what} {files.cells} to have the columns {_X} and {_Y}, or "
            f"{' and '.join(_LOCAL)} with a file *{_VIEWS} beside it; found "
            f"{abbreviate(list(cells))}. Export the flat files again."
        )
    told = "the table of fields of view"
    views = read_columns(files.views, told, ["fov", "FOV"])
    views = views.rename(columns={"FOV": "fov"})
    corners = ("x_global_px", "y_global_px")
    missing = [name for name in ("fov", *corners) if name not in views]
    if missing:
        raise InputError(
            f"Expected {told} {files.views} to have the columns fov, "
            f"{', '.join(corners)}; missing: {', '.join(missing)}. Export the "
            "flat files again."
        )
    corner = views.drop_duplicates("fov").set_index("fov")
    return cells.assign(
        **{
            name: as_numbers(cells[local]) + as_numbers(cells["fov"].map(corner[edge]))
            for name, local, edge in zip((_X, _Y), _LOCAL, corners, strict=True)
        }
    )


def _diameters(cells: pd.DataFrame) -> NDArray[np.float64] | None:
    """Return diameters of discs of the cells' areas, in pixels."""
    if "Area" in cells:
        return disc_diameters(cells["Area"])
    if {"Width", "Height"} <= set(cells):
        return (as_numbers(cells["Width"]) + as_numbers(cells["Height"])) / 2
    return None
