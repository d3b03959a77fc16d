"""CosMx (NanoString, Bruker): the flat files of a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.genes.feature_kinds import is_gene
from napari_semst.io.beside.noted_files import COSMX
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats.text_tables import peek, preview_tables, read_head
from napari_semst.io.formats.wide_tables import read_wide
from napari_semst.io.notes import warn
from napari_semst.io.outlines.cosmx_polygons import cosmx_file
from napari_semst.io.outlines.instruments import remember_cells
from napari_semst.io.readers.cell_tables import (
    CellTables,
    as_numbers,
    disc_diameters,
    tissue_from_cells,
)
from napari_semst.io.readers.cosmx_cells import (
    PIXEL,
    cell_names,
    cosmx_keys,
    is_key,
    joined,
    names_places,
    read_cells,
)
from napari_semst.io.transcripts.instruments import remember_molecules, table_beside

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions
    from napari_semst.io.readers.cosmx_cells import CosmxCells

_COUNTS, _CELLS, _VIEWS = (
    "exprMat_file.csv",
    "metadata_file.csv",
    "fov_positions_file.csv",
)
_TRANSCRIPTS = "tx_file"


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
    heads = (peek(files.counts, 2), peek(files.cells, 2))
    return all(head is not None and cosmx_keys(head) is not None for head in heads)


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
    cells, views = (_beside(folder, prefix, name) for name in (_CELLS, _VIEWS))
    return None if cells is None else CosmxFiles(tables[0], cells, views)


def _beside(folder: Path, prefix: str, name: str) -> Path | None:
    """Return a file with the prefix of the counts, or else the only one of its kind."""
    ends = ("", ".gz")
    own = (folder / f"{prefix}{name}{end}" for end in ends)
    others = [p for end in ends for p in folder.glob(f"*{name}{end}") if p.is_file()]
    only_slide = len(list(folder.glob(f"*{_COUNTS}*"))) == 1
    other = others[0] if len(others) == 1 and only_slide else None
    return next((p for p in own if p.is_file()), other)


def looks_like(path: Path) -> bool:
    """Return whether the names of files are those of CosMx, whatever is inside."""
    if path.is_dir():
        return any(any(path.glob(f"*{name}*")) for name in (_COUNTS, _CELLS))
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

    Slides whose tables place cells in millimetres only are read in micrometres. What
    lies outside of cells (``cell_ID`` 0) is left out. Cells are named ``fov_cell``.

    Raises
    ------
    InputError
        If a table is damaged, or the tables are of different slides.
    """
    files = locate(path)
    if files is None:
        raise InputError(_missing(path))
    what = "the table of counts"
    head = read_head(files.counts, what)
    keys = cosmx_keys(head)
    if keys is None:
        raise InputError(
            f"Expected {what} {files.counts} to have the columns fov and cell_ID; "
            f"found {abbreviate(head.names)}. Choose another folder."
        )
    ids = [head.names.index(key) for key in keys.columns()]
    table, genes, counts = read_wide(
        files.counts, what, ids, lambda name: not is_key(name)
    )
    told = cell_names(table, ids)
    inside = np.flatnonzero((told["cell"] != "0").to_numpy())
    kept = [i for i, gene in enumerate(genes) if is_gene(gene)]
    names, counts = joined(told)[inside], counts[inside]
    cells = read_cells(files.cells, files.views, names, counts[:, kept])
    found = CellTables(
        counts,
        names,
        genes,
        cells.table,
        cells.x,
        cells.y,
        _diameters(cells),
        cells.microns,
        (files.counts.name, files.cells.name),
        places=cells.places,
    )
    tissue = tissue_from_cells(found, files.counts.name.split(f"_{_COUNTS}")[0])
    warn(tissue, *cells.remarks)
    if len(broken := counts.data[counts.data % 1 != 0][:1]):
        warn(tissue, _no_counts(files.counts.name, float(broken[0])))
    # Of places in millimetres it is not known how the pixels of outlines lie to them.
    if cells.microns is None:
        remember_cells(tissue, COSMX, cosmx_file(files.counts, _COUNTS))
        name = _COUNTS.removesuffix(".csv")
        molecules = table_beside(files.counts, name, _TRANSCRIPTS)
        remember_molecules(tissue, COSMX, molecules)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a slide, by the names of `Preview`."""
    import pandas as pd

    files = locate(path)
    if files is None:
        raise InputError(_missing(path))
    head = read_head(files.counts, files.counts.name)
    own = [i for i, name in enumerate(head.names) if not is_key(name)]
    values = [float(row[i]) for row in head.rows for i in own if _is_broken(row[i])]
    found = preview_tables(files.counts, files.cells, own, head)
    found["var"] = pd.DataFrame(index=[head.names[i] for i in own])
    if not names_places(read_head(files.cells, files.cells.name).names, files.views):
        found["coordinates"] = ""
    if values:
        found |= {"remarks": (_no_counts(files.counts.name, values[0]),), "counts": ""}
    return found


def _is_broken(text: str) -> bool:
    """Return whether a field holds a number that is not whole."""
    try:
        return float(text) % 1 > 0
    except ValueError:
        return False


def _no_counts(name: str, value: float) -> str:
    """Return what to say of values that are not whole numbers."""
    return (
        f"{name} holds values that are not whole numbers, such as {value:.4g}: "
        "intensities, as the protein assay has, or values that were normalised. "
        "Domains are found from counts: open the flat files of an RNA assay."
    )


def _missing(path: Path) -> str:
    """Return what a folder lacks."""
    folder = path if path.is_dir() else path.absolute().parent
    counts = (
        [path.name] if path.is_file() else [p.name for p in folder.glob(f"*{_COUNTS}*")]
    )
    wanted = f"Expected one *{_COUNTS} and its *{_CELLS} (also with .gz) in {folder}"
    if len(counts) > 1:
        return (
            f"{wanted}; found {len(counts)} tables of counts: "
            f"{abbreviate(sorted(counts))}. Open one of these tables."
        )
    if not counts:
        cells = sorted(p.name for p in folder.glob(f"*{_CELLS}*"))
        return (
            f"{wanted}; found no *{_COUNTS}, but {abbreviate(cells)}. Choose the "
            "folder that holds both."
        )
    return f"{wanted}; found {counts[0]}, but not its *{_CELLS}. Put it beside it."


def _diameters(cells: CosmxCells) -> NDArray[np.float64] | None:
    """Return diameters of discs of the cells' areas, in the unit of their places."""
    table = cells.table
    if "Area" in table:
        pixels = disc_diameters(table["Area"])
    elif {"Width", "Height"} <= set(table):
        pixels = (as_numbers(table["Width"]) + as_numbers(table["Height"])) / 2
    else:
        return None
    return pixels if cells.microns is None else pixels * PIXEL / cells.microns
