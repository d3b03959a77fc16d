"""Visium HD: a run whose counts stand in square bins of several sizes, or in cells."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats import tenx
from napari_semst.io.notes import note
from napari_semst.io.readers import visium
from napari_semst.io.readers.visium_cells import (
    SegmentedFiles,
    files_of_segmented,
    part_meant,
    preview_segmented,
    read_segmented,
    segmented_in,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

_BIN = re.compile(r"square_(\d{3})um")
_BINS = "binned_outputs"
# What the maker's own guides begin with: about the size of a cell.
USUAL = 8


def can_read(path: Path) -> bool:
    """Return whether a folder is a run of Visium HD, judged by its bins or cells."""
    if any(visium.can_read(folder) for folder in bins_in(path).values()):
        return True
    cells = segmented_in(path)
    return cells is not None and (
        tenx.is_mtx_folder(cells.matrix) or tenx.can_read(cells.matrix)
    )


def looks_like(path: Path) -> bool:
    """Return whether a folder's files are named as those of Visium HD."""
    return bool(bins_in(path)) or segmented_in(path) is not None


def bins_in(path: Path) -> dict[int, Path]:
    """Return the folders of a run by bin size in micrometres, the smallest first.

    The path is the folder ``outs``, the one above it, or ``binned_outputs`` in it.
    """
    for run in (path / _BINS, path / "outs" / _BINS, path):
        found = {
            int(told[1]): folder
            for folder in (run.glob("square_*") if run.is_dir() else ())
            if (told := _BIN.fullmatch(folder.name)) and folder.is_dir()
        }
        if found:
            return dict(sorted(found.items()))
    return {}


def choose_bin_folder(path: Path, options: ReadOptions) -> tuple[int, Path]:
    """Return the bin size to read and its folder: the one asked for, else 8.

    Raises
    ------
    InputError
        If the run has no bins of the size asked for.
    """
    bins = bins_in(path)
    asked = options.bin_size("Visium HD in micrometres")
    if asked is None:
        # Without bins of 8 micrometres, the next larger ones.
        asked = next((size for size in bins if size >= USUAL), max(bins, default=USUAL))
    if asked not in bins:
        raise InputError(
            f"Expected bins of {asked} micrometres in {path}; found "
            f"{_found_in(path)}. Ask for one of these."
        )
    return asked, bins[asked]


def tables(path: Path) -> list[Path]:
    """Return the files that are read, of all bin sizes and of the cells."""
    cells = segmented_in(path)
    of_bins = [
        file for inner in bins_in(path).values() for file in visium.tables(inner)
    ]
    return of_bins + ([] if cells is None else files_of_segmented(cells))


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return one part of a run: bins of 8 micrometres unless another is asked for.

    A run without bins is read as its segmented cells.

    Raises
    ------
    InputError
        If there is no such part, or a file is missing, damaged or of another run.
    """
    part = _cells_asked(path, options)
    if part is not None:
        cells = _segmented(path)
        tissue = read_segmented(cells, part)
        note(tissue, other_bin_sizes=list(bins_in(path)))
        return tissue
    size, folder = choose_bin_folder(path, options)
    tissue = visium.read(folder, replace(options, part=None))
    others = [other for other in bins_in(path) if other != size]
    note(tissue, bin_size=size, other_bin_sizes=others)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of the part to read, by the names of `Preview`."""
    part, parts = _cells_asked(path, options), tuple(_parts_of(path))
    if part is not None:
        return preview_segmented(_segmented(path), part) | {
            "part": part,
            "parts": parts,
        }
    size, folder = choose_bin_folder(path, options)
    found = visium.preview(folder, replace(options, part=None))
    return found | {"part": _in_microns(size), "parts": parts}


def _cells_asked(path: Path, options: ReadOptions) -> str | None:
    """Return the part of the segmented cells to read, None for bins."""
    if options.part is not None:
        return part_meant(options.part)
    cells = segmented_in(path)
    return None if cells is None or bins_in(path) else next(iter(cells.outlines))


def _segmented(path: Path) -> SegmentedFiles:
    cells = segmented_in(path)
    if cells is None:
        raise InputError(
            f"Expected segmented cells in {path} (filtered_feature_cell_matrix.h5 and "
            "cell_segmentations.geojson in segmented_outputs); found "
            f"{_found_in(path)}. Ask for one of these."
        )
    return cells


def _found_in(path: Path) -> str:
    """Return all that can be read of a run in a sentence."""
    bins, cells = list(bins_in(path)), segmented_in(path)
    sizes = [f"bins of {abbreviate(bins)} micrometres"] if bins else []
    return " and ".join([*sizes, *(cells.outlines if cells else ())])


def _parts_of(path: Path) -> list[str]:
    """Return all that can be read of a run, as users say it."""
    cells = segmented_in(path)
    return [*map(_in_microns, bins_in(path)), *(cells.outlines if cells else ())]


def _in_microns(size: int) -> str:
    return f"bins of {size} micrometres"
