"""Sparse graph attention against its dense form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from napari_semst.nn.graph_attention import (
    AttentionGraph,
    GraphAttention,
    attention_weights,
)

ISOLATED = 7


def edges(n=12, seed=0):
    """Return a random directed graph with loops; one spot has its loop alone."""
    random = np.random.default_rng(seed)
    dense = (random.random((n, n)) < 0.3).astype(np.float32)
    dense[ISOLATED], dense[:, ISOLATED] = 0, 0
    np.fill_diagonal(dense, 1)
    return sparse.csr_matrix(dense)


def layer(heads=3, dtype=torch.float64):
    torch.manual_seed(0)
    attention = GraphAttention(5, 4, heads).to(dtype)
    with torch.no_grad():
        attention.bias.normal_()
    return attention, torch.randn(12, 5, dtype=dtype)


def dense_form(attention, features, graph):
    """Return the output by softmax over full rows, by automatic differentiation."""
    mixed = attention.mix(features).view(len(features), attention.heads, -1)
    source = (mixed * attention.to_source).sum(-1)
    target = (mixed * attention.to_target).sum(-1)
    logits = nn.functional.leaky_relu(target[:, None] + source[None], 0.2)
    there = torch.as_tensor(graph.toarray() > 0)[:, :, None]
    weights = logits.masked_fill(~there, -torch.inf).softmax(dim=1)
    return torch.einsum("ijh,jhw->ihw", weights, mixed).mean(1) + attention.bias


def gradients(attention, features, output):
    attention.zero_grad()
    own = features.clone().requires_grad_()
    (output(own) * torch.arange(4.0, dtype=own.dtype)).square().sum().backward()
    return [own.grad, *(p.grad.clone() for p in attention.parameters())]


@pytest.mark.parametrize("heads", [1, 3])
def test_output_and_every_gradient_are_those_of_the_dense_form(heads):
    attention, features = layer(heads)
    graph = edges()
    own = AttentionGraph(graph)
    torch.testing.assert_close(
        attention(features, own), dense_form(attention, features, graph)
    )
    ours = gradients(attention, features, lambda x: attention(x, own))
    theirs = gradients(attention, features, lambda x: dense_form(attention, x, graph))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_slopes_are_those_of_finite_differences():
    attention, features = layer(2)
    graph = AttentionGraph(edges()[[0, 3, ISOLATED]], np.array([0, 3, ISOLATED]))
    assert torch.autograd.gradcheck(
        lambda x: attention(x, graph), (features.requires_grad_(),)
    )


def test_weights_of_a_target_sum_to_one_however_large_the_logits():
    graph = AttentionGraph(edges())
    source = torch.randn(12, 3) * 500
    weights = attention_weights(source, torch.randn(12, 3) * 500, graph)
    sums = torch.zeros(12, 3).index_add(0, graph.targets, weights)
    assert torch.isfinite(weights).all()
    torch.testing.assert_close(sums, torch.ones(12, 3))


def test_values_of_the_graph_do_not_count_and_an_isolated_spot_hears_itself():
    attention, features = layer()
    graph = edges()
    heavy = graph.copy()
    heavy.data[:] = 9.0
    found = attention(features, AttentionGraph(graph))
    assert torch.equal(found, attention(features, AttentionGraph(heavy)))
    alone = attention.mix(features[ISOLATED]).view(3, -1).mean(0) + attention.bias
    torch.testing.assert_close(found[ISOLATED], alone)


def test_a_subset_with_all_its_neighbours_has_the_rows_of_the_whole():
    attention, features = layer()
    graph = edges()
    whole = attention(features, AttentionGraph(graph))
    chosen = np.array([1, ISOLATED])
    rows = graph[chosen]
    sources, places = np.unique(rows.indices, return_inverse=True)
    local = sparse.csr_matrix(
        (rows.data, places, rows.indptr), shape=(len(chosen), len(sources))
    )
    assert len(sources) < 12
    part = AttentionGraph(local, np.searchsorted(sources, chosen))
    torch.testing.assert_close(attention(features[sources], part), whole[chosen])


def test_the_same_bits_come_twice():
    attention, features = layer(dtype=torch.float32)
    graph = AttentionGraph(edges())
    once, twice = (
        gradients(attention, features, lambda x: attention(x, graph)) for _ in "ab"
    )
    assert all(map(torch.equal, once, twice))


def test_a_spot_without_an_entry_is_refused():
    graph = edges().toarray()
    graph[2] = 0
    with pytest.raises(ValueError, match="itself"):
        AttentionGraph(sparse.csr_matrix(graph))
