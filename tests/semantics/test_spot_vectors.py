from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import Cancelled
from napari_semst.pipeline.model import Extremes
from napari_semst.semantics import GeneLists, spot_vectors, standardise
from napari_semst.semantics.gene_table.source import BuiltinTable
from napari_semst.semantics.weights import gene_list_weights

# The last is known to no table.
GENES = np.array(["MBP", "PLP1", "GFAP", "SNAP25", "PCP4", "CUX2", "NoSuchGene"])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(spot_vectors, "_CHUNK_SPOTS", 7)


def lists(n_spots=101, *, empty=()):
    random = np.random.default_rng(0)
    indices = random.integers(-1, len(GENES), (n_spots, 4)).astype(np.int32)
    indices[list(empty)] = -1
    indices[list(empty), 0] = len(GENES) - 1
    return GeneLists(GENES, indices)


@pytest.mark.parametrize("kind", ["equal", "rank"])
@pytest.mark.parametrize("empty", [(), (0, 50, 100)])
def test_vectors_are_those_that_are_held_to_the_bit(kind, empty) -> None:
    found = lists(empty=empty)
    weights = gene_list_weights(found, kind)
    held = BuiltinTable().embed_spots(found, weights, species="human")
    made, told = BuiltinTable().spot_vectors(found, weights, species="human")
    before = held.embedding.copy()
    expected = standardise(held.embedding)
    np.testing.assert_array_equal(made[:], expected)
    np.testing.assert_array_equal(made.unscaled(slice(None)), before)
    some = np.array([0, 3, 4, 50, 99])
    np.testing.assert_array_equal(made[some], expected[some])
    assert made.shape == expected.shape
    np.testing.assert_array_equal(told.coverage, held.coverage)
    assert told.provenance == held.provenance
    assert bool(told.warnings) == bool(empty)
    for one, other in zip(made.extremes, Extremes.of(before), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_spot_without_a_known_gene_is_neutral() -> None:
    made, _ = BuiltinTable().spot_vectors(lists(empty=(5,)), species="human")
    assert made.n_empty >= 1
    assert np.abs(made[np.array([5])]).max() < 0.2


def test_dimensions_that_are_constant_are_zero() -> None:
    alike = GeneLists(GENES, np.zeros((20, 2), np.int32))
    made, _ = BuiltinTable().spot_vectors(alike, species="human")
    assert not made[:].any()


def test_a_cancel_is_heard() -> None:
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Cancelled):
        BuiltinTable().spot_vectors(lists(), species="human", cancelled=cancelled)
    assert len(asked) == 4
