from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from napari_semst.errors import InputError
from napari_semst.io.formats.geoparquet import read_shapes

BOX = [(0, 0), (4, 0), (4, 2), (0, 2), (0, 0)]
HOLE = [(0, 0), (0, 2), (1, 2), (1, 0), (0, 0)]


def write(path, geometry, *, column="geometry", **more):
    """Write a file as geopandas does."""
    index = [f"c{i}" for i in range(len(geometry))]
    table = pa.Table.from_pandas(pd.DataFrame(more, index=index))
    told = {**table.schema.metadata, "geo": json.dumps({"primary_column": column})}
    table = table.append_column(column, geometry).replace_schema_metadata(told)
    parquet.write_table(table, path)
    return path


def places(rings, *, interleaved=False):
    """Return nested lists of (x, y) as places of either layout."""
    if isinstance(rings, tuple):
        return list(rings) if interleaved else {"x": rings[0], "y": rings[1]}
    return [places(ring, interleaved=interleaved) for ring in rings]


def nested(depth, *, interleaved=False):
    axes = pa.struct([("x", pa.float64()), ("y", pa.float64())])
    kind = pa.list_(pa.float64(), 2) if interleaved else axes
    for _ in range(depth):
        kind = pa.list_(kind)
    return kind


@pytest.mark.parametrize("interleaved", [False, True])
def test_circles(tmp_path, interleaved):
    held = [places((i * 10.0, 5.0), interleaved=interleaved) for i in range(3)]
    # Older releases of pyarrow read no lists of one size that have gaps.
    gap = [] if interleaved else [None]
    array = pa.array([*held, *gap], nested(0, interleaved=interleaved))
    radius = [1.0, 2.0, 3.0, 4.0][: len(array)]
    found = read_shapes(write(tmp_path / "a.parquet", array, radius=radius))
    assert list(found.names) == ["c0", "c1", "c2", "c3"][: len(array)]
    want = [[0, 5], [10, 5], [20, 5], [np.nan, np.nan]]
    np.testing.assert_array_equal(found.xy, want[: len(array)])
    assert found.diameters.tolist() == [2, 4, 6, 8][: len(array)]


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_polygons_with_holes_and_gaps(tmp_path, interleaved, backwards):
    # What runs the other way round has the same middle.
    box, hole = (ring[::-1] if backwards else ring for ring in (BOX, HOLE))
    far = [(x + 1e6, y - 1e6) for x, y in box]
    rows = [[box], [box, hole], None, [far], []]
    held = [
        None if row is None else places(row, interleaved=interleaved) for row in rows
    ]
    array = pa.array(held, nested(2, interleaved=interleaved))
    found = read_shapes(write(tmp_path / "a.parquet", array))
    gap = [np.nan, np.nan]
    want = [[2, 1], [2.5, 1], gap, [1e6 + 2, 1 - 1e6], gap]
    np.testing.assert_allclose(found.xy, want, rtol=1e-12)
    disc = 2 * np.sqrt(np.array([8, 6, np.nan, 8, np.nan]) / np.pi)
    np.testing.assert_allclose(found.diameters, disc)


def test_multipolygons_and_another_name_of_the_column(tmp_path):
    right = [(x + 10, y) for x, y in BOX]
    array = pa.array([places([[BOX], [right]]), places([[BOX, HOLE]])], nested(3))
    file = write(tmp_path / "a.parquet", array, column="outline")
    np.testing.assert_allclose(read_shapes(file).xy, [[7, 1], [2.5, 1]])


def test_outlines_are_those_that_geopandas_writes(tmp_path):
    geopandas = pytest.importorskip("geopandas", reason="geopandas is not installed")
    shapely = pytest.importorskip("shapely", reason="shapely is not installed")
    rng = np.random.default_rng(0)
    cells = shapely.buffer(
        shapely.points(rng.random((50, 2)) * 1000), rng.random(50) + 1
    )
    both = shapely.union(cells[:25], cells[25:])
    for name, kind in (("one", cells), ("several", both)):
        frame = geopandas.GeoDataFrame(geometry=kind)
        frame.to_parquet(tmp_path / f"{name}.parquet", geometry_encoding="geoarrow")
        frame.to_parquet(tmp_path / f"{name}.wkb.parquet")
        arrow = read_shapes(tmp_path / f"{name}.parquet")
        binary = read_shapes(tmp_path / f"{name}.wkb.parquet")
        np.testing.assert_allclose(arrow.xy, binary.xy)
        np.testing.assert_allclose(arrow.diameters, binary.diameters)
        np.testing.assert_array_equal(arrow.names, binary.names)
        want = frame.centroid.get_coordinates()
        np.testing.assert_allclose(arrow.xy, want)


def test_what_is_no_shape_is_named(tmp_path):
    line = pa.array([places(BOX)], nested(1))
    with pytest.raises(InputError, match=r"found list<.*struct<x: double"):
        read_shapes(write(tmp_path / "a.parquet", line))
    text = pa.array(["POINT (1 2)"])
    with pytest.raises(InputError, match="found string"):
        read_shapes(write(tmp_path / "b.parquet", text))
    file = tmp_path / "c.parquet"
    parquet.write_table(pa.table({"x": [1.0]}), file)
    with pytest.raises(InputError, match="a column 'geometry'"):
        read_shapes(file)
