"""Outlines in SpatialData stores: of the table's own shapes, or beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from napari_semst.errors import InputError
from napari_semst.io.outlines.sources import has_outlines, read_outlines
from napari_semst.io.read import read
from tests.io.stores import (
    group,
    point,
    square,
    write_shapes,
    write_table,
)

# Of the squares in the tissue; in the store a tenth of it.
SIDE = 40.0


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "section.zarr"
    group(path, {"spatialdata_attrs": {"version": "0.2"}}, 3)
    return path


@pytest.fixture
def own(tissue):
    """Places of the cells in the store."""
    return np.asarray(tissue.obsm["spatial"]) / 10 + (3, 4)


def squares(own):
    return [square(*xy, SIDE / 10) for xy in own]


def assert_squares(found, side=SIDE):
    outlines = read_outlines(found)
    assert (outlines.n_corners == 5).all()
    least, most = outlines.boxes()
    np.testing.assert_allclose(least, found.obsm["spatial"] - side / 2, atol=1e-3)
    np.testing.assert_allclose(most, found.obsm["spatial"] + side / 2, atol=1e-3)


def test_polygons_that_the_table_describes(store, tissue, own):
    pytest.importorskip("shapely")
    write_table(store, "table", tissue, "cells", 3)
    write_shapes(store, "cells", squares(own), 3)
    # Those of others are no matter.
    write_shapes(store, "a_cell", [square(*xy, 9) for xy in own], 3)
    assert_squares(read(store))


@pytest.mark.parametrize("nested", ["struct", "fixed"])
def test_polygons_as_geoarrow_has_them(store, tissue, own, nested):
    write_table(store, "table", tissue, "cells", 3)
    write_shapes(store, "cells", squares(own), 3)
    file = store / "shapes" / "cells" / "shapes.parquet"
    order = pd.read_parquet(file).index
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * SIDE / 20
    corners = (own[order - 100][:, None] + signs).tolist()
    if nested == "struct":
        kind = pa.struct([("x", pa.float64()), ("y", pa.float64())])
        corners = [[{"x": x, "y": y} for x, y in ring] for ring in corners]
    else:
        kind = pa.list_(pa.float64(), 2)
    shapes = pa.array([[ring] for ring in corners], pa.list_(pa.list_(kind)))
    frame = pa.Table.from_pandas(pd.DataFrame({"geometry": 0}, index=order))
    frame = frame.set_column(0, "geometry", shapes)
    parquet.write_table(frame, file)
    assert_squares(read(store))


@pytest.mark.parametrize("column", ["cell_id", "number", None])
def test_outlines_beside_circles_are_found_by_the_cells_names(
    store, tissue, own, column
):
    """As spatialdata-io writes Xenium: circles described, boundaries beside them."""
    table = tissue.copy()
    names = [f"cell-{i}" for i in range(len(own))]
    if column == "cell_id":
        table.obs["cell_id"] = names
    write_table(store, "table", table, "cell_circles", 3)
    circles = [point(*xy) for xy in own]
    write_shapes(store, "cell_circles", circles, 3, radius=1.5)
    for element, side in (("cell_boundaries", SIDE), ("nucleus_boundaries", 10.0)):
        shapes = [square(*xy, side / 10) for xy in own]
        write_shapes(store, element, shapes, 3)
        file = store / "shapes" / element / "shapes.parquet"
        frame = pd.read_parquet(file)
        if column == "cell_id":
            frame.index = [f"cell-{i - 100}" for i in frame.index]
        elif column is None:
            frame.index = tissue.obs_names[frame.index - 100]
        frame.to_parquet(file)
    found = read(store)
    assert_squares(found)


def test_shapes_of_other_cells_are_no_outlines(store, tissue, own):
    write_table(store, "table", tissue, "spots", 3)
    write_shapes(store, "spots", [point(*xy) for xy in own], 3, radius=1.5)
    write_shapes(store, "regions", squares(own[:5]), 3)
    write_shapes(store, "marks", [point(*xy) for xy in own], 3)
    assert not has_outlines(read(store))


def test_shapes_of_the_same_numbers_that_lie_elsewhere_are_refused(store, tissue, own):
    write_table(store, "table", tissue, "spots", 3)
    write_shapes(store, "spots", [point(*xy) for xy in own], 3, radius=1.5)
    write_shapes(store, "cells", squares(own + 900), 3)
    with pytest.raises(InputError, match="to lie on their cells"):
        read_outlines(read(store))
