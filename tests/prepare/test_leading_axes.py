import numpy as np
import pytest
from scipy import sparse

from napari_semst.prepare import components
from napari_semst.prepare.leading_axes import axes_of_scatter


def _counts(n_spots=700, n_genes=900, seed=0):
    """Counts of six kinds of spots, far from centred."""
    random = np.random.default_rng(seed)
    loading = random.gamma(0.4, 1.0, (6, n_genes))
    loading[:, 0] = 60.0  # a mean that outweighs all that differs
    rates = loading[random.integers(6, size=n_spots)]
    return sparse.csr_matrix(np.sqrt(random.poisson(rates)).astype(np.float32))


def _expected(matrix, sections, width):
    dense = matrix.toarray().astype(np.float64)
    for section in np.unique(sections):
        dense[sections == section] -= dense[sections == section].mean(axis=0)
    return np.linalg.svd(dense, full_matrices=False)[2][:width].T


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("n_sections", [1, 3])
def test_axes_are_those_of_the_dense_matrix(monkeypatch, few, n_sections):
    monkeypatch.setattr("napari_semst.prepare.leading_axes._FEW_SPOTS", few)
    matrix = _counts()
    sections = (np.arange(700) % n_sections).astype(np.int32)
    means = np.stack(
        [
            np.asarray(matrix[sections == s].mean(axis=0)).ravel()
            for s in range(n_sections)
        ]
    )
    found = axes_of_scatter(matrix, means, sections, 12, seed=0)
    expected = _expected(matrix, sections, 12)
    # The first five tell the kinds apart; the others are noise, each near the next.
    np.testing.assert_allclose(
        np.abs((found * expected).sum(axis=0))[:5], 1.0, atol=1e-6
    )
    np.testing.assert_allclose(found.T @ found, np.eye(12), atol=1e-5)
    scatter = (matrix.toarray() - means[sections]) @ found
    best = (matrix.toarray() - means[sections]) @ expected
    np.testing.assert_allclose(
        np.linalg.norm(scatter, axis=0), np.linalg.norm(best, axis=0), rtol=1e-4
    )


def test_axes_are_the_same_bits_again_and_depend_on_the_first_block_by_rounding():
    matrix = _counts(seed=1)
    one = components.principal_axes(matrix, 5, seed=3).axes
    monkey = components._FEW_GENES
    assert matrix.shape[1] <= monkey, "by covariance; by blocks below"
    mean = np.asarray(matrix.mean(axis=0)).ravel()[None]
    zeros = np.zeros(700, np.int32)
    first = axes_of_scatter(matrix, mean, zeros, 5, seed=3)
    np.testing.assert_array_equal(
        first, axes_of_scatter(matrix, mean, zeros, 5, seed=3)
    )
    other = axes_of_scatter(matrix, mean, zeros, 5, seed=4)
    for found in (first, other):
        np.testing.assert_allclose(np.abs((found * one).sum(axis=0)), 1.0, atol=1e-5)


@pytest.mark.parametrize("n_spots", [40, 600])
def test_spots_of_few_kinds_have_axes_at_right_angles(n_spots):
    kinds = np.random.default_rng(2).poisson(2.0, (3, 1200)).astype(np.float32)
    matrix = sparse.csr_matrix(kinds[np.arange(n_spots) % 3])
    mean = np.asarray(matrix.mean(axis=0)).ravel()[None]
    found = axes_of_scatter(matrix, mean, np.zeros(n_spots, np.int32), 10, seed=0)
    np.testing.assert_allclose(found.T @ found, np.eye(10), atol=1e-5)
    left = (kinds - kinds.mean(axis=0)) @ found[:, 2:]
    np.testing.assert_allclose(left, 0.0, atol=0.05)
