from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from napari_semst.prepare import components, normalise


def counts_of(seed, n_spots=30, n_genes=12):
    random = np.random.default_rng(seed)
    dense = random.poisson(0.8, (n_spots, n_genes)).astype(np.float32)
    dense[3] = 0
    dense[:, 5] = 0
    return sparse.csr_matrix(dense)


def at_median_depth(counts):
    return normalise.depth_scaled(counts, components.median_depth(counts))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scaling_agrees_with_the_dense_form(seed):
    counts = counts_of(seed)
    before = counts.toarray()
    depth = normalise.depth_scaled(counts, 1e4)
    scaled = normalise.deviation_scaled(depth, 10.0)
    dense = counts.toarray().astype(np.float64)
    totals = dense.sum(1, keepdims=True)
    dense = np.divide(dense * 1e4, totals, out=np.zeros_like(dense), where=totals > 0)
    np.testing.assert_allclose(depth.toarray(), dense, rtol=1e-5)
    spread = dense.std(0, ddof=1)
    spread[spread == 0] = 1
    np.testing.assert_allclose(
        scaled.toarray(), np.minimum(dense / spread, 10), rtol=1e-4
    )
    assert scaled.nnz == counts.nnz
    np.testing.assert_array_equal(counts.toarray(), before)


def test_empty_spots_stay_empty_and_finite():
    counts = counts_of(0)
    for scaled in (
        normalise.depth_scaled(counts, 1e4),
        components.root(at_median_depth(counts)),
    ):
        assert np.isfinite(scaled.data).all()
        assert scaled[3].nnz == 0


def test_root_scaling_keeps_the_median_depth():
    counts = counts_of(1)
    totals = components.root(at_median_depth(counts)).power(2).sum(1).A1
    expected = np.median(counts.sum(1).A1[counts.sum(1).A1 > 0])
    np.testing.assert_allclose(totals[totals > 0], expected, rtol=1e-5)


def test_components_are_those_of_the_centred_matrix():
    matrix = components.root(at_median_depth(counts_of(2, 60, 20)))
    scores = components.principal_axes(matrix, 5, seed=0).scores(matrix)
    centred = matrix.toarray() - matrix.toarray().mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :5] * values[:5]
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), atol=1e-3)


def test_averaging_is_over_the_spot_and_its_nearest():
    line = np.column_stack([np.arange(5.0), np.zeros(5)])
    average = components.neighbour_average(line, 2)
    values = np.array([[0.0], [0], [9], [0], [0]])
    once = components.smoothed(values, average, 1)
    assert once[2, 0] == 3
    assert once.sum() == np.float32(3 + 3 + 3) + once[[0, 4], 0].sum()
    np.testing.assert_allclose(components.smoothed(values, average, 0), values)
    np.testing.assert_allclose(average.sum(1).A1, 1, rtol=1e-6)


def test_axes_of_a_sample_serve_all_spots(monkeypatch):
    random = np.random.default_rng(0)
    loading = random.gamma(1.0, 1.0, (3, 40))
    kind = random.integers(3, size=600)
    counts = sparse.csr_matrix(random.poisson(3 * loading[kind]).astype(np.float32))
    whole = components.principal_axes(counts, 2, seed=0).scores(counts)
    monkeypatch.setattr(components, "FITTED_SPOTS", 200)
    part = components.principal_axes(counts, 2, seed=0).scores(counts)
    # The same plane up to a rotation: its projector is nearly the same.
    basis = [np.linalg.qr(scores - scores.mean(0))[0] for scores in (whole, part)]
    assert np.linalg.norm(basis[0].T @ basis[1]) > 0.98 * np.sqrt(2)
