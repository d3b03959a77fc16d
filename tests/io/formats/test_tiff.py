"""Image files: open once while they are used, closed when nothing uses them."""

from __future__ import annotations

import copy
import gc
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from napari_semst.errors import InputError
from napari_semst.io import image_sources
from napari_semst.io.formats import tiff
from napari_semst.io.formats.tiff import pyramid_in, pyramid_of, read_section_image
from napari_semst.io.image_sources import forget_source, image_source


@pytest.fixture(autouse=True)
def few_pixels_are_enough(monkeypatch):
    monkeypatch.setattr(tiff, "ENOUGH", 10_000)
    monkeypatch.setattr(tiff, "_BLOCK", 64)
    monkeypatch.setattr(image_sources, "_SOURCES", {})


def colours(seed=0, side=300):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (side, side, 3), dtype=np.uint8)


def write(path, image, **options):
    with tifffile.TiffWriter(path) as file:
        usual = {"tile": (64, 64), "photometric": "rgb", **options}
        file.write(image, subifds=1, **usual)
        file.write(image[::2, ::2], subfiletype=1, **usual)
    return path


def open_files(path):
    """Return how often this process has a file open."""
    links = (os.path.join("/proc/self/fd", fd) for fd in os.listdir("/proc/self/fd"))
    return sum(os.path.realpath(link) == str(path) for link in links)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux tells it")
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": None}])
def test_a_file_is_open_once_while_it_is_used_and_then_closed(tmp_path, options):
    image = colours()
    path = write(tmp_path / "a.tif", image, **options)
    pyramid, again = pyramid_in(path), pyramid_in(path)
    assert np.array_equal(pyramid.levels[0].compute(), image)
    assert np.array_equal(again.levels[1].compute(), image[::2, ::2])
    assert open_files(path) == 1
    level = copy.deepcopy(pyramid.levels[0])
    del pyramid, again
    gc.collect()
    assert np.array_equal(level[:70, 9:80].compute(), image[:70, 9:80])
    del level
    gc.collect()
    assert open_files(path) == 0
    moved = path.rename(tmp_path / "b.tif")
    assert np.array_equal(pyramid_in(moved).levels[0].compute(), image)
    gc.collect()
    moved.unlink()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_threads_read_the_same_file_at_once(tmp_path, compression):
    image = colours(side=512)
    pyramid = pyramid_in(write(tmp_path / "a.tif", image, compression=compression))
    corners = [(y, x) for y in range(0, 500, 50) for x in range(0, 500, 50)]

    def same(corner):
        part = np.s_[corner[0] : corner[0] + 80, corner[1] : corner[1] + 80]
        level = pyramid.levels[0][part]
        return np.array_equal(level.compute(scheduler="synchronous"), image[part])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(same, corners))


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
)
def test_a_lazy_level_survives_a_copy(tmp_path, again):
    image = colours()
    level = again(pyramid_in(write(tmp_path / "a.tif", image)).levels[0])
    gc.collect()
    assert np.array_equal(level.compute(), image)


@pytest.mark.parametrize(
    "again",
    [np.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
)
def test_a_copied_image_keeps_its_pyramid(tmp_path, again, monkeypatch):
    monkeypatch.setattr(image_sources, "_SAVED_PIXELS", set())
    image = colours()
    picture, _ = read_section_image(write(tmp_path / "a.tif", image), 1.0)
    copied = again(picture.image)
    del picture
    gc.collect()
    assert image_source(copied) == (tmp_path / "a.tif", pytest.approx(1 / 4))
    assert np.array_equal(pyramid_of(copied).levels[0].compute(), image)
    saved = copied.copy()
    forget_source(saved)
    assert pyramid_of(saved) is None
    # Which of the two a copy is of, nobody knows then; what was read itself is known.
    assert pyramid_of(saved.copy()) is None
    assert pyramid_of(again(copied)) is None
    read_again, _ = read_section_image(tmp_path / "a.tif", 1.0)
    assert pyramid_of(read_again.image) is not None
    copied[0, 0] += 1
    assert pyramid_of(copied) is None


def test_a_replaced_file_is_not_served_as_it_was(tmp_path):
    path = write(tmp_path / "a.tif", colours())
    picture, _ = read_section_image(path, 1.0)
    before = pyramid_in(path).levels[0]
    before.compute()
    other = write(tmp_path / "b.tif", colours(1))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    os.replace(other, path)
    after = pyramid_in(path).levels[0]
    assert after.name != before.name
    assert np.array_equal(after.compute(), colours(1))
    assert np.array_equal(before.compute(), colours(1))
    assert image_source(picture.image)[0] is None
    os.replace(write(tmp_path / "b.tif", colours(side=200)), path)
    with pytest.raises(InputError, match="Open the section again"):
        before.compute()
    path.unlink()
    assert pyramid_of(picture.image) is None


def test_what_is_no_image_is_closed_and_can_be_removed(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0 no image")
    with pytest.raises(InputError, match="could not be read"):
        pyramid_in(path)
    path.unlink()
