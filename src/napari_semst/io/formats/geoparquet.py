"""Circles and outlines in GeoParquet, points in Parquet: where they are, how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.json_text import parse_json
from napari_semst.errors import InputError
from napari_semst.io.formats.parquet_tables import read_parquet_table

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

# A point in well-known binary: byte order, type, x, y.
_GEOMETRIES = "the geometries"
_POINT = 21
# How many lists enclose a place, by the encoding's name: rings of a polygon, and these
# of several polygons.
_NESTED = {"point": 0, "polygon": 2, "multipolygon": 3}
_INSTALL = 'Install what reads them: pip install "napari-semst[spatialdata]".'


@dataclass(frozen=True, slots=True)
class ElementGeometry:
    """Where the instances of an element lie, in its own coordinates.

    Parameters
    ----------
    names
        Index of the instances.
    xy
        Their centres, shape ``(n_instances, 2)``, NaN where there is none.
    diameters
        Of the circles, or of discs of the same areas, shape ``(n_instances,)``; NaN
        where unknown.
    """

    names: pd.Index
    xy: NDArray[np.float64]
    diameters: NDArray[np.float64]


def read_shapes(file: Path) -> ElementGeometry:
    """Return names, centres and diameters of the shapes in a file.

    Geometries are in well-known binary or in one of GeoArrow's own layouts. Outlines in
    well-known binary need the package shapely.

    Raises
    ------
    InputError
        If the file has no geometry, or one of another encoding.
    """
    geometry, rest = read_geometry(file)
    xy, diameters = _measured(geometry, file)
    if "radius" in rest:
        diameters = 2 * rest["radius"].to_numpy(np.float64)
    return ElementGeometry(rest.index, xy, diameters)


def read_geometry(file: Path) -> tuple[pa.Array, pd.DataFrame]:
    """Return the geometries of a file, of whatever encoding, and its other columns.

    Raises
    ------
    InputError
        If the file has no geometry.
    """
    table = read_parquet_table(file, _GEOMETRIES)
    about = parse_json((table.schema.metadata or {}).get(b"geo", b"{}"))
    column = str(about.get("primary_column", "geometry"))
    if column not in table.column_names:
        raise InputError(
            f"Expected a column {column!r} of geometries in {file}; found "
            f"{', '.join(table.column_names)}. Export the store again."
        )
    geometry = table[column].combine_chunks()
    # Where a package has registered GeoArrow's types, they wrap the plain ones.
    geometry = getattr(geometry, "storage", geometry)
    rest = table.drop_columns([column]).to_pandas()
    return geometry, rest


def read_points(folder: Path) -> ElementGeometry:
    """Return names and places of points, which have no size.

    Parameters
    ----------
    folder
        Of the files that hold the points, a part each.
    """
    names = ["x", "y"]
    table = read_parquet_table(
        folder, _GEOMETRIES, columns=names, use_pandas_metadata=True
    )
    points = table.to_pandas()
    xy = points[names].to_numpy(np.float64)
    return ElementGeometry(points.index, xy, np.full(len(xy), np.nan))


def _measured(
    geometry: pa.Array, file: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres and diameters of geometries of whatever encoding."""
    import pyarrow as pa

    if pa.types.is_binary(geometry.type) or pa.types.is_large_binary(geometry.type):
        return _from_binary(geometry.to_numpy(zero_copy_only=False), file)
    depth, inner = list_depth(geometry), geometry.type
    for _ in range(depth):
        inner = inner.value_type
    flat = pa.types.is_fixed_size_list(inner) and inner.list_size >= 2
    named = pa.types.is_struct(inner) and {"x", "y"} <= {field.name for field in inner}
    if depth not in _NESTED.values() or not (flat or named):
        raise InputError(
            f"Expected points, polygons or multipolygons in {file}, in well-known "
            f"binary or as GeoArrow has them; found {geometry.type}. Write the store "
            "again with shapes_geometry_encoding='WKB'."
        )
    if depth == _NESTED["point"]:
        return _points(geometry), np.full(len(geometry), np.nan)
    return _of_outlines(geometry)


def _points(values: pa.Array) -> NDArray[np.float64]:
    """Return places as GeoArrow has them, shape ``(n, 2)``, NaN for gaps."""
    import pyarrow as pa

    if pa.types.is_struct(values.type):
        names = [field.name for field in values.type]
        # Flattening knows of gaps in the places themselves, fields do not.
        columns = values.flatten()
        x, y = (
            columns[names.index(axis)].to_numpy(zero_copy_only=False) for axis in "xy"
        )
        return np.column_stack([x, y]).astype(np.float64)
    size = values.type.list_size
    held = values.values.to_numpy(zero_copy_only=False).reshape(-1, size)
    xy = np.array(held[values.offset : values.offset + len(values), :2], np.float64)
    if values.null_count:
        xy[values.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return xy


def list_depth(geometry: pa.Array) -> int:
    """Return how many lists enclose a place as GeoArrow has it, 0 for binary."""
    import pyarrow as pa

    depth, inner = 0, geometry.type
    while pa.types.is_list(inner) or pa.types.is_large_list(inner):
        depth, inner = depth + 1, inner.value_type
    return depth


def nested_rings(
    outlines: pa.Array,
) -> tuple[
    NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]
]:
    """Return the rings of outlines as GeoArrow has them.

    Parameters
    ----------
    outlines
        Lists of rings, or of polygons that are lists of rings. The first ring of a
        polygon is its border, the others are holes.

    Returns
    -------
    tuple
        All corners, ``(n_corners, 2)``; the number of corners of each ring, the outline
        that it is of, and whether it is a border, ``(n_rings,)``.
    """
    depth = list_depth(outlines)
    # Which outline each part is of, down to the rings, and which rings are borders.
    owner = np.arange(len(outlines))
    border = np.ones(len(outlines), bool)
    held: Any = outlines
    for level in range(depth - 1):
        lengths, held = _unpacked(held)
        owner = np.repeat(owner, lengths)
        if level == depth - 2:
            starts = np.cumsum(lengths) - lengths
            border = np.zeros(len(owner), bool)
            border[starts[lengths > 0]] = True
    lengths, places = _unpacked(held)
    return _points(places), lengths, owner, border


def _of_outlines(outlines: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centroids of outlines, and diameters of discs of their areas."""
    n = len(outlines)
    places, lengths, owner, border = nested_rings(outlines)
    area, moment = _ring_moments(places, lengths)
    # Which way round a ring runs is not laid down everywhere: borders add, holes take.
    sign = np.where(border, 1.0, -1.0) * np.where(area < 0, -1.0, 1.0)
    total = np.bincount(owner, sign * area, minlength=n)
    xy = np.full((n, 2), np.nan)
    there = total > 0
    for axis in range(2):
        summed = np.bincount(owner, sign * moment[:, axis], minlength=n)
        xy[there, axis] = summed[there] / total[there]
    diameters = np.where(there, 2 * np.sqrt(np.maximum(total, 0) / np.pi), np.nan)
    return xy, diameters


def _unpacked(lists: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the lengths of lists, 0 for gaps, and what they hold in one row."""
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    return lengths.to_numpy(zero_copy_only=False).astype(np.int64), lists.flatten()


def _ring_moments(
    xy: NDArray[np.float64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the signed area of every ring, and that times its centroid."""
    n = len(lengths)
    ring = np.repeat(np.arange(n), lengths)
    starts = np.cumsum(lengths) - lengths
    # Far from the origin, products of places would lose the digits of small areas.
    base = np.zeros((n, 2))
    base[lengths > 0] = xy[starts[lengths > 0]]
    here = xy - base[ring]
    following = np.arange(1, len(xy) + 1)
    ends = starts + lengths - 1
    following[ends[lengths > 0]] = starts[lengths > 0]
    there = here[following]
    cross = here[:, 0] * there[:, 1] - there[:, 0] * here[:, 1]
    area = np.bincount(ring, cross, minlength=n) / 2
    moments = [
        np.bincount(ring, (here[:, a] + there[:, a]) * cross, minlength=n) / 6
        for a in range(2)
    ]
    return area, np.column_stack(moments) + base * area[:, None]


def _from_binary(
    values: NDArray[Any], file: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres and diameters of shapes in well-known binary."""
    if all(value is not None and len(value) == _POINT for value in values):
        raw = np.frombuffer(b"".join(values), np.uint8).reshape(-1, _POINT)
        if (raw[:, 0] == 1).all():
            xy = np.asarray(raw[:, 5:].copy().view("<f8"), np.float64)
            return xy, np.full(len(xy), np.nan)
    try:
        import shapely
    except ImportError as error:
        raise InputError(
            f"Expected circles in {file}; found outlines of cells in well-known "
            f"binary. {_INSTALL}"
        ) from error
    shapes = shapely.from_wkb(values)
    centres = shapely.centroid(shapes)
    xy = np.column_stack([shapely.get_x(centres), shapely.get_y(centres)])
    return xy, 2 * np.sqrt(shapely.area(shapes) / np.pi)
