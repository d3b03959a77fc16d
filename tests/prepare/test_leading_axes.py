import numpy as np
import pytest
from scipy import sparse

from napari_semst.prepare import components, leading_axes
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
    monkeypatch.setattr("napari_semst.prepare.leading_axes._FEW", few)
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


@pytest.mark.parametrize("n_genes", [2, 17, 31, 33, 47, 100])
def test_axes_of_a_small_panel_in_several_sections_are_exact(n_genes):
    matrix = _counts(n_genes=n_genes, seed=3)
    sections = (np.arange(700) % 2).astype(np.int32)
    width = max(min(n_genes // 2, 30), 1)
    found = components.principal_axes(matrix, width, 0, sections).axes
    expected = _expected(matrix, sections, width)
    np.testing.assert_allclose(np.abs((found * expected).sum(axis=0)), 1.0, atol=1e-5)


def _of_few_kinds(n_kinds, n_genes):
    counts = np.zeros((600, 1200), np.float32)
    random = np.random.default_rng(4)
    kinds = random.poisson(2.0, (n_kinds, n_genes))
    counts[:, :n_genes] = kinds[np.arange(600) % n_kinds]
    return counts


@pytest.mark.parametrize(
    ("counts", "n_directions"),
    [
        (_of_few_kinds(3, 1200), 2),
        (_of_few_kinds(600, 20), 20),
        (np.zeros((600, 1200), np.float32), 0),
        (np.full((600, 1200), 3.3, np.float32), 0),
    ],
    ids=["kinds", "genes", "nothing", "constant"],
)
def test_more_axes_than_there_are_stay_at_right_angles_and_end_early(
    monkeypatch, counts, n_directions
):
    """Rounding alone points back into the basis: blocks were not at right angles."""
    products, scatter = [], leading_axes._scatter

    def counted(*given):
        apply = scatter(*given)
        return lambda block: products.append(1) or apply(block)

    monkeypatch.setattr(leading_axes, "_scatter", counted)
    mean = counts.mean(axis=0, dtype=np.float64)[None]
    one = np.zeros(600, np.int32)
    found = axes_of_scatter(sparse.csr_matrix(counts), mean, one, 30, seed=0)
    np.testing.assert_allclose(found.T @ found, np.eye(30), atol=1e-5)
    assert len(products) == 8, "settled when it is first looked at"
    scores = (counts - mean) @ found
    captured, whole = (scores**2).sum(axis=0), ((counts - mean) ** 2).sum()
    assert captured[:n_directions].sum() == pytest.approx(whole, rel=1e-4, abs=1e-3)
    np.testing.assert_allclose(captured[n_directions:], 0.0, atol=1e-3 + 1e-4 * whole)
