"""Visium HD: a run whose counts stand in square bins of several sizes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.notes import note
from napari_semst.io.readers import visium

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.io.options import ReadOptions

_BIN = re.compile(r"square_(\d{3})um")
_BINS = "binned_outputs"
# What the maker's own guides begin with: about the size of a cell.
USUAL = 8


def can_read(path: Path) -> bool:
    """Return whether a folder is a run of Visium HD, judged by one of its bins."""
    return any(visium.can_read(folder) for folder in bins_in(path).values())


def looks_like(path: Path) -> bool:
    """Return whether a folder's folders are named as those of Visium HD."""
    return bool(bins_in(path))


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
            f"Expected bins of {asked} micrometres in {path}; found bins of "
            f"{abbreviate(list(bins))}. Ask for one of these."
        )
    return asked, bins[asked]


def tables(path: Path) -> list[Path]:
    """Return the files that are read, of all bin sizes."""
    return [file for folder in bins_in(path).values() for file in visium.tables(folder)]


def read(path: Path, options: ReadOptions) -> AnnData:
    """Return one bin size of a run: 8 micrometres unless another is asked for.

    Raises
    ------
    InputError
        If there are no such bins, or a file is missing, damaged or of another run.
    """
    size, folder = choose_bin_folder(path, options)
    tissue = visium.read(folder, replace(options, part=None))
    others = [other for other in bins_in(path) if other != size]
    note(tissue, bin_size=size, other_bin_sizes=others)
    return tissue


def preview(path: Path, options: ReadOptions) -> dict[str, Any]:
    """Return what is known of the bins to read, by the names of `Preview`."""
    size, folder = choose_bin_folder(path, options)
    parts = tuple(map(_in_microns, bins_in(path)))
    return visium.preview(folder, replace(options, part=None)) | {
        "part": _in_microns(size),
        "parts": parts,
    }


def _in_microns(size: int) -> str:
    return f"bins of {size} micrometres"
