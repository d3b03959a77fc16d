from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from napari_semst.prepare import components, genes, normalise


def counts_of(seed, n_spots=30, n_genes=12):
    random = np.random.default_rng(seed)
    dense = random.poisson(0.8, (n_spots, n_genes)).astype(np.float32)
    dense[3] = 0
    dense[:, 5] = 0
    return sparse.csr_matrix(dense)


def at_median_depth(counts):
    return normalise.scale_depth(counts, components.median_depth(counts))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scaling_agrees_with_the_dense_form(seed):
    counts = counts_of(seed)
    before = counts.toarray()
    depth = normalise.scale_depth(counts, 1e4)
    scaled = normalise.scale_by_deviation(depth, 10.0)
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
        normalise.scale_depth(counts, 1e4),
        components.sqrt_transform(at_median_depth(counts)),
    ):
        assert np.isfinite(scaled.data).all()
        assert scaled[3].nnz == 0


def test_root_scaling_keeps_the_median_depth():
    counts = counts_of(1)
    totals = components.sqrt_transform(at_median_depth(counts)).power(2).sum(1).A1
    expected = np.median(counts.sum(1).A1[counts.sum(1).A1 > 0])
    np.testing.assert_allclose(totals[totals > 0], expected, rtol=1e-5)


def test_components_are_those_of_the_centred_matrix():
    matrix = components.sqrt_transform(at_median_depth(counts_of(2, 60, 20)))
    scores = components.principal_axes(matrix, 5, seed=0).scores(matrix)
    centred = matrix.toarray() - matrix.toarray().mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :5] * values[:5]
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), atol=1e-3)


def test_averaging_is_over_the_spot_and_its_nearest():
    line = np.column_stack([np.arange(5.0), np.zeros(5)])
    average = components.neighbour_average(line, 2)
    values = np.array([[0.0], [0], [9], [0], [0]])
    once = components.smooth_over_neighbours(values, average, 1)
    assert once[2, 0] == 3
    assert once.sum() == np.float32(3 + 3 + 3) + once[[0, 4], 0].sum()
    np.testing.assert_allclose(
        components.smooth_over_neighbours(values, average, 0), values
    )
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


def test_axes_inside_sections_do_not_see_what_lies_between_them():
    random = np.random.default_rng(0)
    sections = np.repeat([0, 1, 2], [40, 50, 60]).astype(np.int32)
    dense = random.poisson(3.0, (150, 12)).astype(np.float32)
    dense[:, 0] += 40 * sections  # differs between sections only
    dense[:, 1] += 9 * (np.arange(150) % 2)  # differs inside them
    matrix = sparse.csr_matrix(dense)
    inside = components.principal_axes(matrix, 3, 0, sections)
    centred = (
        dense - np.stack([dense[sections == s].mean(0) for s in range(3)])[sections]
    )
    expected = np.linalg.svd(centred, full_matrices=False)[2][:3].T
    np.testing.assert_allclose(np.abs(inside.axes), np.abs(expected), atol=1e-4)
    np.testing.assert_allclose(
        inside.scores(matrix).mean(axis=0), np.zeros(3), atol=1e-3
    )
    assert np.abs(inside.axes[1, 0]) > 0.95
    assert np.abs(components.principal_axes(matrix, 3, 0).axes[0, 0]) > 0.95


def test_genes_that_differ_between_sections_only_are_not_variable():
    random = np.random.default_rng(0)
    sections = np.repeat([0, 1], 150).astype(np.int32)
    rates = np.tile(random.gamma(2.0, 3.0, size=200), (300, 1))
    rates[:, 0] = 2 + 18 * sections
    rates[:, 1] = 2 + 18 * (np.arange(300) % 2)
    counts = sparse.csr_matrix(random.poisson(rates).astype(np.float32))
    assert genes.variable_genes(counts, 2).tolist() == [0, 1]
    inside = genes.variable_genes(counts, 2, sections)
    assert 0 not in inside
    assert 1 in inside


@pytest.mark.parametrize("shape", [(130, 90), (90, 130)])
def test_axes_of_many_genes_are_scikit_learns(monkeypatch, shape):
    from sklearn.decomposition import PCA

    monkeypatch.setattr(components, "_FEW_GENES", 1)
    random = np.random.default_rng(8)
    strength = np.linspace(0.2, 4, shape[1])
    matrix = sparse.csr_matrix(random.poisson(strength, shape).astype(np.float32))
    found = components.principal_axes(matrix, 4, seed=3)
    search = PCA(4, svd_solver="arpack", random_state=3)
    expected = search.fit(matrix.toarray().astype(np.float64))
    np.testing.assert_allclose(found.axes, expected.components_.T, atol=1e-5)
    offset = expected.mean_ @ expected.components_.T
    np.testing.assert_allclose(found.offset, offset, atol=1e-4)
