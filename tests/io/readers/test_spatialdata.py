from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import InputError
from napari_semst.io.alignment import image_placement, share_inside, spot_size
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from tests.io.stores import (
    MOVED,
    group,
    point,
    square,
    transforms,
    write_image,
    write_shapes,
    write_table,
)


@pytest.fixture(params=[2, 3])
def zarr_format(request):
    return request.param


@pytest.fixture
def store(tmp_path, tissue, zarr_format):
    """Circles of 1.5 around, as large as 30 in the tissue, and an image."""
    path = tmp_path / "section.zarr"
    group(path, {"spatialdata_attrs": {"version": "0.2"}}, zarr_format)
    own = np.asarray(tissue.obsm["spatial"]) / 10 + (3, 4)
    write_table(path, "table", tissue, "spots", zarr_format)
    write_shapes(path, "spots", [point(*xy) for xy in own], zarr_format, radius=1.5)
    write_image(path, zarr_format)
    return path


def test_circles_and_image_come_to_the_same_coordinates(store, tissue, tmp_path):
    assert detect_format(store).name == "spatialdata"
    found = read(store)
    assert (found.X != tissue.X).nnz == 0
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])
    assert spot_size(found).diameter == pytest.approx(30)
    placement = image_placement(found)
    np.testing.assert_allclose(placement.bounds(), [[-10, -5], [1590, 1795]])
    assert placement.image.shape == (320, 360, 3)
    assert placement.image[5, 7, 0] == 7
    assert share_inside(found) == 1.0
    assert input_warnings(found) == []
    found.write_h5ad(tmp_path / "saved.h5ad")
    assert share_inside(read(tmp_path / "saved.h5ad")) == 1.0


def test_a_level_that_is_small_enough_is_read(store, monkeypatch):
    monkeypatch.setattr("napari_semst.io.readers.spatialdata_images.ENOUGH", 160 * 180)
    placement = image_placement(read(store))
    assert placement.image.shape == (160, 180, 3)
    np.testing.assert_allclose(placement.bounds(), [[-10, -5], [1590, 1795]])


def test_an_image_without_a_small_copy_is_thinned_out(store, monkeypatch):
    monkeypatch.setattr("napari_semst.io.readers.spatialdata_images.ENOUGH", 54 * 60)
    placement = image_placement(read(store))
    # The coarser level by a third: every sixth pixel of the finer one.
    assert placement.image.shape == (53, 60, 3)
    assert placement.scale == pytest.approx((30, 30))
    assert placement.image[0, :3, 0].tolist() == [2, 8, 14]
    np.testing.assert_allclose(placement.bounds()[0], [-10, -5])
    monkeypatch.setattr("napari_semst.io.formats.ngff._LARGEST_WHOLE", 5)
    assert "too large" in input_warnings(read(store))[0]


def test_outlines_of_cells_need_the_extra(store, tissue, zarr_format):
    own = np.asarray(tissue.obsm["spatial"]) / 10 + (3, 4)
    cells = [square(*xy, 2.0) for xy in own]
    write_shapes(store, "spots", cells, zarr_format)
    try:
        import shapely  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"napari-semst\[spatialdata\]"):
            read(store)
    else:
        found = read(store)
        np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])
        assert spot_size(found).diameter == pytest.approx(20 * 2 / np.sqrt(np.pi))


def test_one_of_several_tables_is_asked_for(store, tissue, zarr_format):
    write_table(store, "other", tissue[:50], "spots", zarr_format)
    assert read(store, part="other").n_obs == 50
    assert read(store).n_obs == tissue.n_obs
    with pytest.raises(InputError, match="found tables: other, table"):
        read(store, part="third")


def test_a_table_alone_is_a_part_of_its_store(store):
    # Where its spots lie is told by the store's elements, not by the table.
    for place in (store / "tables" / "table", store / "tables"):
        with pytest.raises(InputError, match=r"is a part of .*section\.zarr"):
            read(place)


def test_a_table_of_results_is_passed_over(store, tissue, zarr_format):
    store.joinpath("tables", "table").rename(store / "tables" / "bins")
    results = anndata.AnnData(obs=tissue.obs)
    results.obsm["spatial"] = tissue.obsm["spatial"]
    write_table(store, "semst", results, "spots", zarr_format)
    assert read(store).n_vars == tissue.n_vars


def test_an_image_that_is_turned_is_told(tmp_path, store, zarr_format):
    import shutil

    shutil.rmtree(store / "images")
    write_image(store, zarr_format, turned=True)
    found = read(store)
    assert share_inside(found) is None
    assert "shown without its image" in input_warnings(found)[0]


def test_shapes_elsewhere_are_read_there_without_the_image(store, tissue, zarr_format):
    attributes = {"coordinateTransformations": transforms(*MOVED, to="slide")}
    group(store / "shapes" / "spots", attributes, zarr_format)
    found = read(store)
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])
    assert share_inside(found) is None
    assert "no place in the coordinate system 'slide'" in input_warnings(found)[0]


def test_shapes_that_are_missing_or_damaged_are_refused(store):
    file = store / "shapes" / "spots" / "shapes.parquet"
    file.write_bytes(b"no table")
    with pytest.raises(InputError, match="could not be read"):
        read(store)
    file.unlink()
    with pytest.raises(InputError, match=r"points 'spots'.*found none; there are"):
        read(store)


def test_a_table_may_describe_points(store, tissue, zarr_format):
    place = store / "points" / "beads"
    group(place, {"coordinateTransformations": transforms(*MOVED)}, zarr_format)
    write_table(store, "table", tissue, "beads", zarr_format)
    own = np.asarray(tissue.obsm["spatial"]) / 10 + (3, 4)
    columns = {"x": own[:, 0], "y": own[:, 1], "gene": "A"}
    points = pd.DataFrame(columns, index=np.arange(len(own)) + 100)[::-1]
    (place / "points.parquet").mkdir()
    for part in range(2):
        file = place / "points.parquet" / f"part.{part}.parquet"
        points[part::2].to_parquet(file)
    found = read(store)
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])
    assert preview(store).coordinates == "points beads"
    assert share_inside(found) == 1.0


def test_an_image_on_which_no_spot_lies_is_not_shown(store, zarr_format):
    far = [{"type": "translation", "translation": [1e6, 0.0]}]
    attributes = {"coordinateTransformations": transforms(*far)}
    group(store / "shapes" / "spots", attributes, zarr_format)
    found = read(store)
    assert share_inside(found) is None
    assert "No spot lies on the image he" in input_warnings(found)[0]


def test_a_table_that_names_no_elements_is_shown_without_the_image(
    store, tissue, zarr_format
):
    own = np.asarray(tissue.obsm["spatial"]) * 3
    write_table(store, "table", tissue, "spots", zarr_format, own=own)
    bare = {"encoding-type": "anndata", "encoding-version": "0.1.0"}
    group(store / "tables" / "table", bare, zarr_format)
    found = read(store)
    np.testing.assert_array_equal(found.obsm["spatial"], own)
    assert share_inside(found) is None
    assert "does not say which shapes, labels" in input_warnings(found)[0]


def test_names_of_regions_do_not_lead_out_of_the_store(store, tissue, zarr_format):
    (store / "shapes" / "spots").rename(store.parent / "outside")
    write_table(store, "table", tissue, "../../outside", zarr_format)
    with pytest.raises(InputError, match="found none"):
        read(store)
    write_table(store, "table", tissue, "spots", zarr_format)
    (store / "shapes" / "spots").symlink_to(store.parent / "outside")
    with pytest.raises(InputError, match="they lead to"):
        read(store)


def test_a_store_without_a_table_is_declined(tmp_path, zarr_format):
    group(tmp_path / "a.zarr", {"spatialdata_attrs": {}}, zarr_format)
    assert detect_format(tmp_path / "a.zarr") is None
    write_image(tmp_path / "b.zarr", zarr_format)
    assert detect_format(tmp_path / "b.zarr") is None


def test_places_are_those_that_spatialdata_itself_gives(tmp_path, tissue):
    spatialdata = pytest.importorskip("spatialdata", reason="the extra spatialdata")
    from spatialdata.models import ShapesModel, TableModel
    from spatialdata.transformations import Affine

    turn = [[0, -2, 5], [2, 0, 7], [0, 0, 1]]
    turned = {"global": Affine(turn, input_axes=("x", "y"), output_axes=("x", "y"))}
    names = list(tissue.obs_names)
    spots = ShapesModel.parse(
        np.asarray(tissue.obsm["spatial"]),
        geometry=0,
        radius=4.0,
        index=names,
        transformations=turned,
    )
    table = tissue.copy()
    table.obs["region"], table.obs["name"] = pd.Categorical(["s"] * len(names)), names
    table = TableModel.parse(
        table, region="s", region_key="region", instance_key="name"
    )
    whole = spatialdata.SpatialData(shapes={"s": spots}, tables={"table": table})
    with warnings.catch_warnings():
        # spatialdata's own: of the order of names, and of what ome-zarr deprecates.
        warnings.simplefilter("ignore")
        whole.write(tmp_path / "whole.zarr")
        want = spatialdata.get_centroids(spots, coordinate_system="global").compute()
    found = read(tmp_path / "whole.zarr")
    np.testing.assert_allclose(found.obsm["spatial"], want.loc[names].to_numpy())
    assert spot_size(found).diameter == pytest.approx(16)
