"""A fair sample of molecules, the same whatever was read before."""

from __future__ import annotations

import numpy as np

from napari_semst.io.transcripts.molecules import (
    MoleculeHeap,
    is_sampled,
    place_ranks,
)


def some(n, seed=0):
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 1e4, (n, 2)).astype(np.float32)
    return places, rng.integers(0, 3, n).astype(np.int16)


def test_ranks_are_spread_evenly_over_places_on_a_grid_too():
    grid = np.stack(np.meshgrid(np.arange(300), np.arange(300)), -1).reshape(-1, 2)
    for places in (some(90_000)[0], grid.astype(np.float32), grid * np.float32(0.1)):
        ranks = place_ranks(places)
        counts = np.histogram(ranks, 16, (0, 2**32))[0]
        np.testing.assert_allclose(counts, len(places) / 16, rtol=0.1)
        assert len(np.unique(ranks)) > 0.999 * len(places)


def test_a_heap_keeps_a_share_and_counts_all():
    places, codes = some(50_000)
    low = np.array([0, 0, 2], np.int16)
    heaps = [MoleculeHeap(("a", "b", "c")) for _ in range(2)]
    for at in range(0, 50_000, 7000):
        heaps[0].add(places[at : at + 7000], codes[at : at + 7000], low)
        if at in (7000, 14_000, 21_000, 42_000):
            heaps[0].halve()
    heaps[1].add(places[::-1], codes[::-1], low)
    for _ in range(4):
        heaps[1].halve()
    one, other = (heap.molecules() for heap in heaps)
    assert len(one) == len(heaps[0])
    assert 2000 < len(one) <= 5000
    assert one.share == 1 / 16
    np.testing.assert_array_equal(one.n_found, np.bincount(codes))
    np.testing.assert_array_equal(one.n_low, [16, 0, 8])
    # The same ones, in whatever order they came.
    assert {*map(tuple, one.places)} == {*map(tuple, other.places)}
    kept = is_sampled(place_ranks(places), one.share)
    np.testing.assert_array_equal(one.places, places[kept])
    np.testing.assert_array_equal(one.codes, codes[kept])


def test_of_few_all_are_kept_and_nothing_is_nothing():
    heap = MoleculeHeap(("a",))
    assert len(heap.molecules()) == 0
    assert heap.molecules().places.shape == (0, 2)
    places, codes = some(7)
    heap.add(places, np.zeros(7, np.int16), codes[:0])
    assert heap.molecules().share == 1.0
    np.testing.assert_array_equal(heap.molecules().places, places)
