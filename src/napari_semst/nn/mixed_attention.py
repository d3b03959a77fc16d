"""Graph attention over features whose linear map is done already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_semst.nn.tied_attention import softmax_by_target, weighted_sum

if TYPE_CHECKING:
    from napari_semst.nn.graph_attention import AttentionGraph

_SLOPE = 0.2


class MixedAttention(nn.Module):
    """Weigh neighbours by learnt attention; the map ``X W`` comes from outside.

    Source: graph attention networks (Velickovic et al. 2018), one head. Of shuffled
    spots ``X W`` is the same rows in another order, and need not be computed again.

    Parameters
    ----------
    width
        Of the mixed features.

    Shapes
    ------
    input ``(n_spots, width)``; output the same.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_source = nn.Parameter(torch.empty(1, width))
        self.to_target = nn.Parameter(torch.empty(1, width))
        self.bias = nn.Parameter(torch.zeros(width))
        for weights in (self.to_source, self.to_target):
            nn.init.xavier_uniform_(weights)

    def forward(self, mixed: Tensor, graph: AttentionGraph) -> Tensor:
        """Return each spot's weighted mean of its neighbours, before activation."""
        raw = (mixed @ self.to_source[0])[graph.sources]
        raw = raw + (mixed @ self.to_target[0])[graph.targets]
        logits = nn.functional.leaky_relu(raw, _SLOPE)
        return weighted_sum(softmax_by_target(logits, graph), mixed, graph) + self.bias
