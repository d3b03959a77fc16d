from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from napari_semst.config import PrepareConfig
from napari_semst.errors import ConfigError
from napari_semst.prepare import graphs, nearest


def hexagonal(n=20, pitch=100.0):
    row, column = np.mgrid[:n, :n]
    x = (column + 0.5 * (row % 2)) * pitch
    return np.column_stack([x.ravel(), (row * pitch * np.sqrt(3) / 2).ravel()])


def square(n=20, pitch=1.0):
    return np.argwhere(np.ones((n, n))) * pitch


def scattered(n=600):
    return np.random.default_rng(0).uniform(size=(n, 2)) * 1000


@pytest.mark.parametrize("unit", [1e-3, 1.0, 137.0])
def test_lattices_are_told_from_cells_in_any_unit(unit):
    for points in (hexagonal(), square()):
        jitter = np.random.default_rng(1).normal(size=points.shape)
        spacing = np.sort(np.unique(np.round(points[:, 0], 6)))[1]
        found = graphs.detect_lattice((points + 0.02 * spacing * jitter) * unit)
        assert found.regular
    assert not graphs.detect_lattice(scattered() * unit).regular


@pytest.mark.parametrize(("rings", "expected"), [(1, 6), (2, 18), (3, 36), (4, 60)])
def test_rings_of_a_hexagonal_lattice(rings, expected):
    points = hexagonal()
    config = PrepareConfig(n_rings=rings)
    graph, text = graphs.spatial_graph(points, config)
    degree = graph.sum(1).A1
    centre = np.abs(points - points.mean(0)).sum(1).argmin()
    assert degree[centre] == expected
    assert "lattice" in text


def test_cells_get_nearest_neighbours():
    graph, text = graphs.spatial_graph(scattered(), PrepareConfig(spatial_neighbours=5))
    assert graph.sum(1).A1.min() >= 5
    assert text == "5 nearest spots"
    assert (graph != graph.T).nnz == 0
    assert graph.diagonal().sum() == 0
    assert set(np.unique(graph.data)) == {1.0}


def test_more_neighbours_than_spots_are_cut():
    points = scattered(6)
    assert graphs.nearest_graph(points, 15).nnz == 6 * 5
    expression = sparse.random(6, 10, 0.5, format="csr", random_state=0)
    graph, _ = graphs.feature_graph(expression, 15)
    assert graph.nnz == 6 * 5


def test_feature_graph_holds_the_nearest_by_cosine():
    random = np.random.default_rng(2)
    dense = random.poisson(1.0, (50, 30)).astype(np.float32)
    dense[7] = 0
    graph, _ = graphs.feature_graph(sparse.csr_matrix(dense), 4)
    length = np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-12)
    cosine = (dense / length) @ (dense / length).T
    np.fill_diagonal(cosine, -np.inf)
    for spot in (0, 11, 30):
        nearest = np.argsort(-cosine[spot])[:4]
        assert graph[spot].toarray().ravel()[nearest].all()
    assert graph.diagonal().sum() == 0


def test_the_approximate_graph_finds_nearly_the_same(monkeypatch):
    random = np.random.default_rng(3)
    centres = random.gamma(1.0, 2.0, (6, 40))
    dense = random.poisson(centres[random.integers(6, size=400)]).astype(np.float32)
    expression = sparse.csr_matrix(dense)
    exact, _ = graphs.feature_graph(expression, 10)
    monkeypatch.setattr(graphs, "EXACT_FEATURE_SPOTS", 100)
    monkeypatch.setattr(nearest, "LOOKED_INTO", 10)
    monkeypatch.setattr(graphs, "LOOKED_INTO", 10)
    near, text = graphs.feature_graph(expression, 10)
    assert "approximate: 39 components, 10 of 31 groups" in text
    assert 0.9 < exact.multiply(near).nnz / exact.nnz < 1


def test_components_and_sparse_expression_have_the_same_neighbours():
    dense = np.random.default_rng(4).normal(size=(60, 12)).astype(np.float32)
    of_components, _ = graphs.feature_graph(dense, 5)
    of_sparse, _ = graphs.feature_graph(sparse.csr_matrix(dense), 5)
    assert (of_components != of_sparse).nnz == 0


def test_normalisations():
    graph = graphs.ring_graph(hexagonal(6), 120.0)
    dense = graph.toarray() + np.eye(36)
    degree = dense.sum(1)
    np.testing.assert_allclose(
        graphs.normalised_adjacency(graph, "row").toarray(),
        dense / degree[:, None],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        graphs.normalised_adjacency(graph, "symmetric").toarray(),
        dense / np.sqrt(np.outer(degree, degree)),
        rtol=1e-6,
    )
    with pytest.raises(ConfigError, match="row"):
        graphs.normalised_adjacency(graph, "column")


def test_rows_are_normalised_in_place_as_a_product_of_matrices_does(
    monkeypatch,
) -> None:
    """To the bit and in its order of columns, so that sums over them are the same."""
    monkeypatch.setattr(graphs, "_ROWS_AT_ONCE", 7)
    lists = np.random.default_rng(0).integers(-1, 60, (60, 4)).astype(np.int32)
    lists[3] = -1
    graph = graphs.graph_of_lists(lists)
    before = graph.copy()
    looped = (graph + sparse.eye_array(60, format="csr")).tocsr()
    degree = np.asarray(looped.sum(axis=1), np.float64).ravel()
    product = sparse.csr_matrix(sparse.diags_array(1 / degree) @ looped)
    found = graphs.normalised_adjacency(graph, "row")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.indptr, product.indptr)
    np.testing.assert_array_equal(found.indices, product.indices)
    np.testing.assert_array_equal(found.data, product.data.astype(np.float32))
    np.testing.assert_array_equal(graph.toarray(), before.toarray())
