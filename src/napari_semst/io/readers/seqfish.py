"""seqFISH (Spatial Genomics): cells of a section, and the image of their nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats.sample_files import files_of_samples, sample_to_read
from napari_semst.io.formats.text_tables import (
    peek,
    preview_tables,
    read_columns,
    read_head,
)
from napari_semst.io.formats.wide_tables import read_wide
from napari_semst.io.notes import warn
from napari_semst.io.readers.cell_tables import (
    CellTables,
    as_numbers,
    cell_ids,
    disc_diameters,
    id_columns,
    id_place,
    index_by_id,
    tissue_from_cells,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from napari_semst.io.options import ReadOptions
    from napari_semst.io.readers.cell_tables import SectionImage

_COUNTS, _CELLS, _NUCLEI = (
    ("CellxGene", "CxG", "Counts"),
    ("CellCoordinates",),
    ("DAPI",),
)
_TABLES = (".csv",)
_IMAGES = (".ome.tiff", ".ome.tif", ".tiff", ".tif")
_X, _Y = "center_x", "center_y"
_IDS = ("label", "cell", "cell_id", "cellid", "id", "unnamed: 0", "")
# Shares of the image that cells reach over, if their unit is the one supposed.
_LEAST, _MOST = 0.55, 1.1


@dataclass(frozen=True, slots=True)
class SeqfishFiles:
    """The files of one section."""

    counts: Path
    cells: Path
    image: Path | None


def can_read(path: Path) -> bool:
    """Return whether a path holds a section of seqFISH, judged by its tables."""
    return any(
        (head := peek(files.cells, 2)) is not None
        and {_X, _Y} <= set(head.names)
        and peek(files.counts, 2) is not None
        for files in seqfish_sections(path).values()
    )


def seqfish_sections(path: Path) -> dict[str, SeqfishFiles]:
    """Return the sections in a folder by their name, told by the names of files.

    Parameters
    ----------
    path
        The folder, or the table of counts or of cells in it.
    """
    folder = path if path.is_dir() else path.absolute().parent
    cells = files_of_samples(folder, _CELLS, _TABLES)
    if not cells:
        return {}
    counts = files_of_samples(folder, _COUNTS, _TABLES)
    images = files_of_samples(folder / "images", _NUCLEI, _IMAGES)
    images |= files_of_samples(folder, _NUCLEI, _IMAGES)
    found = {
        sample: SeqfishFiles(counts[sample], table, images.get(sample))
        for sample, table in cells.items()
        if sample in counts
    }
    if path.is_dir():
        return found
    name = path.name
    return {s: f for s, f in found.items() if name in (f.counts.name, f.cells.name)}


def looks_like(path: Path) -> bool:
    """Return whether the names of files are those of seqFISH, whatever is inside."""
    if path.is_dir():
        return bool(files_of_samples(path, _CELLS, _TABLES))
    return bool(seqfish_sections(path))


def tables(path: Path) -> list[Path]:
    """Return the files that counts and places are read from."""
    found = seqfish_sections(path).values()
    return [file for files in found for file in (files.counts, files.cells)]


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return the cells of a section, coordinates as its table of cells has them.

    Versions write micrometres or pixels: the image of the nuclei tells which. Of
    several sections in a folder, the part names one.

    Raises
    ------
    InputError
        If a table is missing or damaged, or the tables are of different sections.
    """
    files = _chosen(path, options)
    what = "the table of counts"
    columns = read_head(files.counts, what).names
    place = id_place(columns, _IDS)
    leading = set(columns[:place])
    ids, genes, counts = read_wide(
        files.counts, what, [place], lambda name: name not in leading
    )
    names = cell_ids(ids[place])
    cells = _cells(files.cells, names)
    microns, picture, doubt = _scale(files, cells)
    found = CellTables(
        counts,
        names,
        genes,
        cells,
        _X,
        _Y,
        disc_diameters(cells["area"]) if "area" in cells else None,
        microns,
        (files.counts.name, files.cells.name),
    )
    tissue = tissue_from_cells(found, files.cells.name.split(".")[0], picture)
    warn(tissue, *doubt)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a section, by the names of `Preview`."""
    import pandas as pd

    from napari_semst.io.formats.tiff import tiff_size

    files = _chosen(path, options)
    head = read_head(files.counts, files.counts.name)
    after = id_place(head.names, _IDS) + 1
    genes = head.names[after:]
    own = range(after, len(head.names))
    return preview_tables(files.counts, files.cells, own, head) | {
        "var": pd.DataFrame(index=list(genes)),
        "image": None if files.image is None else tiff_size(files.image),
    }


def _chosen(path: Path, options: ReadOptions) -> SeqfishFiles:
    found = seqfish_sections(path)
    if not found:
        raise InputError(_missing(path))
    return found[sample_to_read(path, list(found), options.part)]


def _missing(path: Path) -> str:
    """Return what a folder lacks."""
    folder = path if path.is_dir() else path.absolute().parent
    cells = files_of_samples(folder, _CELLS, _TABLES)
    shown = abbreviate([file.name for file in cells.values()])
    return (
        f"Expected the two tables of a section of seqFISH in {folder}, "
        "*_CellxGene.csv (or *_CxG_*.csv) and *_CellCoordinates*.csv with the same "
        f"beginning and end; found {shown}, but no table of counts. Put it beside it."
    )


def _cells(path: Path, names: pd.Index) -> pd.DataFrame:
    """Return the table of cells by label, the same labels as those of the counts."""
    what = "the table of cells"
    columns = read_head(path, what).names
    missing = {_X, _Y} - set(columns)
    if missing:
        raise InputError(
            f"Expected {what} {path} to have the columns label, {_X} and {_Y}; "
            f"missing: {', '.join(sorted(missing))}; found: {abbreviate(columns)}. "
            "Choose another folder."
        )
    candidates = id_columns(columns, _IDS)
    return index_by_id(read_columns(path, what, candidates), candidates, names)


def _scale(
    files: SeqfishFiles, cells: pd.DataFrame
) -> tuple[float | None, SectionImage | None, tuple[str, ...]]:
    """Return micrometres in a unit of the places, the image, and what is to be said."""
    import numpy as np

    from napari_semst.io.formats.tiff import (
        pixel_size_in,
        read_section_image,
        tiff_size,
    )

    if files.image is None:
        return None, None, ()
    pixel = pixel_size_in(files.image)
    try:
        height, width = tiff_size(files.image)
    except InputError as error:
        return None, None, (str(error),)
    reach = max(
        np.nanmax(as_numbers(cells[name]), initial=0) / length
        for name, length in ((_X, width), (_Y, height))
    )
    in_pixels = _LEAST < reach <= _MOST
    in_microns = pixel is not None and _LEAST < reach / pixel <= _MOST
    if in_pixels == in_microns:
        return (
            None,
            None,
            (
                f"Whether {files.cells.name} is in pixels or micrometres cannot be "
                f"told from {files.image.name}: the image is not shown.",
            ),
        )
    per_unit = 1.0 if in_pixels or pixel is None else 1 / pixel
    picture, doubt = read_section_image(files.image, per_unit)
    microns = 1.0 if in_microns else pixel
    return microns, picture, doubt
