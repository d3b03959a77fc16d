"""Channels of images in a SpatialData store: their names, colours, pixels and place."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.io.formats import ngff_channels
from napari_semst.io.formats.ngff_channels import (
    channels_of_group,
    group_channel_levels,
)
from napari_semst.io.read import read
from napari_semst.viewer.image_channels import channels_of_image, open_channel
from tests.io.stores import group, point, write_levels, write_shapes, write_table

STAINS = ("DAPI", "polyT", "membrane", "")


def pixels(n=4, side=400):
    """Return channels of which each pixel tells its channel, row and column."""
    rows, columns = np.mgrid[:side, :side]
    return np.stack(
        [1000 * (c + 1) + rows // 4 + 2 * (columns // 4) for c in range(n)]
    ).astype(np.uint16)


@pytest.fixture(params=[2, 3])
def store(request, tmp_path, tissue):
    """Circles on an image of four stains in two sizes; a pixel is half a unit."""
    path = tmp_path / "section.zarr"
    group(path, {"spatialdata_attrs": {"version": "0.2"}}, request.param)
    write_table(path, "table", tissue, "spots", request.param)
    places = np.asarray(tissue.obsm["spatial"]) / 10
    write_shapes(
        path, "spots", [point(*xy) for xy in places], request.param, radius=1, moved=[]
    )
    image = pixels()
    place = {"type": "scale", "scale": [1.0, 0.5, 0.5]}
    levels = [image, image[:, ::2, ::2]]
    write_levels(path, "stains", levels, request.param, place, channels=STAINS)
    return path


def test_channels_have_the_names_of_the_store_and_a_colour_each(store):
    found = channels_of_group(store / "images" / "stains")
    assert [one.name for one in found] == ["DAPI", "polyT", "membrane", "Channel 4"]
    assert len({one.colour for one in found}) == 4


def test_a_channel_is_read_by_level_with_its_own_contrast(store):
    image = pixels()
    for page, channel in enumerate(channels_of_group(store / "images" / "stains")):
        levels, (low, high), share = group_channel_levels(channel)
        assert share == 1.0
        assert [level.shape for level in levels] == [(400, 400), (200, 200)]
        np.testing.assert_array_equal(np.asarray(levels[0]), image[page])
        np.testing.assert_array_equal(np.asarray(levels[1]), image[page, ::2, ::2])
        assert image[page].min() <= low < np.median(image[page]) < high
        assert high <= image[page].max()


def test_one_large_level_alone_is_reduced(store, monkeypatch):
    monkeypatch.setattr(ngff_channels, "ENOUGH", 12_000)
    image = pixels(2)
    write_levels(store, "alone", [image], 3, channels=("a", "b"))
    (_, second) = channels_of_group(store / "images" / "alone")
    (level,), _, share = group_channel_levels(second)
    assert isinstance(level, np.ndarray)
    assert level.shape == (100, 100)
    assert share == 0.25
    np.testing.assert_array_equal(level, image[1, 2::4, 2::4])


def test_colours_and_single_channels_are_no_stains(store):
    write_levels(store, "he", [np.zeros((3, 40, 40), np.uint8)], 3)
    write_levels(store, "rgb", [np.zeros((3, 40, 40), np.uint8)], 3, channels="rgb")
    write_levels(store, "one", [np.zeros((1, 40, 40), np.uint8)], 3, channels=("a",))
    for name in ("he", "rgb", "one"):
        assert channels_of_group(store / "images" / name) == ()


def test_they_lie_where_the_image_of_the_section_lies(store):
    tissue = read(store)
    (library,) = tissue.uns["spatial"]
    found = channels_of_image(tissue, library)
    assert len(found) == 4
    shown = open_channel(tissue, library, found[2])
    from napari_semst.io.alignment import image_placement

    placement = image_placement(tissue, library)
    levels, kept = shown.placed(placement)
    np.testing.assert_allclose(kept.scale, 0.5)
    corner = np.array(kept.translate) - np.array(kept.scale) / 2
    np.testing.assert_allclose(corner, placement.bounds()[0])
    np.testing.assert_array_equal(np.asarray(levels[0]), pixels()[2])
