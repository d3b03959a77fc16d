"""Xenium (10x Genomics): cells of the output folder, in micrometres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.core.json_text import read_json
from napari_semst.errors import InputError
from napari_semst.io.beside.noted_files import XENIUM
from napari_semst.io.checks import MEGABYTE, abbreviate, check_file, translate_errors
from napari_semst.io.formats import tenx
from napari_semst.io.formats.parquet_tables import read_parquet_table
from napari_semst.io.formats.text_tables import peek, read_columns
from napari_semst.io.notes import note, warn
from napari_semst.io.outlines.instruments import remember_cells
from napari_semst.io.outlines.xenium_vertices import xenium_file
from napari_semst.io.readers.cell_tables import (
    CellTables,
    cell_ids,
    disc_diameters,
    id_columns,
    index_by_id,
    tissue_from_cells,
)
from napari_semst.io.transcripts.instruments import remember_molecules, table_in

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions
    from napari_semst.io.readers.cell_tables import SectionImage

_MATRIX, _ABOUT = "cell_feature_matrix", "experiment.xenium"
_TRANSCRIPTS = "transcripts"
_X, _Y = "x_centroid", "y_centroid"
# What the column of ids is called where another program rewrote the table.
_UNNAMED = ("unnamed: 0", "__index_level_0__", "")
_IDS = ("cell_id", "cellid", "cell", "barcode", "id", "x", *_UNNAMED)
# Micrometres in a pixel of the instrument, where the run does not say.
_PIXEL = 0.2125
# The nuclei's stain, as each version of the instrument names it, the newest first.
_NUCLEI = (
    "morphology_focus/ch0000_dapi.ome.tif",
    "morphology_focus/morphology_focus_0000.ome.tif",
    "morphology_focus.ome.tif",
    "morphology_mip.ome.tif",
)


@dataclass(frozen=True, slots=True)
class XeniumFiles:
    """The files of one run that are read."""

    folder: Path
    matrix: Path
    cells: Path
    image: Path | None


def can_read(path: Path) -> bool:
    """Return whether a folder is an output of Xenium, judged by matrix and cells."""
    files = locate(path)
    if files is None or not {_X, _Y} <= set(columns_of(files.cells)):
        return False
    matrix = files.matrix
    return tenx.is_mtx_folder(matrix) or tenx.can_read(matrix)


def locate(path: Path) -> XeniumFiles | None:
    """Return the files of a run, told by their names.

    The path is the folder, the one above its ``outs``, or ``experiment.xenium`` in it.
    """
    if path.is_file():
        if path.name != _ABOUT:
            return None
        path = path.absolute().parent
    for folder in (path, path / "outs"):
        matrix, cells = _matrix_in(folder), _cells_in(folder)
        if matrix is not None and cells is not None:
            images = (folder / name for name in _NUCLEI)
            image = next((file for file in images if file.is_file()), None)
            return XeniumFiles(folder, matrix, cells, image)
    return None


def looks_like(path: Path) -> bool:
    """Return whether the names of files are those of Xenium, whatever is inside."""
    folders = (path, path / "outs") if path.is_dir() else (path.absolute().parent,)
    if path.is_file() and path.name != _ABOUT:
        return False
    return any(
        (folder / _ABOUT).is_file()
        or _matrix_in(folder) is not None
        # The name of the table alone is one that anybody may give.
        or ((cells := _cells_in(folder)) is not None and _X in columns_of(cells))
        for folder in folders
    )


def _missing(path: Path) -> str:
    """Return what a folder lacks."""
    folder = path if path.is_dir() else path.absolute().parent
    places = (folder, folder / "outs")
    lacks = [
        name
        for name, look in (
            (f"{_MATRIX}.h5 (or the folder {_MATRIX})", _matrix_in),
            ("cells.parquet (or cells.csv.gz)", _cells_in),
        )
        if not any(look(place) for place in places)
    ]
    return (
        f"Expected a Xenium run in {folder}, with {_MATRIX}.h5 and cells.parquet; "
        f"missing: {', '.join(lacks) or 'both in one folder'}. Choose the output "
        "folder of the run, or copy the whole of it."
    )


def columns_of(cells: Path) -> tuple[str, ...]:
    """Return the columns of the table of cells, without reading it."""
    if cells.suffix == ".parquet":
        from pyarrow import parquet

        with translate_errors(cells, "the table of cells"):
            return tuple(parquet.read_schema(cells).names)
    head = peek(cells, 1)
    return () if head is None else head.names


def tables(path: Path) -> list[Path]:
    """Return the files that counts and places are read from."""
    files = locate(path)
    if files is None:
        return []
    return [files.matrix, files.cells]


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the cells of a run, coordinates in micrometres.

    The image is that of the nuclei.

    Raises
    ------
    InputError
        If a file is missing, damaged or belongs to another run.
    """
    files = locate(path)
    if files is None:
        raise InputError(_missing(path))
    matrix = tenx.read_matrix(files.matrix, on_disk=options.on_disk)
    matrix.obs_names = cell_ids(matrix.obs_names.to_series())
    cells = _cells(files.cells, matrix.obs_names)
    about = _about(files.folder)
    pixel = _pixel_size(about, files.folder)
    picture, doubt = _picture(files, pixel)
    found = CellTables(
        matrix.X,
        matrix.obs_names,
        list(matrix.var_names),
        cells,
        _X,
        _Y,
        _diameters(cells),
        1.0,
        (files.matrix.name, files.cells.name),
        {name: matrix.var[name].to_numpy() for name in matrix.var},
    )
    tissue = tissue_from_cells(found, _library(about, files.folder), picture)
    _note_units(tissue, about, pixel, picture is not None)
    warn(tissue, *doubt)
    remember_cells(tissue, XENIUM, xenium_file(files.folder))
    remember_molecules(tissue, XENIUM, table_in(files.folder, _TRANSCRIPTS))
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a run, by the names of `Preview`."""
    from napari_semst.io.formats.tiff import tiff_size

    files = locate(path)
    if files is None:
        raise InputError(_missing(path))
    n_spots, n_genes = tenx.matrix_size(files.matrix)
    return {
        "n_spots": n_spots,
        "n_genes": n_genes,
        "var": tenx.matrix_features(files.matrix),
        "counts": files.matrix.name,
        "coordinates": files.cells.name,
        "image": None if files.image is None else tiff_size(files.image),
        "columns": columns_of(files.cells),
    }


def _matrix_in(folder: Path) -> Path | None:
    if (folder / f"{_MATRIX}.h5").is_file():
        return folder / f"{_MATRIX}.h5"
    return folder / _MATRIX if tenx.is_mtx_folder(folder / _MATRIX) else None


def _cells_in(folder: Path) -> Path | None:
    names = ("cells.parquet", "cells.csv.gz", "cells.csv")
    return next((folder / n for n in names if (folder / n).is_file()), None)


def _cells(path: Path, names: pd.Index) -> pd.DataFrame:
    """Return the table of cells by id, whatever the version writes ids as."""
    what = "the table of cells"
    columns = columns_of(path)
    candidates = id_columns(columns, _IDS)
    if path.suffix == ".parquet":
        check_file(path, what)
        with translate_errors(path, what):
            # Ids that pandas kept as names of rows are a column again.
            cells = read_parquet_table(path, what).to_pandas(ignore_metadata=True)
        for name in {*candidates} & {*cells}:
            cells[name] = cells[name].map(_text)
    else:
        cells = read_columns(path, what, candidates)
    missing = {_X, _Y} - set(cells)
    if missing:
        raise InputError(
            f"Expected {what} {path} to have the columns cell_id, {_X} and {_Y}; "
            f"missing: {', '.join(sorted(missing))}; found: {abbreviate(list(cells))}. "
            "Choose the output folder of a run."
        )
    cells = index_by_id(cells, candidates, names)
    if "cell_id" not in columns and not cells.index.isin(names).any():
        raise InputError(
            f"Expected {what} {path} to name the cells of the matrix in a column "
            f"cell_id, or in one without a name; found: {abbreviate(columns)}. Name "
            "the column of ids cell_id, or copy the file from the instrument again."
        )
    return cells


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _about(folder: Path) -> dict[str, Any]:
    """Return what the run says of itself, empty where it says nothing."""
    path = folder / _ABOUT
    if not path.is_file():
        return {}
    what = "the description of the run"
    check_file(path, what, at_most=MEGABYTE)
    with translate_errors(path, what):
        about = read_json(path)
    return about if isinstance(about, dict) else {}


def _pixel_size(about: dict[str, Any], folder: Path) -> float:
    """Return the micrometres in a pixel of the images, the usual ones if not told."""
    value = about.get("pixel_size", _PIXEL)
    if not isinstance(value, int | float) or not 0 < value < 100:
        raise InputError(
            f"Expected pixel_size in {folder / _ABOUT} to be a positive number of "
            f"micrometres; got {value!r}. Copy the file from the instrument again."
        )
    return float(value)


def _note_units(
    tissue: AnnData, about: dict[str, Any], pixel: float, has_image: bool
) -> None:
    """Note what the run says of its units, and what is assumed where it is silent."""
    if "pixel_size" in about:
        note(tissue, pixel_size=pixel)
        return
    placed = f"the image is placed by the usual {pixel} micrometres in a pixel"
    if about:
        told = [f"{_ABOUT} states no pixel size: {placed}."] if has_image else []
    else:
        note(tissue, unit="micrometre (assumed)")
        also = f", and {placed}" if has_image else ""
        told = [
            f"There is no {_ABOUT} beside the cells: their places are taken to be in "
            f"micrometres, as Xenium writes them{also}."
        ]
    warn(tissue, *told)


def _library(about: dict[str, Any], folder: Path) -> str:
    name = about.get("region_name") or folder.absolute().name
    return str(name)


def _diameters(cells: pd.DataFrame) -> NDArray[np.float64] | None:
    """Return diameters of discs of the cells' areas, in micrometres."""
    if "cell_area" not in cells:
        return None
    return disc_diameters(cells["cell_area"])


def _picture(
    files: XeniumFiles, pixel: float
) -> tuple[SectionImage | None, tuple[str, ...]]:
    from napari_semst.io.formats.tiff import read_section_image

    return (
        (None, ())
        if files.image is None
        else read_section_image(files.image, 1 / pixel)
    )
