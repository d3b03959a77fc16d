"""Images of many pixels drawn from their file, level by level."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from napari.layers import Layer

from napari_semst import read, write
from napari_semst.io.formats.tiff import pyramid_of, read_section_image
from napari_semst.io.manual_alignment import Adjustment
from napari_semst.viewer import adapter
from napari_semst.viewer.align_image import align_image
from tests.io.folders import PIXEL, gradient, write_xenium


@pytest.fixture
def folder(tmp_path, tissue, monkeypatch):
    """A run whose image of 340 x 360 pixels is more than is kept in memory."""
    monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 10_000)
    return write_xenium(tmp_path / "run", tissue)


def layers_of(tissue):
    return [Layer.create(*data) for data in adapter.layers_of(tissue, "run")]


def test_an_image_is_drawn_from_its_file_where_it_belongs(folder):
    section = read(folder)
    image, _ = layers_of(section)
    kept = next(iter(section.uns["spatial"].values()))["images"]["hires"]
    assert kept.size <= 10_000
    assert image.multiscale
    assert [level.shape for level in image.data] == [(340, 360), (170, 180), (85, 90)]
    assert np.array_equal(np.asarray(image.data[0]), gradient(340, 360))
    # Pixels are of so many micrometres, the first one's corner at the origin.
    assert np.allclose(image.data_to_world((0, 0)), PIXEL / 2)
    assert np.allclose(image.data_to_world((100, 7)), (100.5 * PIXEL, 7.5 * PIXEL))
    low, high = image.contrast_limits
    assert 300 <= low < high <= gradient(340, 360).max()


def test_it_is_turned_and_shifted_as_any_other(folder):
    section = read(folder)
    layers = layers_of(section)
    image = layers[0]
    library = next(iter(section.uns["spatial"]))
    align_image(section, library, Adjustment().rotated().shifted_to(5, 0), layers)
    turned = np.rot90(gradient(340, 360), -1)
    assert np.array_equal(np.asarray(image.data[0]), turned)
    assert np.allclose(image.data_to_world((0, 0)), (PIXEL / 2, PIXEL / 2 + 5))
    # Opened again it lies there too.
    again = layers_of(section)[0]
    assert np.array_equal(np.asarray(again.data[0]), turned)
    assert np.allclose(again.translate, image.translate)
    assert np.allclose(again.scale, image.scale)


def test_from_a_saved_section_what_was_saved_is_drawn(folder, tmp_path):
    section = read(folder)
    path = write(section, tmp_path / "saved.h5ad")
    assert str(folder) not in str(read(path).uns)
    image, _ = layers_of(read(path))
    assert not image.multiscale
    assert image.data.size <= 10_000
    corner = image.data_to_world((-0.5, -0.5))
    assert np.allclose(corner, 0, atol=1e-9)


def test_without_its_file_an_image_is_drawn_as_it_was_read(folder):
    section = read(folder)
    for path in folder.rglob("*.tif"):
        path.unlink()
    assert not layers_of(section)[0].multiscale


@pytest.mark.parametrize(
    ("shape", "kind", "levels"),
    [((300, 200, 3), np.uint8, 2), ((300, 200, 3), np.uint16, 0)],
)
def test_colours_of_8_bits_are_drawn_from_the_file(
    tmp_path, monkeypatch, shape, kind, levels
):
    monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 10_000)
    colours = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(colours, subifds=1, tile=(64, 64), photometric="rgb")
        small = colours[::2, ::2]
        file.write(small, subfiletype=1, tile=(64, 64), photometric="rgb")
    picture, _ = read_section_image(path, 1.0)
    found = pyramid_of(picture.image)
    assert len(found.levels if found else ()) == levels
    if found:
        assert np.array_equal(np.asarray(found.levels[0]), colours)


def test_an_image_with_all_of_its_pixels_is_drawn_from_memory(tmp_path, tissue):
    assert not layers_of(read(write_xenium(tmp_path / "run", tissue)))[0].multiscale
