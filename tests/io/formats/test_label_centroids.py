from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import zarr

from napari_semst.errors import InputError
from napari_semst.io.formats import label_centroids as module
from napari_semst.io.formats.label_centroids import label_centroids
from tests.io.stores import group, write_labels


def by_pixel(raster, wanted):
    """Return centroids and sizes the plain way."""
    found = [np.argwhere(raster == label) for label in wanted]
    xy = [p[:, ::-1].mean(axis=0) + 0.5 if len(p) else (np.nan,) * 2 for p in found]
    return np.array(xy), [len(p) for p in found]


@pytest.mark.parametrize("block", [1, 300, 1 << 22])
@pytest.mark.parametrize("chunks", [(7, 11), (40, 53), (1, 53), (40, 1)])
def test_centroids_are_those_of_the_pixels(tmp_path, monkeypatch, chunks, block):
    rng = np.random.default_rng(1)
    raster = rng.integers(0, 9, (40, 53)).astype(np.uint16)
    raster[10:20, 5:40] = 700
    monkeypatch.setattr(module, "_BLOCK", block)
    write_labels(tmp_path, "cells", [raster], 3, chunks=chunks)
    wanted = np.array([700, 3, 1, 12, 8])
    xy, sizes = label_centroids(tmp_path / "labels" / "cells", wanted)
    want, many = by_pixel(raster, wanted)
    np.testing.assert_allclose(xy, want)
    assert sizes.tolist() == many


def test_numbers_may_be_as_large_as_hashes(tmp_path):
    raster = np.zeros((6, 6), np.uint64)
    raster[1:3, 2:6] = 2**62 + 5
    raster[4:, :2] = 2**62 + 4
    write_labels(tmp_path, "cells", [raster], 3)
    xy, sizes = label_centroids(
        tmp_path / "labels" / "cells", np.array([2**62 + 5, 2**62 + 4])
    )
    assert xy.tolist() == [[4, 2], [1, 5]]
    assert sizes.tolist() == [8, 4]


def test_background_has_no_place(tmp_path):
    write_labels(tmp_path, "cells", [np.zeros((3, 3), np.int32)], 3)
    xy, sizes = label_centroids(tmp_path / "labels" / "cells", np.array([0, 1]))
    assert np.isnan(xy).all()
    assert sizes.tolist() == [0, 0]


def test_a_large_raster_is_never_held_whole(tmp_path):
    side, step = 8000, 500
    place = tmp_path / "labels" / "cells"
    write_labels(tmp_path, "cells", [np.zeros((1, 1), np.int32)], 3)
    array = zarr.create_array(
        place / "s0", shape=(side, side), chunks=(step, step), dtype="int32",
        fill_value=0, overwrite=True,
    )  # fmt: skip
    array[7000:7100, 200:400] = 9
    tracemalloc.start()
    xy, sizes = label_centroids(place, np.array([9]))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert xy.tolist() == [[300, 7050]]
    assert sizes.tolist() == [20_000]
    # The raster has 256 MB.
    assert most < 100e6


def test_what_is_no_raster_of_labels_is_refused(tmp_path):
    write_labels(tmp_path, "cells", [np.zeros((3, 3), np.float32)], 3)
    with pytest.raises(InputError, match="whole numbers"):
        label_centroids(tmp_path / "labels" / "cells", np.array([1]))
    group(tmp_path / "empty", {}, 3)
    with pytest.raises(InputError, match="name no levels"):
        label_centroids(tmp_path / "empty", np.array([1]))
