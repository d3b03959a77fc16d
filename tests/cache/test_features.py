"""Features on the disk: found by place, resumed, and never mistaken for others."""

from __future__ import annotations

import numpy as np

from napari_semst.cache.features import FeatureCache
from napari_semst.cache.vectors import cache_entries, clear_vectors

PLACES = np.array([[3.0, 4.0], [1.0, 2.0], [-0.0, 5.5], [3.0, 4.5]])
VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)


def made(keep=True, **about):
    about = {"identity": "builtin-1", "slide": "a", "diameter": 55.0, **about}
    return FeatureCache(about, {"model": "builtin"}, keep=keep)


def test_what_was_written_is_found_in_any_order():
    made().write(PLACES[:2], VALUES[:2])
    made().write(PLACES[2:], VALUES[2:])
    order = [2, 0, 3, 1, 0]
    known, values = made().read(PLACES[order] + 0.0)
    assert known.all()
    assert np.array_equal(values, VALUES[order])


def test_what_is_not_there_is_told():
    cache = made()
    assert not cache.read(PLACES)[0].any()
    cache.write(PLACES[:2], VALUES[:2])
    known, values = made().read(PLACES)
    assert known.tolist() == [True, True, False, False]
    assert np.array_equal(values[:2], VALUES[:2])


def test_other_images_and_ways_of_reading_are_apart():
    made().write(PLACES, VALUES)
    for other in ({"slide": "b"}, {"diameter": 56.0}, {"identity": "builtin-2"}):
        assert not made(**other).read(PLACES)[0].any()


def test_nothing_is_kept_where_nothing_shall_be(own_cache):
    made(keep=False).write(PLACES, VALUES)
    assert not own_cache.exists()
    assert not made(keep=False).read(PLACES)[0].any()


def test_damaged_files_are_read_again_and_told_of():
    cache = made()
    cache.write(PLACES, VALUES)
    (entry,) = cache_entries()
    (shard,) = entry.folder.glob("shard-*")
    shard.write_bytes(shard.read_bytes()[:-3])
    cache = made()
    assert not cache.read(PLACES)[0].any()
    assert "damaged" in cache.warnings[0]


def test_features_are_cleared_with_all_vectors():
    made().write(PLACES, VALUES)
    assert [entry.about["model"] for entry in cache_entries()] == ["builtin"]
    assert clear_vectors("builtin") > 0
    assert not made().read(PLACES)[0].any()
