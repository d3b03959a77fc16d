"""The autoencoder with shared attention against its dense form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_semst.nn.graph_attention import AttentionGraph, GraphAttention
from napari_semst.nn.mixed_attention import MixedAttention
from napari_semst.nn.tied_attention import (
    TiedAttention,
    softmax_by_target,
    weighted_sum,
)
from napari_semst.prepare.graphs import nearest_graph, with_loops


def problem(hidden=6):
    random = np.random.default_rng(0)
    graph = with_loops(nearest_graph(random.random((20, 2)), 3))
    values = torch.as_tensor(random.normal(size=(20, 7)))
    torch.manual_seed(0)
    return TiedAttention(7, hidden, 3).double(), values, graph


def dense(net, values, graph):
    """Return latent and reconstruction over the full matrix of pairs."""
    linked = torch.as_tensor(graph.toarray() > 0)
    mixed = values @ net.first
    raw = (mixed @ net.to_target[0])[:, None] + (mixed @ net.to_source[0])[None]
    logits = torch.sigmoid(raw).masked_fill(~linked, -torch.inf)
    attention = torch.softmax(logits, dim=1)
    latent = torch.nn.functional.elu(attention @ mixed) @ net.second
    back = torch.nn.functional.elu(attention @ (latent @ net.second.T))
    return latent, back @ net.first.T


@pytest.mark.parametrize("hidden", [6, 9])
def test_value_and_gradient_are_those_of_the_dense_form(hidden):
    net, values, graph = problem(hidden)
    laid_out = AttentionGraph(graph)
    made = net.encode(values, laid_out)
    have = net.decode(made.latent, made.weights, laid_out) @ net.first.T
    latent, want = dense(net, values, graph)
    torch.testing.assert_close(made.latent, latent)
    torch.testing.assert_close(have, want)
    upstream = torch.randn_like(want)
    weights = list(net.parameters())
    for one, other in zip(
        torch.autograd.grad(have, weights, upstream),
        torch.autograd.grad(want, weights, upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_both_operations_pass_the_check_of_gradients():
    _, _, graph = problem()
    laid_out = AttentionGraph(graph)
    edges = torch.randn(graph.nnz, dtype=torch.float64, requires_grad=True)
    rows = torch.randn(20, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: softmax_by_target(e, laid_out), edges)
    assert torch.autograd.gradcheck(
        lambda e, r: weighted_sum(e, r, laid_out), (edges, rows)
    )


@pytest.mark.parametrize("hidden", [6, 9])
def test_a_scale_of_genes_is_one_of_the_expression(hidden):
    net, values, graph = problem(hidden)
    scale, laid_out = torch.rand(7, 1, dtype=torch.float64), AttentionGraph(graph)
    have = net.encode(values, laid_out, scale).latent
    torch.testing.assert_close(have, net.encode(values * scale.T, laid_out).latent)


def test_attention_over_mixed_features_is_that_of_the_usual_layer():
    _, values, graph = problem()
    laid_out = AttentionGraph(graph)
    usual, mixed = GraphAttention(7, 4, 1).double(), MixedAttention(4).double()
    state = {k: v for k, v in usual.state_dict().items() if k != "mix.weight"}
    mixed.load_state_dict(state)
    have = mixed(usual.mix(values), laid_out)
    torch.testing.assert_close(have, usual(values, laid_out))
