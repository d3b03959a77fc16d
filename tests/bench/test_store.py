"""What is known of a cell stays when more of it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.bench.store import CellStore


@pytest.fixture
def store(tmp_path):
    found = CellStore(tmp_path)
    found.make()
    return found


def kept(store, readout, *, oracle=0, device="cpu", **arrays):
    best = {"ari": 0.5, "epoch": oracle} if oracle else None
    record = {"key": "a", "readouts": {readout: {"ari": 0.1}}, "device": device}
    record |= {"oracle": best, "oracle_every": oracle}
    codes = {f"codes_{readout}": np.array([0, 1])}
    store.keep("a", record, {**codes, **arrays})
    return store.find("a")


def test_another_readout_leaves_those_that_are_there(store):
    kept(store, "kmeans", oracle=3, plane=np.zeros((2, 2)))
    found = kept(store, "gmm")
    assert set(found.record["readouts"]) == {"kmeans", "gmm"}
    assert set(found.arrays) == {"codes_kmeans", "codes_gmm", "plane"}
    assert (found.record["oracle"]["epoch"], found.record["oracle_every"]) == (3, 3)
    assert kept(store, "gmm", oracle=2).record["oracle"]["epoch"] == 2


def test_what_another_device_learnt_is_not_put_together(store):
    kept(store, "kmeans", device="cuda")
    found = kept(store, "gmm")
    assert set(found.record["readouts"]) == {"gmm"}
    assert set(found.arrays) == {"codes_gmm"}
