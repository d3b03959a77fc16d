"""Outlines in the shapes of a SpatialData store.

A table may describe circles or labels while the outlines of the same cells stand beside
them, as spatialdata-io writes Xenium: they are found by the cells' names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.io.checks import translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.formats.geoparquet import list_depth, nested_rings, read_geometry
from napari_semst.io.formats.parquet_tables import check_parquet
from napari_semst.io.outlines.cell_outlines import Rings, concat_rings
from napari_semst.io.outlines.sources import remember_outlines
from napari_semst.io.outlines.wkb import is_polygon, rings_from_wkb
from napari_semst.io.outlines.xenium_vertices import OUTLINES
from napari_semst.io.readers.spatialdata_places import find_element
from napari_semst.io.text_columns import as_texts

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.io.readers.spatialdata_places import Element, PlacedRegions

# Columns that may name the cells of shapes that the table does not describe.
_IDS = ("cell_id", "cell", "EntityID", "label_id")
# Of a region's cells, the share that shapes must name to be theirs.
_MOST = 0.5
_SHAPES, _FILE = "shapes", "shapes.parquet"
_GEOMETRY, _RADIUS = "geometry", "radius"
# Shapes that are looked at to tell of which kind all are.
_FIRST = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Shapes, and the row of the tissue that each of them outlines, -1 for none."""

    element: Element
    matrix: NDArray[np.float64]
    cells: NDArray[np.int64]

    def rings(self) -> Rings:
        file = self.element.group / _FILE
        with translate_errors(file, OUTLINES):
            geometry, _ = read_geometry(file)
            if list_depth(geometry) == 0:
                rings = rings_from_wkb(geometry, self.cells, file)
            else:
                vertices, lengths, owner, _ = nested_rings(geometry)
                offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
                rings = Rings(vertices, offsets, self.cells[owner])
        placed = rings.vertices @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        return Rings(placed, rings.offsets, rings.cells)


def remember_shapes(
    tissue: AnnData, store: Path, instance_key: str, placed: PlacedRegions
) -> None:
    """Let a tissue know of the outlines of its cells in its store.

    Parameters
    ----------
    tissue
        As it was read, with the places of its elements.
    store
        The store.
    instance_key
        Column of obs that names each spot's instance.
    placed
        The regions of the table.
    """
    elements = _outlined(store)
    of = as_texts(tissue.obs[placed.column]).to_numpy(dtype=object)
    found = []
    for region in placed.regions:
        rows = np.flatnonzero(of == region.name)
        own = [one for one in elements if one.group.name == region.name]
        # What the table describes has no others, and nuclei are not taken for cells.
        near = own or [one for one in elements if "nucle" not in one.group.name.lower()]
        there = [
            one
            for element in near
            if (one := _of_region(tissue, element, instance_key, rows, region.system))
        ]
        if there:
            found.append(max(there, key=lambda one: int((one.cells >= 0).sum())))
    if found:
        file = found[0].element.group / _FILE
        remember_outlines(
            tissue, file, lambda: concat_rings([one.rings() for one in found])
        )


def _outlined(store: Path) -> list[Element]:
    """Return the shapes of a store that are neither circles nor points."""
    folder = store / _SHAPES
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    found = []
    for name in names:
        if not (folder / name / _FILE).is_file():
            continue
        element = find_element(store, name)
        if element is None or element.kind != _SHAPES:
            continue
        if _holds_outlines(element.group / _FILE):
            found.append(element)
    return found


def _holds_outlines(file: Path) -> bool:
    """Return whether shapes are polygons, judged by the first ones."""
    import pyarrow as pa
    from pyarrow import parquet

    with translate_errors(file, OUTLINES):
        check_parquet(file, OUTLINES)
    with translate_errors(file, OUTLINES), parquet.ParquetFile(file) as table:
        there = table.schema_arrow.names
        if _RADIUS in there or _GEOMETRY not in there:
            return False
        first = next(table.iter_batches(_FIRST, columns=[_GEOMETRY]), None)
    if first is None:
        return False
    shapes = getattr(first.column(0), "storage", first.column(0))
    if pa.types.is_binary(shapes.type) or pa.types.is_large_binary(shapes.type):
        return any(is_polygon(shape.as_py()) for shape in shapes if shape.is_valid)
    return list_depth(shapes) > 1


def _of_region(
    tissue: AnnData,
    element: Element,
    instance_key: str,
    rows: NDArray[np.int64],
    system: str,
) -> _Found | None:
    """Return shapes that outline a region's cells, None where they are others."""
    transforms = element.transforms
    if system not in ngff.placed_in(transforms):
        return None
    names = _names(element.group / _FILE)
    if names is None or not names.is_unique:
        return None
    best = np.empty(0, np.int64)
    for ids in _ids(tissue, instance_key, rows):
        there = names.get_indexer(ids)
        if (there >= 0).sum() > (best >= 0).sum():
            best = there
    if not len(best) or (best >= 0).mean() <= _MOST:
        return None
    cells = np.full(len(names), -1)
    known = best >= 0
    cells[best[known]] = rows[known]
    return _Found(element, ngff.matrix_to(transforms, system), cells)


def _names(file: Path) -> pd.Index | None:
    """Return the names of shapes as texts, without reading the shapes."""
    import pandas as pd
    from pyarrow import parquet

    with translate_errors(file, OUTLINES):
        table = parquet.read_table(file, columns=[], use_pandas_metadata=True)
        index = table.to_pandas().index
    if len(index) != parquet.read_metadata(file).num_rows:
        return None
    return pd.Index(as_texts(index.to_series()).to_numpy(dtype=object))


def _ids(
    tissue: AnnData, instance_key: str, rows: NDArray[np.int64]
) -> list[NDArray[np.object_]]:
    """Return what may name a region's cells, the likeliest first."""
    columns = [name for name in (instance_key, *_IDS) if name in tissue.obs]
    found = [
        as_texts(tissue.obs[name].iloc[rows]).to_numpy(dtype=object)
        for name in dict.fromkeys(columns)
    ]
    return [*found, tissue.obs_names[rows].to_numpy(dtype=object)]
