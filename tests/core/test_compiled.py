from __future__ import annotations

import pytest

from napari_semst.core.compiled import compiled_once


@pytest.mark.parametrize("signature", [(), ("int64(int64)",)])
def test_what_cannot_be_kept_is_compiled_all_the_same(signature):
    # Numba has no folder for what comes from no file, as for files it may not sit by.
    space = {}
    exec("def twice(x):\n    return 2 * x\n", space)
    twice = compiled_once(*signature, nogil=True)(space["twice"])
    assert twice(21) == 42
    assert len(twice.signatures) == 1


def test_what_can_be_kept_is_kept():
    def once(x):
        return x

    assert compiled_once(nogil=True)(once)._cache.cache_path
