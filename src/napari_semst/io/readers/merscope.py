"""MERSCOPE (Vizgen): cells with counts of a panel, and the mosaic of the slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.beside.noted_files import MERSCOPE
from napari_semst.io.checks import abbreviate, check_file, translate_errors
from napari_semst.io.formats.ngff import is_plain
from napari_semst.io.formats.text_tables import (
    peek,
    preview_tables,
    read_columns,
    read_head,
)
from napari_semst.io.formats.wide_tables import read_wide
from napari_semst.io.notes import warn
from napari_semst.io.outlines.instruments import remember_cells
from napari_semst.io.outlines.merscope_boundaries import merscope_file
from napari_semst.io.readers.cell_tables import (
    CellTables,
    as_numbers,
    cell_ids,
    id_columns,
    id_place,
    index_by_id,
    naming_columns,
    tissue_from_cells,
)
from napari_semst.io.transcripts.instruments import remember_molecules, table_beside

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions
    from napari_semst.io.readers.cell_tables import SectionImage

_COUNTS, _CELLS = "cell_by_gene", "cell_metadata"
_TRANSCRIPTS = "detected_transcripts"
_TRANSFORM = "micron_to_mosaic_pixel_transform.csv"
# What the column of ids is called, in lower case: by the instrument, by its tools, and
# by R and pandas, which number a column without a name or call it so.
_IDS = ("entityid", "cell", "cell_id", "cellid", "id", "x", "unnamed: 0", "")


@dataclass(frozen=True, slots=True)
class MerscopeFiles:
    """The files of one section that are read."""

    counts: Path
    cells: Path
    images: Path


def can_read(path: Path) -> bool:
    """Return whether a folder is an output of MERSCOPE, judged by its tables."""
    files = locate(path)
    if files is None:
        return False
    counts, cells = peek(files.counts, 2), peek(files.cells, 2)
    return (
        counts is not None
        and cells is not None
        and counts.names[id_place(counts.names, _IDS)].lower() in _IDS
        and {"center_x", "center_y"} <= set(cells.names)
    )


def locate(path: Path) -> MerscopeFiles | None:
    """Return the files of a section, told by their names.

    The path is the folder, or the table of counts in it. What stands before and behind
    the names, as downloads have it, does no harm.
    """
    folder = path if path.is_dir() else path.absolute().parent
    counts = [path] if path.is_file() else _counted(folder)
    if len(counts) != 1 or not _is_counts(counts[0].name):
        return None
    beside = folder / counts[0].name.replace(_COUNTS, _CELLS)
    places = [beside, beside.with_name(f"{beside.name}.gz"), beside.with_suffix("")]
    cells = next((p for p in places if p.is_file() and _is_table(p.name)), None)
    if cells is None:
        others = [p for p in sorted(folder.glob(f"*{_CELLS}*")) if _is_table(p.name)]
        cells = others[0] if len(others) == 1 == len(_counted(folder)) else None
    return None if cells is None else MerscopeFiles(counts[0], cells, folder / "images")


def looks_like(path: Path) -> bool:
    """Return whether the names of files are those of MERSCOPE, whatever is inside."""
    if path.is_dir():
        return any(_is_table(p.name) for p in path.glob(f"*{_CELLS}*")) or bool(
            _counted(path)
        )
    return locate(path) is not None


def _counted(folder: Path) -> list[Path]:
    """Return the tables of counts in a folder, told by their names."""
    return [p for p in sorted(folder.glob(f"*{_COUNTS}*")) if _is_counts(p.name)]


def _is_counts(name: str) -> bool:
    return _COUNTS in name and _is_table(name)


def _is_table(name: str) -> bool:
    return name.endswith((".csv", ".csv.gz"))


def tables(path: Path) -> list[Path]:
    """Return the files that counts and places are read from."""
    files = locate(path)
    return [] if files is None else [files.counts, files.cells]


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the cells of a section, coordinates in micrometres.

    Raises
    ------
    InputError
        If a table is damaged, or the tables are of different sections.
    """
    files = locate(path)
    if files is None:
        raise InputError(_missing(path))
    what = "the table of counts"
    columns = read_head(files.counts, what).names
    place = id_place(columns, _IDS)
    leading = set(columns[:place])
    ids, genes, counts = read_wide(
        files.counts, what, [place], lambda name: name not in leading
    )
    names = cell_ids(ids[place])
    cells = _cells(files, names)
    picture, doubt = _picture(files.images)
    found = CellTables(
        counts,
        names,
        genes,
        cells,
        "center_x",
        "center_y",
        _diameters(cells),
        1.0,
        (files.counts.name, files.cells.name),
    )
    tissue = tissue_from_cells(found, files.counts.absolute().parent.name, picture)
    warn(tissue, *doubt)
    remember_cells(tissue, MERSCOPE, merscope_file(files.counts, _COUNTS))
    molecules = table_beside(files.counts, _COUNTS, _TRANSCRIPTS)
    remember_molecules(tissue, MERSCOPE, molecules)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a section, by the names of `Preview`."""
    import pandas as pd

    from napari_semst.io.formats.tiff import tiff_size

    files = locate(path)
    if files is None:
        raise InputError(_missing(path))
    image = image_in(files.images)
    head = read_head(files.counts, files.counts.name)
    after = id_place(head.names, _IDS) + 1
    genes = head.names[after:]
    own = range(after, len(head.names))
    return preview_tables(files.counts, files.cells, own, head) | {
        "var": pd.DataFrame(index=list(genes)),
        "image": None if image is None else tiff_size(image),
    }


def image_in(folder: Path) -> Path | None:
    """Return the nuclei's mosaic of the middle slice, None without one."""
    mosaics = sorted(folder.glob("mosaic_DAPI_z*.tif")) if folder.is_dir() else []
    return mosaics[len(mosaics) // 2] if mosaics else None


def _cells(files: MerscopeFiles, names: pd.Index) -> pd.DataFrame:
    """Return the table of cells by id, the same ids as those of the counts."""
    what = "the table of cells"
    head = read_head(files.cells, what)
    columns = head.names
    missing = {"center_x", "center_y"} - set(columns)
    if missing:
        raise InputError(
            f"Expected {what} {files.cells} to have the columns center_x and center_y; "
            f"missing: {', '.join(sorted(missing))}; found: {abbreviate(columns)}. "
            "Choose another folder."
        )
    candidates = id_columns(columns, _IDS)
    if not {name.lower() for name in candidates} & set(_IDS):
        # One column that names cells is that of the ids; of several nobody knows.
        told = naming_columns(head, names)
        candidates = told if len(told) == 1 else candidates
    cells = index_by_id(read_columns(files.cells, what, candidates), candidates, names)
    named = {name.lower() for name in candidates} & set(_IDS)
    ids = cells.index
    if not named and not (ids.is_unique and ids.isin(names).any()):
        raise InputError(
            f"Expected {what} {files.cells} to have a column of the cells' ids, named "
            "EntityID, cell, cell_id, id or X, or without a name; found: "
            f"{abbreviate(columns)}. Name the column of ids so, or copy the file from "
            "the instrument again."
        )
    return cells


def _missing(path: Path) -> str:
    """Return what a folder lacks."""
    folder = path if path.is_dir() else path.absolute().parent
    counts = _counted(folder)
    wanted = (
        f"Expected one {_COUNTS}.csv and its {_CELLS}.csv (also with a prefix) in "
        f"{folder}"
    )
    if path.is_dir() and len(counts) > 1:
        return (
            f"{wanted}; found {len(counts)} tables of counts: "
            f"{abbreviate([p.name for p in counts])}. Open one of these tables."
        )
    if not counts:
        cells = sorted(p.name for p in folder.glob(f"*{_CELLS}*"))
        return (
            f"{wanted}; found no {_COUNTS}.csv, but {abbreviate(cells)}. Choose the "
            "folder that holds both."
        )
    return (
        f"{wanted}; found {path.name if path.is_file() else counts[0].name}, but not "
        f"its {_CELLS}.csv. Put it beside it."
    )


def _diameters(cells: pd.DataFrame) -> NDArray[np.float64] | None:
    """Return the diameters of cells from the boxes around them, in micrometres."""
    sides = ("min_x", "max_x", "min_y", "max_y")
    if not set(sides) <= set(cells):
        return None
    left, right, top, bottom = (as_numbers(cells[side]) for side in sides)
    return np.asarray(((right - left) + (bottom - top)) / 2)


def _picture(folder: Path) -> tuple[SectionImage | None, tuple[str, ...]]:
    """Return the nuclei's mosaic, and why there is none where one could be expected."""
    from napari_semst.io.formats.tiff import read_section_image

    mosaic = image_in(folder)
    if mosaic is None:
        return None, ()
    transform = folder / _TRANSFORM
    if not transform.is_file():
        return None, (
            f"There is no {_TRANSFORM} beside the images: where the cells are on them "
            "is unknown, and they are not shown.",
        )
    check_file(transform, "the transform of the image", at_most=2**20)
    with translate_errors(transform, "the transform of the image"):
        matrix = np.loadtxt(transform)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not is_plain(matrix):
        return None, (f"{_TRANSFORM} turns or bends the image: it is not shown.",)
    per_micron = float(matrix[0, 0])
    origin = (-matrix[0, 2] / per_micron, -matrix[1, 2] / per_micron)
    return read_section_image(mosaic, per_micron, origin)
