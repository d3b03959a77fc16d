"""Which image of a SpatialData store is shown, and where."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.io.alignment import image_placement, share_inside
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read
from tests.io.stores import (
    group,
    point,
    write_image,
    write_labels,
    write_levels,
    write_shapes,
    write_table,
)


@pytest.fixture(params=[2, 3])
def zarr_format(request):
    return request.param


@pytest.fixture
def store(tmp_path, tissue, zarr_format):
    """Circles without an image, on ground from 0 to 100."""
    path = tmp_path / "section.zarr"
    group(path, {"spatialdata_attrs": {"version": "0.2"}}, zarr_format)
    write_table(path, "table", tissue, "spots", zarr_format)
    own = places_of(tissue) / 10 + (3, 4)
    write_shapes(path, "spots", [point(*xy) for xy in own], zarr_format, radius=0.1)
    return path


def places_of(tissue):
    """Return places on a lattice, from 2.5 to 97.5 at most."""
    number = np.arange(tissue.n_obs)
    return np.column_stack([number % 20, number // 20]) * 5 + 2.5


def moved(x, y, scale=1.0):
    return (
        {"type": "scale", "scale": [1.0, scale, scale]},
        {"type": "translation", "translation": [0.0, y, x]},
    )


def field(value, height, width, channels=1):
    return np.full((channels, height, width), value, np.uint8)


def test_the_image_on_which_the_spots_lie_is_taken(store, zarr_format):
    write_levels(store, "a_corner", [field(1, 20, 20)], zarr_format, *moved(0, 0))
    write_levels(store, "b_whole", [field(2, 100, 100)], zarr_format, *moved(0, 0))
    write_levels(store, "c_whole", [field(3, 100, 100)], zarr_format, *moved(0, 0))
    found = read(store)
    assert share_inside(found) == 1.0
    assert found.uns["semst_input"]["image"] == "b_whole"
    assert (image_placement(found).image == 2).all()


def test_fields_of_view_are_put_together(store, zarr_format):
    # The right one has pixels half as wide, and a smaller copy.
    right = np.repeat(np.arange(100, dtype=np.uint8)[None, None], 200, axis=1) + 100
    write_levels(store, "left", [field(7, 100, 50)], zarr_format, *moved(0, 0))
    write_levels(
        store, "right", [right, right[:, ::2, ::2]], zarr_format, *moved(50, 0, 0.5)
    )
    write_levels(store, "elsewhere", [field(9, 9, 9)], zarr_format, *moved(500, 0))
    found = read(store)
    assert share_inside(found) == 1.0
    assert found.uns["semst_input"]["image"] == "left, right"
    placement = image_placement(found)
    np.testing.assert_allclose(placement.bounds(), [[0, 0], [100, 100]])
    assert placement.image.shape == (200, 200)
    assert (placement.image[:, :100] == 7).all()
    np.testing.assert_array_equal(placement.image[3, 100:], right[0, 3])


def test_many_fields_of_view_are_made_smaller(store, zarr_format, monkeypatch):
    monkeypatch.setattr("napari_semst.io.readers.spatialdata_images.ENOUGH", 50 * 50)
    write_levels(store, "left", [field(7, 100, 50)], zarr_format, *moved(0, 0))
    write_levels(store, "right", [field(8, 100, 50)], zarr_format, *moved(50, 0))
    placement = image_placement(read(store))
    np.testing.assert_allclose(placement.bounds(), [[0, 0], [100, 100]])
    assert (placement.image == np.repeat([7, 8], 25)).all()
    monkeypatch.setattr("napari_semst.io.readers.spatialdata_images.ENOUGH", 5)
    monkeypatch.setattr("napari_semst.io.formats.ngff._LARGEST_WHOLE", 5)
    assert "too large" in input_warnings(read(store))[0]


@pytest.mark.parametrize(
    ("channels", "shape"),
    [
        (("DAPI", "18S", "AlphaSMA"), (100, 100)),
        (("r", "g", "b"), (100, 100, 3)),
        (("0", "1", "2"), (100, 100, 3)),
        ((), (100, 100, 3)),
    ],
)
def test_stains_are_no_colours(store, zarr_format, channels, shape):
    whole = field(2, 100, 100, 3)
    write_levels(store, "a", [whole], zarr_format, *moved(0, 0), channels=channels)
    assert image_placement(read(store)).image.shape == shape


def test_regions_in_coordinate_systems_of_their_own(store, tissue, zarr_format):
    half = tissue.n_obs // 2
    regions = ["one"] * half + ["two"] * (tissue.n_obs - half)
    numbers = np.r_[np.arange(half), np.arange(tissue.n_obs - half)] + 1
    write_table(store, "table", tissue, regions, zarr_format, numbers=numbers)
    write_image(store, zarr_format)
    raster = np.arange(1, tissue.n_obs + 1, dtype=np.int32)[None]
    for name in ("one", "two"):
        write_labels(store, name, [raster], zarr_format, to=name)
    found = read(store)
    want = np.column_stack([numbers - 0.5, np.full(tissue.n_obs, 0.5)])
    np.testing.assert_allclose(found.obsm["spatial"], want)
    assert share_inside(found) is None
    assert "name that column as section_key" in input_warnings(found)[0]
