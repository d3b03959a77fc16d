"""Cells of CosMx: their names, and their places on the slide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats.fields_of_view import field_direction
from napari_semst.io.formats.text_tables import is_number, read_columns, read_head
from napari_semst.io.readers.cell_tables import as_numbers, cell_ids, is_unnamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd
    from scipy import sparse

    from napari_semst.io.formats.text_tables import TableHead

PIXEL = 0.120280945
"""Micrometres in a pixel of the instrument, where no file says."""

_CELL_IDS = ("cell_id", "cellid", "cell")
_WHOLE_ID = r"c_\d+_(\d+)_(\d+)"
# Places of cells on the slide, in pixels and in millimetres; places in their field.
_GLOBAL = (("centerx_global_px", "centery_global_px"),)
_SLIDE_MM = (
    ("x_slide_mm", "y_slide_mm"),
    ("centerx_global_mm", "centery_global_mm"),
    ("x_global_mm", "y_global_mm"),
)
_LOCAL = (
    ("centerx_local_px", "centery_local_px"),
    ("x_fov_px", "y_fov_px"),
    ("x_local_px", "y_local_px"),
    ("centerx", "centery"),
)
# Where fields lie.
_FIELDS_PX = (("x_global_px", "y_global_px"),)
_FIELDS_MM = (("x_global_mm", "y_global_mm"), ("x_mm", "y_mm"))
_WORDS = (
    "CenterX_global_px and CenterY_global_px, or x_slide_mm and y_slide_mm, or "
    "CenterX_local_px and CenterY_local_px and beside it a *fov_positions_file.csv"
)
_AGAIN = "Export the flat files again."


@dataclass(frozen=True, slots=True)
class CosmxKeys:
    """Columns that name the cells of a table.

    Parameters
    ----------
    view, cell
        The field of view and the number of the cell in it; the view is None where the
        cell's column holds both, as ``c_1_16_5`` (slide, field, cell).
    """

    view: str | None
    cell: str

    def columns(self) -> list[str]:
        """Return the columns, the field's first."""
        return [self.cell] if self.view is None else [self.view, self.cell]


def cosmx_keys(head: TableHead) -> CosmxKeys | None:
    """Return the columns that name cells, None for a table without.

    Versions differ in case, and the newest have both ``cell_ID`` (a number) and
    ``cell_id`` (which names slide and field too): values tell one from the other.
    """
    lower = [name.lower() for name in head.names]
    found = [i for told in _CELL_IDS for i, name in enumerate(lower) if name == told]
    values = {i: head.rows[0][i] if head.rows else "" for i in found}
    if "fov" in lower:
        view = head.names[lower.index("fov")]
        numbered = [i for i in found if is_number(values[i])]
        exact = [i for i in numbered if head.names[i] == "cell_ID"]
        if numbered:
            return CosmxKeys(view, head.names[(exact or numbered)[0]])
    whole = [i for i in found if values[i].startswith("c_")]
    return CosmxKeys(None, head.names[whole[0]]) if whole else None


def is_key(name: str) -> bool:
    """Return whether a column names cells, fields or slides and holds no counts."""
    return is_unnamed(name) or name.lower() in (*_CELL_IDS, "fov", "slide")


def cell_names(table: pd.DataFrame, keys: Sequence[int | str]) -> pd.DataFrame:
    """Return the field and the number of each cell as texts: columns view, cell.

    Parameters
    ----------
    table
        The table, its keys read as text.
    keys
        Columns of field and cell, or the one that holds both.
    """
    import pandas as pd

    if len(keys) == 2:
        view, cell = (cell_ids(table[key]) for key in keys)
        return pd.DataFrame({"view": view, "cell": cell})
    parts = table[keys[0]].astype(str).str.strip().str.extract(rf"^{_WHOLE_ID}$")
    return parts.set_axis(["view", "cell"], axis=1).fillna("nan").reset_index(drop=True)


def joined(names: pd.DataFrame) -> pd.Index:
    """Return names of cells as ``fov_cell``."""
    import pandas as pd

    return pd.Index((names["view"] + "_" + names["cell"]).to_numpy(dtype=object))


@dataclass(frozen=True, slots=True)
class CosmxCells:
    """The table of cells, and where they lie on the slide.

    Parameters
    ----------
    table
        Indexed by ``fov_cell``.
    x, y
        Its columns with the places.
    places
        Where these come from, as a user says it.
    microns
        Micrometres in a unit of the places, None for pixels.
    remarks
        What the user is to know of the places.
    """

    table: pd.DataFrame
    x: str
    y: str
    places: str
    microns: float | None = None
    remarks: tuple[str, ...] = ()


def names_places(names: Sequence[str], views: Path | None) -> bool:
    """Return whether a table of these columns tells where on the slide cells lie."""
    if _pair(names, (*_GLOBAL, *_SLIDE_MM)) is not None:
        return True
    return views is not None and _pair(names, _LOCAL) is not None


def read_cells(
    path: Path, views: Path | None, names: pd.Index, counts: sparse.csr_matrix
) -> CosmxCells:
    """Return the cells with their places.

    Places in pixels of the whole slide come first, then those in millimetres, then
    places in a field of view together with the field's own.

    Parameters
    ----------
    path, views
        The table of cells, and that of fields of view; None without one.
    names, counts
        Names and counts of the cells counted.

    Raises
    ------
    InputError
        If a table is damaged, or does not place the cells.
    """
    what = "the table of cells"
    head = read_head(path, what)
    keys = cosmx_keys(head)
    if keys is None:
        raise InputError(
            f"Expected {what} {path} to have the columns fov and cell_ID, or a column "
            f"cell such as c_1_16_5; found {abbreviate(head.names)}. {_AGAIN}"
        )
    table = read_columns(path, what, keys.columns())
    told = cell_names(table, keys.columns())
    table.index = joined(told)
    _refuse_slides(table, path)
    if (found := _pair(table, _GLOBAL)) is not None:
        return CosmxCells(table, *found, _from(found, path))
    if (found := _pair(table, _SLIDE_MM)) is not None:
        x, y = ("x_slide_um", "y_slide_um")
        microns = {
            n: as_numbers(table[f]) * 1e3 for n, f in zip((x, y), found, strict=True)
        }
        told = f"{_from(found, path)}, in micrometres"
        return CosmxCells(table.assign(**microns), x, y, told, 1.0)
    local = _pair(table, _LOCAL)
    if local is None or views is None:
        lacks = (
            "" if local is None else f"no *fov_positions_file.csv, and in {path.name} "
        )
        raise InputError(
            f"Expected {what} {path} to have the columns {_WORDS}; found {lacks}"
            f"{abbreviate(list(table), 12)}. {_AGAIN}"
        )
    placed = _on_the_slide(table, told["view"], local, views, (names, counts))
    return replace(placed, places=f"{_from(local, path)} and {placed.places}")


def pixel_columns(
    names: Iterable[str],
) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """Return the columns with places in pixels: on the slide, and in the field."""
    known = list(names)
    return _pair(known, _GLOBAL), _pair(known, _LOCAL)


def _pair(
    names: Iterable[str], pairs: Sequence[tuple[str, str]]
) -> tuple[str, str] | None:
    """Return the first pair of columns that a table has, whatever their case."""
    known = {name.lower(): name for name in names}
    for x, y in pairs:
        if x in known and y in known:
            return known[x], known[y]
    return None


def _from(columns: Sequence[str], path: Path) -> str:
    return f"{', '.join(columns)} of {path.name}"


def _refuse_slides(table: pd.DataFrame, path: Path) -> None:
    """Refuse cells of several slides, on each of which fields start from 1."""
    if table.index.is_unique:
        return
    for name in table:
        if str(name).lower() in ("slide", "slide_id", "slide_id_numeric"):
            slides = sorted(map(str, table[name].dropna().unique()))
            if len(slides) > 1:
                raise InputError(
                    f"Expected the cells of one slide in {path}; {name} names "
                    f"{abbreviate(slides)}, and fields are numbered anew on each. "
                    "Export, or cut out, one slide at a time."
                )


def _refuse_doubles(lying: pd.DataFrame, edges: Sequence[str], views: Path) -> None:
    """Refuse fields of view that lie at two places, as those of two slides do."""
    places = lying[list(edges)].groupby(lying.index).nunique().max(axis=1)
    twice = list(places[places > 1].index)
    if twice:
        raise InputError(
            f"Expected each field of view at one place in {views}; found "
            f"{len(twice):,} at several (first: {abbreviate(twice, 3)}): it lists "
            "several slides. Keep the lines of the slide that the cells are of."
        )


def _on_the_slide(
    table: pd.DataFrame,
    fields: pd.Series,
    local: tuple[str, str],
    views: Path,
    counted: tuple[pd.Index, sparse.csr_matrix],
) -> CosmxCells:
    """Return cells whose places in a field of view were moved to where that lies."""
    what = "the table of fields of view"
    head = read_head(views, what)
    key = next((name for name in head.names if name.lower() == "fov"), None)
    lying = read_columns(views, what, [] if key is None else [key])
    pixels, millimetres = _pair(lying, _FIELDS_PX), _pair(lying, _FIELDS_MM)
    edges = pixels or millimetres
    if key is None or edges is None:
        raise InputError(
            f"Expected {what} {views} to have the columns fov, and x_global_px and "
            f"y_global_px or X_mm and Y_mm; found {abbreviate(head.names)}. {_AGAIN}"
        )
    lying.index = cell_ids(lying[key])
    _refuse_doubles(lying, edges, views)
    lying = lying[~lying.index.duplicated()]
    rows = lying.index.get_indexer(fields)
    unknown = sorted({*fields[rows < 0]})
    if len(unknown) and (rows < 0).all():
        raise InputError(
            f"Expected {what} {views} to list the cells' fields; found fields "
            f"{abbreviate(list(lying.index), 4)}, but cells of the fields "
            f"{abbreviate(unknown, 4)}. The files may be of different slides."
        )
    corners = np.column_stack([as_numbers(lying[edge]) for edge in edges])[rows]
    corners[rows < 0] = np.nan
    remarks = []
    if unknown:
        remarks.append(
            f"{int((rows < 0).sum()):,} cells lie in fields of view that {views.name} "
            f"does not list ({abbreviate(unknown, 4)}): they have no place."
        )
    if pixels is None:
        corners *= 1e3 / PIXEL
        remarks.append(
            f"{views.name} gives fields of view in millimetres, places in them are in "
            f"pixels: a pixel is taken to be {PIXEL:.5f} micrometres."
        )
    inside = np.column_stack([as_numbers(table[name]) for name in local])
    sign, told = _direction(
        inside, corners, table.index, counted, pixels is None, views
    )
    xy = inside + corners * (1, sign)
    # Not as the instrument calls them: other tables may have another origin there.
    x, y = "x_slide_px", "y_slide_px"
    moved = table.assign(**{x: xy[:, 0], y: xy[:, 1]})
    return CosmxCells(moved, x, y, _from(edges, views), None, (*remarks, *told))


def _direction(
    inside: np.ndarray,
    corners: np.ndarray,
    index: pd.Index,
    counted: tuple[pd.Index, sparse.csr_matrix],
    in_millimetres: bool,
    views: Path,
) -> tuple[int, list[str]]:
    """Return the sign of fields' y against that of places in them, and what to say.

    Fields in pixels have counted y as the cells in them do; the millimetres are those
    of the stage, which count y upwards while places in a field count downwards.
    """
    usual = -1 if in_millimetres else 1
    if len(np.unique(corners[np.isfinite(corners[:, 1]), 1])) < 2:
        return usual, []
    names, counts = counted
    rows = index.get_indexer(names) if index.is_unique else np.full(len(names), -1)
    both = np.flatnonzero(rows >= 0)
    found = field_direction(
        inside[rows[both]], corners[rows[both]], counts[both], usual
    )
    ways = {1: "the same way as", -1: "the opposite way to"}
    if found.sure:
        shown = "cells on both sides of the fields' borders are alike so"
        if found.sign == usual and not in_millimetres:
            return found.sign, []
        return found.sign, [
            f"{views.name} counts y {ways[found.sign]} places in the fields: {shown}."
        ]
    if not in_millimetres:
        return usual, []
    return usual, [
        f"Whether {views.name} counts y upwards or downwards is not said, and cells at "
        f"the fields' borders do not show it: it is taken to count {ways[usual]} "
        "places in the fields. If structures break at the fields' borders, export the "
        "flat files with CenterX_global_px and CenterY_global_px."
    ]
