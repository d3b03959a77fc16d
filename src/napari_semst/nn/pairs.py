"""Losses over pairs of spots, without a matrix of spots by spots.

Edges of a graph are counted exactly. Of all other pairs either the sum is known in
closed form, or some are drawn: each spot with a few others, by permutations, so that
gradients are always added up in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from napari_semst.nn.graph_attention import AttentionGraph

# Permutations by which other pairs are drawn in a step.
_DRAWS = 8


def edge_dots(targets: Tensor, sources: Tensor, graph: AttentionGraph) -> Tensor:
    """Return the product of the two rows at every edge, ``(n_edges,)``.

    Parameters
    ----------
    targets, sources
        Rows of the spots as targets and as sources of edges, ``(n_spots, width)``.
    """
    dots: Tensor = _EdgeDots.apply(targets, sources, graph)  # type: ignore[no-untyped-call]
    return dots


class _EdgeDots(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, targets: Tensor, sources: Tensor, graph: AttentionGraph
    ) -> Tensor:
        context.graph = graph
        context.save_for_backward(targets, sources)
        return graph.products(targets, sources)

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        targets, sources = context.saved_tensors
        edges = upstream.contiguous()
        to_targets = context.graph.sum_by_target(edges, sources)
        to_sources = context.graph.sum_by_source(edges, targets)
        return to_targets, to_sources, None


def other_dots(targets: Tensor, sources: Tensor) -> Tensor:
    """Return the products of drawn pairs, ``(draws, n_spots)``.

    Every spot is drawn as often as any other; edges may be among the pairs.
    """
    n_spots = len(targets)
    drawn = []
    for _ in range(_DRAWS):
        order = torch.randperm(n_spots, device=targets.device)
        drawn.append((targets * sources[order]).sum(1))
    return torch.stack(drawn)


def links(graph: AttentionGraph) -> Tensor:
    """Return which edges are no loops, ``(n_edges,)``, as numbers."""
    return (graph.sources != graph.targets).float()


def link_cross_entropy(latent: Tensor, graph: AttentionGraph) -> Tensor:
    """Return how badly products of latents tell edges from other pairs.

    Source: variational graph autoencoders (Kipf and Welling 2016) with their weights,
    by which edges and other pairs count one half each. Other pairs are drawn.
    """
    linked = links(graph)
    near = nn.functional.softplus(-edge_dots(latent, latent, graph)) * linked
    far = nn.functional.softplus(other_dots(latent, latent)).mean()
    loss: Tensor = (near.sum() / linked.sum().clamp_min(1) + far) / 2
    return loss


def link_squared_error(latent: Tensor, graph: AttentionGraph) -> Tensor:
    """Return the mean of ``(sigmoid(z_i . z_j) - A_ij)^2`` over all pairs.

    Edges are exact, the sum over all pairs is estimated by those drawn.
    """
    linked, n_spots = links(graph), len(latent)
    guess = torch.sigmoid(edge_dots(latent, latent, graph))
    edges = ((1 - 2 * guess) * linked).sum() / n_spots**2
    error: Tensor = torch.sigmoid(other_dots(latent, latent)).square().mean() + edges
    return error


def shared_structure_loss(first: Tensor, second: Tensor) -> Tensor:
    """Return how far two embeddings' cosines between spots differ, exactly.

    Source: Spatial-MGCN, consistency constraint: the mean over all pairs of
    ``(u_i . u_j - v_i . v_j)^2`` of centred rows of length 1. It is ``|U'U|^2 - 2
    |U'V|^2 + |V'V|^2`` over the number of pairs, so that it takes ``O(n_spots
    width^2)``.
    """
    one = nn.functional.normalize(first - first.mean(0), dim=1)
    two = nn.functional.normalize(second - second.mean(0), dim=1)
    squares = (one.T @ one).square().sum() + (two.T @ two).square().sum()
    crossed = (one.T @ two).square().sum()
    loss: Tensor = (squares - 2 * crossed) / len(first) ** 2
    return loss


def cross_view_loss(first: Tensor, second: Tensor, graph: AttentionGraph) -> Tensor:
    """Return how far cosines across two views are from 1 at edges and 0 elsewhere.

    Source: dual correlation reduction (Liu et al. 2022), at the level of spots: the
    mean of ``(c - 1)^2`` over edges and loops plus the mean of ``c^2`` over all other
    pairs, exactly: ``sum c^2`` over all pairs is the product of two Gram matrices.
    """
    one = nn.functional.normalize(first, dim=1)
    two = nn.functional.normalize(second, dim=1)
    near, n_spots = edge_dots(one, two, graph), len(first)
    total = ((one.T @ one) * (two.T @ two)).sum()
    others = (total - near.square().sum()) / max(n_spots**2 - len(near), 1)
    loss: Tensor = (near - 1).square().mean() + others
    return loss


def neighbour_contrast(
    anchors: Tensor,
    others: Tensor,
    graph: AttentionGraph,
    drawn: Tensor,
    temperature: float,
    groups: Tensor | None = None,
) -> Tensor:
    """Return how badly spots tell neighbours in two views from spots drawn at random.

    Source: InfoNCE (van den Oord et al. 2018) with neighbours as positives: of each
    spot ``-log(P / (P + N))``, P being the sum of ``exp(cosine / temperature)`` over
    itself in the other view and its neighbours in both, N over all others. N is
    estimated from spots drawn for the step, which stand for all.

    Parameters
    ----------
    anchors, others
        The two views, each ``(n_spots, width)``.
    graph
        Neighbours, with loops.
    drawn
        Indices of the spots that stand for all.
    temperature
        Of the softmax.
    groups
        Group of each spot: spots of its own group are no negatives of a spot.
    """
    one = nn.functional.normalize(anchors, dim=1)
    two = nn.functional.normalize(others, dim=1)
    linked = links(graph)
    across = torch.exp(edge_dots(one, two, graph) / temperature)
    inside = torch.exp(edge_dots(one, one, graph) / temperature) * linked
    near = graph.sum_of_edges(across + inside)
    foreign = anchors.new_ones(len(one), len(drawn))
    if groups is not None:
        foreign = (groups[:, None] != groups[drawn][None]).to(one.dtype)
    foreign = foreign * (
        drawn[None] != torch.arange(len(one), device=one.device)[:, None]
    )
    far = torch.exp(one @ one[drawn].T / temperature)
    far = (far + torch.exp(one @ two[drawn].T / temperature)) * foreign
    scale = len(one) / max(len(drawn), 1)
    return torch.log1p(scale * far.sum(1) / near).mean()
