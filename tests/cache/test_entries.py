"""Folders of the cache, as people list and clear them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.cache.shards import NAME
from napari_semst.cache.vectors import VectorCache, cache_entries, clear_vectors
from napari_semst.errors import SemanticsError


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
