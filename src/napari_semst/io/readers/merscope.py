"""MERSCOPE (Vizgen): cells with counts of a panel, and the mosaic of the slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import check_file, translate_errors
from napari_semst.io.formats.ngff import is_plain
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
    tissue_from_cells,
)
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.options import ReadOptions
    from napari_semst.io.readers.cell_tables import SectionImage

_COUNTS, _CELLS = "cell_by_gene.csv", "cell_metadata.csv"
_TRANSFORM = "micron_to_mosaic_pixel_transform.csv"
_IDS = ("cell", "EntityID", "cell_id", "")
# Codes of the panel that stand for no gene and measure what is misread.
_NO_GENES = ("blank", "sequential_control")


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
        and counts.names[0] in _IDS
        and {"center_x", "center_y"} <= set(cells.names)
    )


def locate(path: Path) -> MerscopeFiles | None:
    """Return the files of a section, told by their names.

    The path is the folder, or the table of counts in it. A prefix before the names, as
    downloads have it, does no harm.
    """
    folder = path if path.is_dir() else path.absolute().parent
    tables = [path] if path.is_file() else sorted(folder.glob(f"*{_COUNTS}"))
    if len(tables) != 1 or not tables[0].name.endswith(_COUNTS):
        return None
    prefix = tables[0].name.removesuffix(_COUNTS)
    cells = folder / f"{prefix}{_CELLS}"
    return (
        MerscopeFiles(tables[0], cells, folder / "images") if cells.is_file() else None
    )


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
        raise InputError(
            f"Expected one {_COUNTS} and its {_CELLS} in {path}; one of them is not "
            "there. Choose the folder that holds both."
        )
    ids, genes, counts = read_wide(
        files.counts, "the table of counts", [0], lambda name: True
    )
    kept = [i for i, gene in enumerate(genes) if is_gene(gene)]
    cells = _cells(files.cells)
    picture, doubt = _picture(files.images)
    found = CellTables(
        counts if len(kept) == len(genes) else counts[:, kept],
        _names(ids[0]),
        [genes[i] for i in kept],
        cells,
        "center_x",
        "center_y",
        _diameters(cells),
        1.0,
        (files.counts.name, files.cells.name),
    )
    tissue = tissue_from_cells(found, files.counts.absolute().parent.name, picture)
    note(tissue, not_genes=len(genes) - len(kept))
    warn(tissue, *doubt)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of a section, by the names of `Preview`."""
    from napari_semst.io.formats.tiff import tiff_size

    files = locate(path)
    if files is None:
        raise InputError(f"Expected a MERSCOPE folder at {path}; found none.")
    image = image_in(files.images)
    head = read_head(files.counts, files.counts.name)
    genes = [name for name in head.names[1:] if is_gene(name)]
    return preview_tables(files.counts, files.cells, len(genes), head) | {
        "image": None if image is None else tiff_size(image)
    }


def is_gene(name: str) -> bool:
    """Return whether a column of counts is a gene, not a code that stands for none."""
    return not name.lower().startswith(_NO_GENES)


def image_in(folder: Path) -> Path | None:
    """Return the nuclei's mosaic of the middle slice, None without one."""
    mosaics = sorted(folder.glob("mosaic_DAPI_z*.tif")) if folder.is_dir() else []
    return mosaics[len(mosaics) // 2] if mosaics else None


def _names(values: pd.Series) -> pd.Index:
    """Return names of cells: numbers of up to 19 digits, kept as text."""
    import pandas as pd

    # pandas itself writes some of them as 12.0.
    return pd.Index(as_texts(values).str.strip().str.removesuffix(".0"))


def _cells(path: Path) -> pd.DataFrame:
    what = "the table of cells"
    head = peek(path, 1)
    first = "" if head is None else head.names[0]
    if first not in _IDS:
        first = "EntityID"
    cells = read_columns(path, what, [first])
    missing = {first, "center_x", "center_y"} - set(cells)
    if missing:
        raise InputError(
            f"Expected {what} {path} to have the columns center_x and center_y; "
            f"missing: {', '.join(sorted(missing))}. Choose another folder."
        )
    return cells.drop(columns=first).set_index(_names(cells[first]))


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
