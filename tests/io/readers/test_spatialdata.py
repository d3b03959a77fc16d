from __future__ import annotations

import json
import struct
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import InputError
from napari_semst.io.alignment import image_placement, share_inside, spot_size
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format

AXES = [{"name": "x"}, {"name": "y"}]
# Places in the store are a tenth of those of the tissue, moved by (3, 4).
MOVED = [
    {"type": "translation", "translation": [-3.0, -4.0]},
    {"type": "scale", "scale": [10.0, 10.0]},
]


def group(path, attributes, zarr_format):
    """Write an empty group with attributes."""
    path.mkdir(parents=True, exist_ok=True)
    if zarr_format == 2:
        (path / ".zgroup").write_text('{"zarr_format": 2}')
        (path / ".zattrs").write_text(json.dumps(attributes))
        return
    about = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
    (path / "zarr.json").write_text(json.dumps(about))


def transforms(*steps, axes=AXES, to="global"):
    sides = {
        "input": {"name": "own", "axes": axes},
        "output": {"name": to, "axes": axes},
    }
    return [{"type": "sequence", "transformations": list(steps), **sides}]


def point(x, y):
    return struct.pack("<BIdd", 1, 1, x, y)


def square(x, y, side):
    near, far = -side / 2, side / 2
    ring = [(near, near), (far, near), (far, far), (near, far), (near, near)]
    corners = b"".join(struct.pack("<dd", x + a, y + b) for a, b in ring)
    return struct.pack("<BIII", 1, 3, 1, len(ring)) + corners


def write_table(store, name, tissue, region, zarr_format):
    table = tissue.copy()
    del table.obsm["spatial"]
    table.obs["region"] = pd.Categorical([region] * table.n_obs)
    table.obs["number"] = np.arange(table.n_obs) + 100
    with warnings.catch_warnings():
        # The second format is announced to be no longer the default.
        warnings.simplefilter("ignore")
        with anndata.settings.override(zarr_write_format=zarr_format):
            table.write_zarr(store / "tables" / name)
    about = {"encoding-type": "anndata", "encoding-version": "0.1.0", "region": region}
    about |= {"region_key": "region", "instance_key": "number"}
    path = store / "tables" / name
    for old in (path / "zarr.json", path / ".zattrs"):
        old.unlink(missing_ok=True)
    group(path, about, zarr_format)


def write_shapes(store, name, geometry, zarr_format, **columns):
    path = store / "shapes" / name
    group(path, {"coordinateTransformations": transforms(*MOVED)}, zarr_format)
    order = np.random.default_rng(0).permutation(len(geometry))
    index = pd.Index(np.arange(len(geometry)) + 100)
    table = pd.DataFrame({"geometry": geometry, **columns}, index=index)
    table.iloc[order].to_parquet(path / "shapes.parquet")


def write_image(store, zarr_format, *, turned=False):
    """Write two levels; a pixel of the finest is 5 wide, and the corner (-5, -10)."""
    import zarr

    axes = [{"name": name} for name in "cyx"]
    place = [
        {"type": "scale", "scale": [1.0, 5.0, 5.0]},
        {"type": "translation", "translation": [0.0, -10.0, -5.0]},
    ]
    if turned:
        turn = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]
        place = [{"type": "affine", "affine": turn}]
    levels = {
        "axes": axes,
        "datasets": [{"path": "0"}, {"path": "1"}],
        "coordinateTransformations": transforms(*place, axes=axes),
    }
    about = {"multiscales": [levels]}
    group(
        store / "images" / "he",
        {"ome": about} if zarr_format == 3 else about,
        zarr_format,
    )
    image = np.zeros((3, 320, 360), np.uint8)
    image[0] = np.arange(360) % 250
    for path, step in (("0", 1), ("1", 2)):
        array = zarr.create_array(
            store / "images" / "he" / path,
            data=image[:, ::step, ::step],
            chunks=(3, 64, 64),
            zarr_format=zarr_format,
        )
        assert array.shape[0] == 3


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
    monkeypatch.setattr("napari_semst.io.readers.spatialdata.ENOUGH", 160 * 180)
    placement = image_placement(read(store))
    assert placement.image.shape == (160, 180, 3)
    np.testing.assert_allclose(placement.bounds(), [[-10, -5], [1590, 1795]])
    monkeypatch.setattr("napari_semst.io.readers.spatialdata.ENOUGH", 5)
    assert "no small enough copy" in input_warnings(read(store))[0]


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


def test_shapes_that_are_missing_or_elsewhere_are_refused(store, zarr_format):
    file = store / "shapes" / "spots" / "shapes.parquet"
    attributes = {"coordinateTransformations": transforms(*MOVED, to="slide")}
    group(store / "shapes" / "spots", attributes, zarr_format)
    with pytest.raises(InputError, match="to the coordinate system 'global'"):
        read(store)
    file.write_bytes(b"no table")
    with pytest.raises(InputError, match="could not be read"):
        read(store)
    file.unlink()
    with pytest.raises(InputError, match="found neither"):
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
