"""Where the outlines of a tissue's cells are; nothing is read before it is asked for.

Outlines stay in the files that the tissue was read from.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.io.beside.kept_with import KeptWith
from napari_semst.io.outlines.cell_outlines import (
    CellOutlines,
    concat_outlines,
    outlines_from_rings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.outlines.cell_outlines import Rings

# Of the cells of a section, how many must lie within their own outline at least.
_MOST_INSIDE = 0.5
# How much wider an outline is taken to be in that, as a share of its side.
_SLACK = 0.25


@dataclass(eq=False)
class OutlineSource:
    """Where outlines are, and of which cells.

    Parameters
    ----------
    file
        That holds them, for what users are told.
    names
        Of the tissue's cells as they were read.
    load
        Reads them, in the order of the names.
    """

    file: Path
    names: pd.Index
    load: Callable[[], CellOutlines]
    _read: CellOutlines | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def outlines(self, names: pd.Index) -> CellOutlines:
        """Return the outlines of cells by name, read once; empty for new names."""
        with self._lock:
            if self._read is None:
                self._read = self.load()
        if self.names.equals(names):
            return self._read
        return self._read.take(self.names.get_indexer(names))


_SOURCES: KeptWith[OutlineSource] = KeptWith()


def remember_outlines(tissue: AnnData, file: Path, load: Callable[[], Rings]) -> None:
    """Let a tissue know where the outlines of its cells are.

    Parameters
    ----------
    tissue
        As it was read.
    file
        That holds the outlines.
    load
        Reads them. It is called by another thread, once, and not before outlines are
        asked for.
    """
    n_cells = tissue.n_obs

    def read() -> CellOutlines:
        return outlines_from_rings(load(), n_cells)

    _SOURCES.put(tissue, OutlineSource(file, tissue.obs_names, read))


def pass_on_outlines(tissue: AnnData, copy: AnnData) -> None:
    """Let a copy of a tissue, or one of fewer cells, know of its outlines too."""
    _SOURCES.pass_on(tissue, copy)


def join_outline_sources(joined: AnnData, tissues: Sequence[AnnData]) -> None:
    """Let a tissue that was joined of others know of their outlines.

    Parameters
    ----------
    joined
        Its rows are those of the tissues one after another.
    tissues
        Of which some may have outlines.
    """
    found = [(_SOURCES.get(tissue), tissue.obs_names) for tissue in tissues]
    files = [source.file for source, _ in found if source is not None]
    if not files:
        return

    def read() -> CellOutlines:
        return concat_outlines(
            [
                _nothing(len(names)) if source is None else source.outlines(names)
                for source, names in found
            ]
        )

    _SOURCES.put(joined, OutlineSource(files[0], joined.obs_names, read))


def has_outlines(tissue: AnnData) -> bool:
    """Return whether it is known where the outlines of a tissue's cells are."""
    return tissue in _SOURCES


def read_outlines(tissue: AnnData) -> CellOutlines | None:
    """Return the outlines of a tissue's cells, read when first asked for.

    A million cells of 13 corners take some 110 MB, which are kept with the tissue.

    Parameters
    ----------
    tissue
        As it was read, or with fewer cells.

    Returns
    -------
    CellOutlines or None
        In the order of its rows; None where no file with outlines is known.

    Raises
    ------
    InputError
        If the file is gone or damaged, holds outlines of none of the cells, or the
        cells lie elsewhere.
    """
    source = _SOURCES.get(tissue)
    if source is None:
        return None
    outlines = source.outlines(tissue.obs_names)
    if not outlines.n_corners.any():
        raise InputError(
            f"Expected outlines of the section's cells in {source.file}; found none of "
            "the same names. The file may be of another section."
        )
    _check_places(outlines, tissue, source.file)
    return outlines


def _nothing(n_cells: int) -> CellOutlines:
    return CellOutlines(np.empty((0, 2), np.float32), np.zeros(n_cells + 1, np.int64))


def _check_places(outlines: CellOutlines, tissue: AnnData, file: Path) -> None:
    """Refuse outlines that do not lie on their cells."""
    least, most = outlines.boxes()
    places = np.asarray(tissue.obsm[keys.SPATIAL], np.float64)[:, :2]
    slack = _SLACK * (most - least)
    within = (places >= least - slack) & (places <= most + slack)
    inside = np.asarray(within.all(axis=1))
    for section in _sections(tissue):
        there = outlines.n_corners[section] > 0
        n_there, n_inside = int(there.sum()), int(inside[section].sum())
        if n_inside < _MOST_INSIDE * n_there:
            raise InputError(
                f"Expected the outlines in {file} to lie on their cells; "
                f"{n_there - n_inside:,} of {n_there:,} cells lie outside of theirs. "
                "The file may be of another section, or in another unit."
            )


def _sections(tissue: AnnData) -> list[NDArray[np.int64]]:
    """Return the rows of each section that was joined."""
    if keys.SECTION not in tissue.obs:
        return [np.arange(tissue.n_obs)]
    codes = tissue.obs[keys.SECTION].astype("category").cat.codes.to_numpy()
    return [np.flatnonzero(codes == code) for code in np.unique(codes)]
