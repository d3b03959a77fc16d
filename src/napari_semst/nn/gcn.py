"""Two-layer graph convolutional network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from napari_semst.nn.sparse import SparseOperator


class GraphConvolution(nn.Module):
    """One propagation: ``A (X W) + b``.

    Source: SemST, equation 3; Kipf and Welling 2017.

    Parameters
    ----------
    width_in, width_out
        Widths before and after; the weight is laid out ``(width_in, width_out)``.

    Shapes
    ------
    input ``(n_spots, width_in)``, dense or sparse operator; output
    ``(n_spots, width_out)``.
    """

    # Without an adjacency the features are taken to be propagated: A X is constant,
    # so that the first layer of a network needs it once, not once a step.

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(width_out)
        self.weight = nn.Parameter(torch.empty(width_in, width_out))
        self.bias = nn.Parameter(torch.empty(width_out))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(
        self, features: Tensor | Any, adjacency: SparseOperator | None
    ) -> Tensor:
        """Return the propagated features."""
        mixed: Tensor = features @ self.weight
        return (mixed if adjacency is None else adjacency @ mixed) + self.bias


class GraphConvolutionalNetwork(nn.Module):
    """Two graph convolutions with a ReLU between, none at the end.

    Source: SemST, equations 4 and 5.

    Shapes
    ------
    input ``(n_spots, n_genes)``; output ``(n_spots, latent)``.
    """

    def __init__(self, n_genes: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.first = GraphConvolution(n_genes, hidden)
        self.second = GraphConvolution(hidden, latent)

    def forward(
        self,
        features: Tensor | Any,
        adjacency: SparseOperator,
        *,
        propagated: bool = False,
    ) -> Tensor:
        """Return the latent features of this view.

        Parameters
        ----------
        features
            X, or A X where ``propagated``.
        adjacency
            Normalised graph of this view.
        propagated
            Whether the first propagation is already done.
        """
        hidden = torch.relu(self.first(features, None if propagated else adjacency))
        result: Tensor = self.second(hidden, adjacency)
        return result

    def after_mixing(self, mixed: Tensor, adjacency: SparseOperator) -> Tensor:
        """Return the latent features where ``X W`` of the first layer is known.

        It is the same for every graph, and by far the most of the work.
        """
        hidden = torch.relu(adjacency @ mixed + self.first.bias)
        result: Tensor = self.second(hidden, adjacency)
        return result
