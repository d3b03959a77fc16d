from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from napari_semst.prepare import normalise
from napari_semst.prepare.scaled_rows import ScaledRows, depth_deviation

CHOSEN = np.array([0, 3, 7])


@pytest.fixture
def counts():
    random = np.random.default_rng(0)
    dense = random.poisson(0.8, (40, 9)).astype(np.float32)
    dense[5] = 0
    return sparse.csr_matrix(dense)


@pytest.mark.parametrize("genes", [None, CHOSEN], ids=["all", "some"])
def test_rows_are_those_of_the_whole_scaled_matrix(counts, genes) -> None:
    depth = normalise.scale_depth(counts, 100.0)
    depth = depth if genes is None else depth[:, genes]
    expected = normalise.scale_by_deviation(depth, 2.5).toarray()
    deviation = depth_deviation(counts, 100.0, genes)
    rows = ScaledRows(counts, 100.0, deviation.astype(np.float32), 2.5, genes)
    assert rows.shape == expected.shape
    assert expected.max() == 2.5
    np.testing.assert_array_equal(rows.whole().toarray(), expected)
    spots = np.array([2, 5, 39])
    np.testing.assert_array_equal(rows[spots].toarray(), expected[spots])
    parts = [part.toarray() for _, part in rows.blocks()]
    np.testing.assert_array_equal(np.vstack(parts), expected)


def test_the_deviation_is_the_same_bits_in_any_rows(counts, monkeypatch) -> None:
    counts.data *= np.float32(0.1)
    whole = []
    for chunk in (4_000_000, 7):
        monkeypatch.setattr(normalise, "_CHUNK_VALUES", chunk)
        whole.append(normalise.gene_deviation(counts))
        for cuts in ([1, 2, 30], [11, 12, 13], [20]):
            edges = [0, *cuts, 40]
            blocks = [counts[a:b] for a, b in pairwise(edges)]
            found = normalise.deviation_of_blocks(blocks, counts.shape)
            np.testing.assert_array_equal(found, whole[-1])
    np.testing.assert_allclose(*whole)


def test_scaling_in_place_gives_the_same(counts) -> None:
    depth = normalise.scale_depth(counts, 100.0)
    kept = normalise.scale_by_deviation(depth, 2.0)
    before = depth.data.copy()
    assert not np.shares_memory(kept.data, depth.data)
    np.testing.assert_array_equal(before, depth.data)
    own = normalise.scale_by_deviation(depth, 2.0, in_place=True)
    assert np.shares_memory(own.data, depth.data)
    np.testing.assert_array_equal(own.data, kept.data)
