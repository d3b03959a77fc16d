"""A graph attention autoencoder whose decoder shares weights and attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from napari_semst.nn.graph_attention import AttentionGraph


class AttendedSpots(NamedTuple):
    """What the encoder makes of spots.

    Parameters
    ----------
    latent
        Shape ``(n_spots, latent)``.
    product
        ``X W1``, shape ``(n_spots, hidden)``, or `None` where it was not needed.
    weights
        Attention of every edge, ``(n_edges,)``.
    """

    latent: Tensor
    product: Tensor | None
    weights: Tensor


class TiedAttention(nn.Module):
    """Encoder ``X -> A X W1 -> ELU -> W2``; the decoder goes back by their transposes.

    Source: STAGATE (Dong and Zhang 2022), equations 1 to 5: the attention of spot i to
    j is the softmax over its neighbours of ``sigmoid(v1 . W1 x_j + v2 . W1 x_i)``.

    Parameters
    ----------
    n_genes, hidden, latent
        Widths.

    Shapes
    ------
    input ``(n_spots, n_genes)``; latent ``(n_spots, latent)``.
    """

    def __init__(self, n_genes: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.empty(n_genes, hidden))
        self.second = nn.Parameter(torch.empty(hidden, latent))
        self.to_source = nn.Parameter(torch.empty(1, hidden))
        self.to_target = nn.Parameter(torch.empty(1, hidden))
        for weight in self.parameters():
            nn.init.xavier_normal_(weight, gain=1.414)

    def encode(
        self, features: Any, graph: AttentionGraph, scale: Tensor | None = None
    ) -> AttendedSpots:
        """Return the latent, and what the decoder shares with the encoder.

        Parameters
        ----------
        scale
            What each gene is multiplied by, ``(n_genes, 1)``; 1 where `None`.
        """
        first = self.first if scale is None else self.first * scale
        asks = torch.cat([self.to_source, self.to_target])
        product: Tensor | None = None
        # ``A X W`` is summed over neighbours where rows are shorter.
        narrow = isinstance(features, Tensor) and features.shape[1] <= first.shape[1]
        if narrow:
            asked = features @ (first @ asks.T)
        else:
            product = features @ first
            asked = product @ asks.T
        raw = asked[:, 0][graph.sources] + asked[:, 1][graph.targets]
        weights = softmax_by_target(torch.sigmoid(raw), graph)
        if product is None:
            summed = weighted_sum(weights, features, graph) @ first
        else:
            summed = weighted_sum(weights, product, graph)
        hidden = nn.functional.elu(summed, inplace=True)
        return AttendedSpots(hidden @ self.second, product, weights)

    def decode(self, latent: Tensor, weights: Tensor, graph: AttentionGraph) -> Tensor:
        """Return the last hidden layer; the reconstruction is it times ``W1'``."""
        # Rows of the latent are shorter than those of the hidden layer.
        back = weighted_sum(weights, latent, graph) @ self.second.T
        return nn.functional.elu(back, inplace=True)


def softmax_by_target(logits: Tensor, graph: AttentionGraph) -> Tensor:
    """Return weights of the edges, ``(n_edges,)``, that sum to 1 at each target."""
    weights: Tensor = _Softmax.apply(logits, graph)  # type: ignore[no-untyped-call]
    return weights


def weighted_sum(weights: Tensor, dense: Tensor, graph: AttentionGraph) -> Tensor:
    """Return the weighted sum over each target's sources, ``(n_targets, width)``."""
    summed: Tensor = _WeightedSum.apply(weights, dense, graph)  # type: ignore[no-untyped-call]
    return summed


class _Softmax(torch.autograd.Function):
    """Softmax over the edges of each target; sums are always in the same order."""

    @staticmethod
    def forward(context: Any, logits: Tensor, graph: AttentionGraph) -> Tensor:
        largest = torch.segment_reduce(logits, "max", offsets=graph.by_target, axis=0)
        lifted = torch.exp(logits - largest[graph.targets])
        weights = lifted / graph.sum_of_edges(lifted)[graph.targets]
        context.graph = graph
        context.save_for_backward(weights)
        return weights

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (weights,) = context.saved_tensors
        spread = upstream * weights
        graph = context.graph
        return spread - weights * graph.sum_of_edges(spread)[graph.targets], None


class _WeightedSum(torch.autograd.Function):
    """``A @ dense`` for values of the edges, differentiable in both."""

    @staticmethod
    def forward(
        context: Any, weights: Tensor, dense: Tensor, graph: AttentionGraph
    ) -> Tensor:
        context.graph = graph
        context.save_for_backward(weights, dense)
        return graph.sum_by_target(weights.contiguous(), dense)

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor, Tensor | None, None]:
        graph: AttentionGraph = context.graph
        weights, dense = context.saved_tensors
        upstream, to_dense = upstream.contiguous(), None
        if context.needs_input_grad[1]:
            to_dense = graph.sum_by_source(weights.contiguous(), upstream)
        return graph.products(upstream, dense), to_dense, None
