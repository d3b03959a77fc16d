"""Outlines of CosMx's cells: the table of polygons, on the slide or in their field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats.text_tables import read_head
from napari_semst.io.outlines.cell_outlines import Rings, rings_of_rows
from napari_semst.io.outlines.xenium_vertices import (
    OUTLINES,
    corners_of,
    read_vertices,
    rows_of,
)
from napari_semst.io.readers.cosmx_cells import cosmx_keys, pixel_columns

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from anndata import AnnData
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Where corners lie: on the slide, and in a field of view.
_GLOBAL, _LOCAL = ("x_global_px", "y_global_px"), ("x_local_px", "y_local_px")
_WHOLE_ID = r"^c_\d+_(?P<view>\d+)_(?P<cell>\d+)$"


class OutlinedCells:
    """What outlines need to know of a slide's cells, without their counts.

    Parameters
    ----------
    tissue
        As it was read, in pixels; cells are named ``fov_cell``.
    """

    def __init__(self, tissue: AnnData) -> None:
        self.names = tissue.obs_names
        self.places = np.asarray(tissue.obsm["spatial"], np.float64)
        on_slide, in_field = pixel_columns(list(tissue.obs))
        self.on_slide = on_slide is not None
        self.in_field: Floats | None = None
        if in_field is not None:
            self.in_field = tissue.obs[list(in_field)].to_numpy(np.float64)

    def directions(self) -> Floats:
        """Return 1 where places run as those in the field do, -1 against: (x, y)."""
        assert self.in_field is not None
        fields = self.names.str.rsplit("_", n=1).str[0]
        codes = np.unique(fields.to_numpy(dtype=object), return_inverse=True)[1]
        both = (_from_mean(one, codes) for one in (self.places, self.in_field))
        return np.where(np.nansum(np.prod(list(both), axis=0), axis=0) < 0, -1.0, 1.0)


def cosmx_file(counts: Path, ending: str) -> Path | None:
    """Return the outlines beside a CosMx slide's table of counts, None without.

    Those of another name count where there is one table of counts as well: cells of all
    slides are numbered alike, so that another slide's would pass for its own.

    Parameters
    ----------
    counts
        The table of counts.
    ending
        With which its name ends, before ``.gz``: what is before names the slide.
    """
    prefix = counts.name.removesuffix(".gz").removesuffix(ending).rstrip("_-")
    # What is before the rest of a name is that slide's, and no longer one's: S1, S10.
    slides = {
        file: file.name.removesuffix(f"{name}{end}").rstrip("_-")
        for end in ("", ".gz")
        for name in ("polygons.csv", "polygons_file.csv")
        for file in sorted(counts.parent.glob(f"*{name}{end}"))
    }
    found = list(slides)
    own = [file for file in found if slides[file] == prefix]
    alone = len(list(counts.parent.glob(f"*{ending}*"))) == 1
    return own[0] if own else found[0] if alone and len(found) == 1 else None


def cosmx_rings(file: Path, cells: OutlinedCells) -> Rings:
    """Return the outlines of a CosMx slide's cells, in the pixels of the slide.

    Of corners in the pixels of a field of view each cell tells where they lie.

    Raises
    ------
    InputError
        If it is damaged, or no such table.
    """
    head = read_head(file, OUTLINES)
    keys = cosmx_keys(head)
    lower = {name.lower(): name for name in head.names}
    on_slide = cells.on_slide or cells.in_field is None
    wanted = [one for one in (_GLOBAL, _LOCAL) if set(one) <= set(lower)]
    if not on_slide:
        wanted = wanted[::-1]
    if keys is None or not wanted or (wanted[0] == _LOCAL and cells.in_field is None):
        raise InputError(
            f"Expected {OUTLINES} {file} to have the columns fov and cellID, and "
            f"{' and '.join(_GLOBAL)}, or {' and '.join(_LOCAL)} where the table of "
            f"cells has places in their fields too; found {abbreviate(head.names)}. "
            "Export the flat files again."
        )
    columns = [lower[name] for name in wanted[0]]
    table = read_vertices(file, (*keys.columns(), *columns), texts=keys.columns())
    rows = rows_of(_names(table, keys.columns()), cells.names)
    corners: NDArray[np.floating] = corners_of(table, columns)
    if wanted[0] == _LOCAL:
        assert cells.in_field is not None
        corners = cells.places[rows] + cells.directions() * (
            corners - cells.in_field[rows]
        )
    return rings_of_rows(rows, corners, np.zeros(len(rows), np.int64))


def _names(table: pa.Table, columns: list[str]) -> pa.ChunkedArray:
    """Return the names of cells as ``fov_cell``, null for what names none."""
    from pyarrow import compute

    if len(columns) == 1:
        parts = compute.extract_regex(table[columns[0]], _WHOLE_ID)
        pair = [compute.struct_field(parts, name) for name in ("view", "cell")]
    else:
        pair = [table[name] for name in columns]
    return compute.binary_join_element_wise(*pair, "_")


def _from_mean(values: Floats, codes: NDArray[np.int64]) -> Floats:
    """Return how far values are from the mean of their group."""
    counts = np.bincount(codes)
    means = np.stack(
        [np.bincount(codes, column) / counts for column in values.T], axis=1
    )
    return np.asarray(values - means[codes])
