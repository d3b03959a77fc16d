"""Losses over pairs against the matrices of spots by spots that they avoid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_semst.nn import pairs
from napari_semst.nn.graph_attention import AttentionGraph
from napari_semst.nn.pairs import (
    cross_view_loss,
    edge_dots,
    link_cross_entropy,
    link_squared_error,
    neighbour_contrast,
    shared_structure_loss,
)
from napari_semst.prepare.graphs import nearest_graph, with_loops

N = 24


@pytest.fixture
def graph():
    places = np.random.default_rng(0).random((N, 2))
    return with_loops(nearest_graph(places, 4))


@pytest.fixture
def views():
    torch.manual_seed(0)
    return [torch.randn(N, 3, dtype=torch.float64, requires_grad=True) for _ in "12"]


@pytest.fixture
def every_pair(monkeypatch):
    """Draw every pair of spots once, so that estimates are the sums they stand for."""

    def dots(targets, sources):
        return targets @ sources.T

    monkeypatch.setattr(pairs, "other_dots", dots)


def linked(graph):
    """Return the matrix of neighbours, loops left out."""
    dense = torch.as_tensor(graph.toarray(), dtype=torch.float64)
    return dense - torch.diag(torch.diagonal(dense))


def same(have, want, of):
    torch.testing.assert_close(have, want)
    for one, other in zip(
        torch.autograd.grad(have, of), torch.autograd.grad(want, of), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_products_at_edges_pass_the_check_of_gradients(graph, views):
    laid_out = AttentionGraph(graph)
    assert torch.autograd.gradcheck(lambda a, b: edge_dots(a, b, laid_out), views)
    rows, columns = laid_out.targets, laid_out.sources
    want = (views[0] @ views[1].T)[rows, columns]
    torch.testing.assert_close(edge_dots(*views, laid_out), want)


def test_links_are_told_as_over_all_pairs(graph, views, every_pair):
    latent, near = views[0], linked(graph)
    products = latent @ latent.T
    own = (functional.softplus(-products) * near).sum() / near.sum()
    want = (own + functional.softplus(products).mean()) / 2
    same(link_cross_entropy(latent, AttentionGraph(graph)), want, [latent])


def test_the_adjacency_is_reconstructed_as_over_all_pairs(graph, views, every_pair):
    latent = views[0]
    want = (torch.sigmoid(latent @ latent.T) - linked(graph)).square().mean()
    same(link_squared_error(latent, AttentionGraph(graph)), want, [latent])


def test_consistency_is_that_of_the_two_matrices_of_cosines(views):
    one, two = (functional.normalize(v - v.mean(0), dim=1) for v in views)
    want = (one @ one.T - two @ two.T).square().mean()
    same(shared_structure_loss(*views), want, views)


def test_cosines_across_views_are_those_of_all_pairs(graph, views):
    one, two = (functional.normalize(view, dim=1) for view in views)
    near = torch.as_tensor(graph.toarray() > 0)
    cosines = one @ two.T
    want = (cosines[near] - 1).square().mean() + cosines[~near].square().mean()
    same(cross_view_loss(*views, AttentionGraph(graph)), want, views)


@pytest.mark.parametrize("grouped", [True, False])
def test_the_contrast_of_neighbours_is_that_of_all_pairs(graph, views, grouped):
    groups = torch.arange(N) % 3 if grouped else None
    one, two = (functional.normalize(view, dim=1) for view in views)
    inside, across = torch.exp(one @ one.T / 0.5), torch.exp(one @ two.T / 0.5)
    near, loops = linked(graph), torch.eye(N, dtype=torch.float64)
    positive = (across * (near + loops) + inside * near).sum(1)
    far = 1 - loops
    if grouped:
        far = (groups[:, None] != groups[None]).double()
    negative = ((inside + across) * far).sum(1)
    want = -torch.log(positive / (positive + negative)).mean()
    drawn = torch.randperm(N)
    have = neighbour_contrast(*views, AttentionGraph(graph), drawn, 0.5, groups)
    same(have, want, views)


def test_drawn_pairs_are_right_on_average(views):
    latent = views[0].detach()
    drawn = torch.stack([pairs.other_dots(latent, latent) for _ in range(400)])
    assert drawn.shape == (400, 8, N)
    # Every row is drawn as often as any other.
    want = (latent.sum(0) @ latent.sum(0) / N**2).item()
    assert drawn.mean().item() == pytest.approx(want, abs=0.02)
