"""Graph attention whose sums over neighbours are sparse products."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_semst.nn.sparse import has_sampled_product

if TYPE_CHECKING:
    from scipy import sparse

_SLOPE = 0.2
_CHUNK_EDGES = 4096


class AttentionGraph:
    """Which spots each spot attends to, sorted both ways once.

    Parameters
    ----------
    graph
        Shape ``(n_targets, n_sources)``; what is stored is attended to, whatever its
        value. Every row needs an entry: give spots loops to themselves.
    own
        Where each target stands among the sources, ``(n_targets,)``; in their order
        where `None`.
    device
        Where attention is computed.
    """

    def __init__(
        self,
        graph: sparse.csr_matrix,
        own: np.ndarray[Any, np.dtype[np.integer[Any]]] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.shape: tuple[int, int] = graph.shape
        degrees = np.diff(graph.indptr)
        if len(degrees) and degrees.min() == 0:
            raise ValueError("every spot attends to one spot at least, itself")
        targets = np.repeat(np.arange(graph.shape[0]), degrees)
        # Edges by source, for what flows back to the sources.
        order = np.argsort(graph.indices, kind="stable")
        ends = np.bincount(graph.indices, minlength=graph.shape[1]).cumsum()

        def on_device(values: Any) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(values), device=device).long()

        self.by_target = on_device(graph.indptr)
        self.sources, self.targets = on_device(graph.indices), on_device(targets)
        self.order = on_device(order)
        self.by_source = on_device(np.concatenate([[0], ends]))
        self.own = on_device(np.arange(graph.shape[0]) if own is None else own)

    def sum_by_target(self, edges: Tensor, dense: Tensor) -> Tensor:
        """Return ``A @ dense`` for values of the edges, ``(n_targets, width)``."""
        matrix = _csr(self.by_target, self.sources, edges, self.shape)
        return matrix @ dense

    def products(self, targets: Tensor, sources: Tensor) -> Tensor:
        """Return the product of the two rows at every edge, ``(n_edges,)``.

        Parameters
        ----------
        targets, sources
            ``(n_targets, width)`` and ``(n_sources, width)``.
        """
        if has_sampled_product(targets.device.type):
            ones = targets.new_ones(len(self.sources))
            pattern = _csr(self.by_target, self.sources, ones, self.shape)
            sampled = torch.sparse.sampled_addmm(pattern, targets, sources.T, beta=0.0)
            dots: Tensor = sampled.values()
            return dots
        parts = [targets.new_zeros(0)]
        for start in range(0, len(self.sources), _CHUNK_EDGES):
            part = slice(start, start + _CHUNK_EDGES)
            ends = targets[self.targets[part]], sources[self.sources[part]]
            parts.append((ends[0] * ends[1]).sum(1))
        return torch.cat(parts)

    def sum_of_edges(self, edges: Tensor) -> Tensor:
        """Return the sum of the values at each target's edges, ``(n_targets,)``."""
        sums: Tensor = torch.segment_reduce(
            edges.contiguous(), "sum", offsets=self.by_target, axis=0
        )
        return sums

    def sum_by_source(self, edges: Tensor, dense: Tensor) -> Tensor:
        """Return ``A.T @ dense``, ``(n_sources, width)``."""
        turned = self.shape[::-1]
        columns = self.targets[self.order]
        return _csr(self.by_source, columns, edges[self.order], turned) @ dense


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: Any) -> Tensor:
    with warnings.catch_warnings():
        # Torch announces that its CSR layout is in beta once per process.
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support")
        return torch.sparse_csr_tensor(
            starts, columns, values, size=shape, check_invariants=False
        )


class GraphAttention(nn.Module):
    """Let each spot weigh its neighbours by learnt attention; heads are averaged.

    Source: graph attention networks (Velickovic et al. 2018), equations 1 to 3 and 6.

    Parameters
    ----------
    heads
        Sets of attention weights.

    Shapes
    ------
    features ``(n_sources, width_in)``; output ``(n_targets, width_out)``.
    """

    def __init__(self, width_in: int, width_out: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width_out = heads, width_out
        self.mix = nn.Linear(width_in, heads * width_out, bias=False)
        self.to_source = nn.Parameter(torch.empty(heads, width_out))
        self.to_target = nn.Parameter(torch.empty(heads, width_out))
        self.bias = nn.Parameter(torch.zeros(width_out))
        nn.init.xavier_uniform_(self.mix.weight)
        for weights in (self.to_source, self.to_target):
            nn.init.xavier_uniform_(weights)

    def forward(self, features: Tensor, graph: AttentionGraph) -> Tensor:
        """Return each target's weighted mean of its sources, before activation."""
        mixed = self.mix(features).view(-1, self.heads, self.width_out)
        source = (mixed * self.to_source).sum(-1)
        target = (mixed * self.to_target).sum(-1).index_select(0, graph.own)
        attended: Tensor = _Attend.apply(mixed, source, target, graph)  # type: ignore[no-untyped-call]
        return attended + self.bias


def attention_weights(source: Tensor, target: Tensor, graph: AttentionGraph) -> Tensor:
    """Return each edge's weight in each head, ``(n_edges, heads)``; sums to 1 a target.

    Parameters
    ----------
    source, target
        What sources and targets add to an edge, ``(n_sources, heads)`` and
        ``(n_targets, heads)``.
    """
    raw = source[graph.sources] + target[graph.targets]
    logits = nn.functional.leaky_relu(raw, _SLOPE)
    largest = torch.segment_reduce(logits, "max", offsets=graph.by_target, axis=0)
    lifted = torch.exp(logits - largest[graph.targets])
    return lifted / graph.sum_of_edges(lifted)[graph.targets]


class _Attend(torch.autograd.Function):
    """Attention and its gradient, in sums whose order is always the same.

    Adding up by index would sum in another order each time on GPUs.
    """

    @staticmethod
    def forward(
        context: Any,
        mixed: Tensor,
        source: Tensor,
        target: Tensor,
        graph: AttentionGraph,
    ) -> Tensor:
        weights = attention_weights(source, target, graph)
        context.graph = graph
        context.save_for_backward(mixed, source, target, weights)
        heads = mixed.shape[1]
        total = graph.sum_by_target(weights[:, 0].contiguous(), mixed[:, 0])
        for head in range(1, heads):
            total += graph.sum_by_target(weights[:, head].contiguous(), mixed[:, head])
        return total / heads

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        graph: AttentionGraph = context.graph
        mixed, source, target, weights = context.saved_tensors
        heads = mixed.shape[1]
        upstream = (upstream / heads).contiguous()
        to_mixed = torch.empty_like(mixed)
        to_weights = torch.empty_like(weights)
        for head in range(heads):
            own = weights[:, head].contiguous()
            to_mixed[:, head] = graph.sum_by_source(own, upstream)
            to_weights[:, head] = graph.products(upstream, mixed[:, head].contiguous())
        spread = to_weights * weights
        to_logits = spread - weights * graph.sum_of_edges(spread)[graph.targets]
        raw = source[graph.sources] + target[graph.targets]
        to_raw = torch.where(raw > 0, to_logits, _SLOPE * to_logits)
        by_source = torch.segment_reduce(
            to_raw[graph.order], "sum", offsets=graph.by_source, axis=0, initial=0
        )
        return to_mixed, by_source, graph.sum_of_edges(to_raw), None
