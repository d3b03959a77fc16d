"""Folders of the cache, as people list and clear them."""

from __future__ import annotations

import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_semst.cache.shards import NAME
from napari_semst.cache.vectors import VectorCache, cache_entries, clear_vectors
from napari_semst.errors import SemanticsError
from tests.cli.test_main import call


@pytest.mark.parametrize("text", ["null", "NaN", "[1]", '"m"', "{", "[" * 200_000])
def test_a_damaged_record_is_of_no_model_and_can_be_cleared(text):
    cache = VectorCache({"identity": "i", "model": "m"})
    cache.write(np.frombuffer(bytes(range(32)), NAME), np.ones((2, 3), np.float32))
    assert not cache.warnings
    (cache.folder / "about.json").write_text(text)
    (entry,) = cache_entries()
    assert (dict(entry.about), entry.n_vectors) == ({}, 2)
    with pytest.raises(SemanticsError, match="found those of unknown"):
        clear_vectors("m")
    (cache.folder / "about.json").write_text('{"model": ["m"], "path": {}}')
    with pytest.raises(SemanticsError, match="found those of "):
        clear_vectors("m")
    assert clear_vectors() > 0
    assert not list(cache_entries())


def test_what_is_no_record_and_no_shard_is_listed_and_cleared(tmp_path):
    cache = VectorCache({"identity": "i", "model": "m"})
    cache.write(np.frombuffer(bytes(range(32)), NAME), np.ones((2, 3), np.float32))
    record, folder = cache.folder / "about.json", cache.folder
    whole = next(folder.glob("shard-*.safetensors")).read_bytes()
    (folder / "shard-cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "shard-empty.safetensors").write_bytes(b"")
    (folder / "shard-noise.safetensors").write_bytes(bytes(range(256)) * 20)
    save_file({"keys": np.array(1.0, np.float32)}, folder / "shard-flat.safetensors")
    (folder / "shard-folder.safetensors").mkdir()
    (folder / "shard-gone.safetensors").symlink_to(tmp_path / "absent")
    record.write_text('{"model": "' + "m" * 2_000_000 + '"}')
    (entry,) = cache_entries()
    assert (dict(entry.about), entry.n_vectors) == ({}, 2)
    assert "unknown" in call("cache", "list")
    record.unlink()
    record.mkdir()
    assert next(iter(cache_entries())).n_vectors == 2
    assert clear_vectors() > 0
    left = {path.name for path in folder.iterdir()}
    assert left == {"about.json", "shard-folder.safetensors"}, "folders are not ours"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_nobody_waits_for_a_pipe():
    cache = VectorCache({"identity": "i", "model": "m"})
    cache.write(np.frombuffer(bytes(range(32)), NAME), np.ones((2, 3), np.float32))
    (cache.folder / "about.json").unlink()
    os.mkfifo(cache.folder / "about.json")
    (entry,) = cache_entries()
    assert dict(entry.about) == {}
    assert clear_vectors() > 0
