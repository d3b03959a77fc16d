"""Which image of a SpatialData store is shown, and where."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.io.alignment import image_placement, share_inside, stated_size
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read
from napari_semst.io.sections import spots_of
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
    told = input_warnings(found)
    assert "lie in coordinate systems of their own (one, two)" in told[0]
    assert "section_key='region'" in told[0]
    assert "one is shown without its image. The store has none of its own." in told


def test_sections_on_one_ground_have_their_own_images(store, tissue, zarr_format):
    half = tissue.n_obs // 2
    regions = ["one"] * half + ["two"] * (tissue.n_obs - half)
    own = places_of(tissue)
    own[half:] = own[: tissue.n_obs - half]
    write_table(store, "table", tissue, regions, zarr_format)
    names = {"one": ("global", "one"), "two": ("global", "two")}
    for value, (name, systems) in enumerate(names.items(), 1):
        circles = [point(*xy) for xy in own]
        write_shapes(
            store, name, circles, zarr_format, moved=(), to=systems, radius=value
        )
        whole = field(value, 100, 100)
        write_levels(store, f"{name}_he", [whole], zarr_format, to=systems)
    found = read(store)
    np.testing.assert_allclose(found.obsm["spatial"], own)
    for value, name in enumerate(names, 1):
        assert (image_placement(found, name).image == value).all()
        assert spots_of(found, name).sum() == regions.count(name)
        assert stated_size(found, name) == 2 * value
    assert found.uns["semst_input"]["image"] == "one_he, two_he"


def test_parts_of_one_section_share_its_entry(store, tissue, zarr_format):
    half = tissue.n_obs // 2
    regions = ["left"] * half + ["right"] * (tissue.n_obs - half)
    write_table(store, "table", tissue, regions, zarr_format)
    own = places_of(tissue)
    own[half:, 0] += 100
    for name in ("left", "right"):
        circles = [point(*xy) for xy in own]
        write_shapes(store, name, circles, zarr_format, moved=(), radius=3)
    write_levels(store, "he", [field(1, 100, 200)], zarr_format, *moved(0, 0))
    found = read(store)
    assert list(found.uns["spatial"]) == ["section"]
    assert spots_of(found, "section").all()
    assert share_inside(found) == 1.0
    assert "taken for parts of one section" in input_warnings(found)[0]


def test_micrometres_of_the_table_stay_where_its_places_are_these(
    store, tissue, zarr_format
):
    factors = {"microns_per_pixel": 0.5, "tissue_hires_scalef": 7.0}
    tissue.uns["spatial"] = {"other": {"images": {}, "scalefactors": factors}}
    places = places_of(tissue)
    for own, kept in ((places, {"microns_per_pixel": 0.5}), (places * 2, {})):
        write_table(store, "table", tissue, "spots", zarr_format, own=own)
        found = read(store).uns["spatial"]["spots"]["scalefactors"]
        assert found == kept | {"spot_diameter_fullres": pytest.approx(2)}
