"""SpatialData tables that describe labels: places are the labels', or it is said."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import InputError
from napari_semst.io.alignment import image_placement, share_inside, spot_size
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from tests.io.stores import (
    group,
    point,
    write_image,
    write_labels,
    write_shapes,
    write_table,
)

SIDE = 8  # pixels of a cell
HALF = {"type": "scale", "scale": [0.5, 0.5]}


@pytest.fixture(params=[2, 3])
def zarr_format(request):
    return request.param


def checkered(n, first=100):
    """Return a raster of n square cells, and their centres as (x, y)."""
    across = int(np.ceil(np.sqrt(n)))
    numbers = np.zeros(across * across, np.int32)
    numbers[:n] = np.arange(n) + first
    raster = np.kron(numbers.reshape(across, across), np.ones((SIDE, SIDE), np.int32))
    row, column = np.divmod(np.arange(n), across)
    return raster, np.column_stack([column, row]) * SIDE + SIDE / 2


@pytest.fixture
def store(tmp_path, tissue, zarr_format):
    """Cells as labels, half a unit a pixel; the table's own places are micrometres."""
    path = tmp_path / "cells.zarr"
    group(path, {"spatialdata_attrs": {"version": "0.2"}}, zarr_format)
    raster, centres = checkered(tissue.n_obs)
    write_table(path, "table", tissue, "cells", zarr_format, own=centres * 0.2125)
    levels = [raster, raster[::2, ::2]]
    write_labels(path, "cells", levels, zarr_format, HALF, chunks=(50, 70))
    return path


def centres_of(tissue):
    return checkered(tissue.n_obs)[1]


def test_places_are_the_centroids_of_the_labels(store, tissue, tmp_path):
    found = read(store)
    np.testing.assert_allclose(found.obsm["spatial"], centres_of(tissue) / 2)
    np.testing.assert_allclose(
        found.obsm["spatial_original"], centres_of(tissue) * 0.2125
    )
    assert (found.X != tissue.X).nnz == 0
    assert spot_size(found).diameter == pytest.approx(SIDE / np.sqrt(np.pi))
    assert "kept in obsm['spatial_original']" in input_warnings(found)[0]
    assert preview(store).coordinates == "labels cells"


def test_places_that_agree_are_not_spoken_of(store, tissue, zarr_format):
    own = centres_of(tissue) / 2 - 0.25
    write_table(store, "table", tissue, "cells", zarr_format, own=own)
    found = read(store)
    np.testing.assert_allclose(found.obsm["spatial"], own + 0.25)
    assert input_warnings(found) == []


def test_cells_without_a_label_are_told_and_left_out(store, tissue, zarr_format):
    raster = checkered(tissue.n_obs)[0]
    raster[np.isin(raster, [100, 103])] = 0
    write_labels(store, "cells", [raster], zarr_format, HALF)
    found = read(store)
    assert found.n_obs == tissue.n_obs - 2
    assert list(found.obs_names[:2]) == list(tissue.obs_names[[1, 2]])
    np.testing.assert_allclose(found.obsm["spatial"][0], centres_of(tissue)[1] / 2)
    told = input_warnings(found)
    assert any("2 of" in text and "none of the labels 'cells'" in text for text in told)


@pytest.mark.parametrize("kind", ["text", "with gaps", "unsigned"])
def test_numbers_of_labels_may_be_texts_or_have_gaps(store, tissue, zarr_format, kind):
    numbers = pd.Series(np.arange(tissue.n_obs) + 100)
    if kind == "text":
        numbers = numbers.astype(str)
    elif kind == "unsigned":
        numbers = numbers.astype(np.uint32)
    else:
        numbers = numbers.astype(float).where(numbers != 101)
    numbers = numbers.to_numpy()
    write_table(store, "table", tissue, "cells", zarr_format, numbers=numbers)
    found = read(store)
    gone = int(kind == "with gaps")
    assert found.n_obs == tissue.n_obs - gone
    np.testing.assert_allclose(found.obsm["spatial"][-1], centres_of(tissue)[-1] / 2)


def test_volumes_are_looked_through(store, tissue, zarr_format):
    raster = checkered(tissue.n_obs)[0]
    volume = np.stack([np.zeros_like(raster), raster, raster])
    scale = {"type": "scale", "scale": [4.0, 0.5, 0.5]}
    write_labels(
        store, "cells", [volume], zarr_format, scale, axes="zyx", chunks=(2, 40, 40)
    )
    np.testing.assert_allclose(read(store).obsm["spatial"], centres_of(tissue) / 2)


def test_labels_that_cannot_be_read_leave_the_tables_own_places(
    store, tissue, zarr_format
):
    write_image(store, zarr_format)
    assert share_inside(read(store)) is not None
    own = centres_of(tissue) * 0.2125
    named = tissue.obs_names.to_numpy(dtype=object)
    write_table(store, "table", tissue, "cells", zarr_format, numbers=named, own=own)
    found = read(store)
    np.testing.assert_array_equal(found.obsm["spatial"], own)
    assert share_inside(found) is None
    assert "found none of them" in input_warnings(found)[0]
    assert "no image of the store is shown" in input_warnings(found)[0]
    write_table(store, "table", tissue, "cells", zarr_format, own=own)
    levels = checkered(tissue.n_obs)[:1]
    write_labels(store, "cells", levels, zarr_format, HALF)
    for level in (store / "labels" / "cells").glob("s0/**/*"):
        if level.is_file() and not level.name.startswith((".z", "zarr")):
            level.write_bytes(b"damaged")
    found = read(store)
    np.testing.assert_array_equal(found.obsm["spatial"], own)
    assert "could not be read" in input_warnings(found)[0]
    # Without places of its own there is nothing to fall back on.
    write_table(store, "table", tissue, "cells", zarr_format)
    with pytest.raises(InputError, match="could not be read"):
        read(store)


def test_fields_of_view_have_places_of_their_own(store, tissue, zarr_format):
    half = tissue.n_obs // 2
    regions = ["field 1"] * half + ["field 2"] * (tissue.n_obs - half)
    numbers = np.r_[np.arange(half), np.arange(tissue.n_obs - half)] + 1
    raster, centres = checkered(tissue.n_obs - half, first=1)
    own = centres[numbers - 1]
    write_table(store, "table", tissue, regions, zarr_format, numbers=numbers, own=own)
    corners = {"field 1": (10.0, 20.0), "field 2": (500.0, 20.0)}
    for name, (x, y) in corners.items():
        move = {"type": "translation", "translation": [y, x]}
        write_labels(store, name, [raster], zarr_format, move)
    found = read(store)
    want = own + np.array([corners[region] for region in regions])
    np.testing.assert_allclose(found.obsm["spatial"], want)
    assert any("2 regions" in text for text in input_warnings(found))


def test_some_regions_may_be_shapes_and_others_labels(store, tissue, zarr_format):
    half = tissue.n_obs // 2
    regions = ["cells"] * half + ["circles"] * (tissue.n_obs - half)
    write_table(store, "table", tissue, regions, zarr_format)
    places = np.random.default_rng(0).random((tissue.n_obs, 2)) * 50
    write_shapes(store, "circles", [point(*xy) for xy in places], zarr_format, radius=1)
    found = read(store).obsm["spatial"]
    np.testing.assert_allclose(found[:half], centres_of(tissue)[:half] / 2)
    np.testing.assert_allclose(found[half:], (places[half:] - (3, 4)) * 10)
    assert preview(store).coordinates == "labels cells; shapes circles"


def matrices():
    """Return one transformation of every kind, and some of several steps."""
    transformations = pytest.importorskip(
        "spatialdata.transformations", reason="the extra spatialdata is not installed"
    )
    turn = [[0.6, -0.8, 40], [0.8, 0.6, 7], [0, 0, 1]]
    xy = ("x", "y")
    affine = transformations.Affine(turn, input_axes=xy, output_axes=xy)
    swapped = transformations.Affine(
        [[0, 2, 1], [3, 0, 5], [0, 0, 1]], input_axes=("y", "x"), output_axes=xy
    )
    scale = transformations.Scale([2.0, 5.0], axes=xy)
    move = transformations.Translation([11.0, -3.0], axes=xy)
    exchange = transformations.MapAxis({"x": "y", "y": "x"})
    steps = transformations.Sequence
    return {
        "identity": transformations.Identity(),
        "scale": scale,
        "one axis": transformations.Scale([3.0], axes=("y",)),
        "translation": move,
        "affine": affine,
        "axes named the other way round": swapped,
        "exchanged axes": exchange,
        "scale, move": steps([scale, move]),
        "exchange, scale, turn": steps([exchange, scale, affine]),
        "nested": steps([steps([move, exchange]), swapped, scale]),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("levels", [1, 3])
def test_labels_and_shapes_lie_where_spatialdata_says(tmp_path, levels):
    kinds = matrices().values()
    import spatialdata
    from spatialdata.models import Labels2DModel, ShapesModel, TableModel

    rng = np.random.default_rng(0)
    raster = np.kron(rng.permutation(16).reshape(4, 4), np.ones((7, 5), np.int32))
    raster[5:9, 3:11] = 0
    more = {"scale_factors": [2] * (levels - 1)} if levels > 1 else {}
    labels = {
        f"labels_{i}": Labels2DModel.parse(
            raster,
            dims=("y", "x"),
            transformations={"global": kind, "own": kind},
            **more,
        )
        for i, kind in enumerate(kinds)
    }
    places = rng.random((12, 2)) * 100
    shapes = {
        f"shapes_{i}": ShapesModel.parse(
            places, geometry=0, radius=2.0, transformations={"global": kind}
        )
        for i, kind in enumerate(kinds)
    }
    want = pd.concat(
        spatialdata.get_centroids(element, coordinate_system="global")
        .compute()[["x", "y"]]
        .assign(region=name, number=lambda table: table.index)
        for name, element in {**labels, **shapes}.items()
    ).reset_index(drop=True)
    want.index = want.index.astype(str)
    want["region"] = want["region"].astype("category")
    counts = rng.poisson(3, (len(want), 4)).astype(np.float32)
    table = TableModel.parse(
        anndata.AnnData(counts, obs=want),
        region=[*labels, *shapes],
        region_key="region",
        instance_key="number",
    )
    whole = spatialdata.SpatialData(
        labels=labels, shapes=shapes, tables={"table": table}
    )
    whole.write(tmp_path / "all.zarr")
    found = read(tmp_path / "all.zarr")
    np.testing.assert_allclose(found.obsm["spatial"], want[["x", "y"]], atol=1e-9)
    assert found.n_obs == len(want)


def test_an_image_of_the_labels_lies_under_their_cells(store, tissue, zarr_format):
    write_image(store, zarr_format)
    found = read(store)
    placement = image_placement(found)
    assert placement.bounds().tolist() == [[-10, -5], [1590, 1795]]
    assert share_inside(found) == 1.0
    assert found.uns["semst_input"]["image"] == "he"
