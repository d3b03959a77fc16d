"""The spatial loss in linear time, and the cross-view correlation loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy import sparse

# Best quadratic to softplus on [-1, 1] (Chebyshev): within 7e-4 everywhere.
SOFTPLUS_QUADRATIC = (0.6938, 0.5, 0.1201)


class SpatialPairs:
    """The edges of the spatial graph, each once, as the spatial loss needs them.

    Parameters
    ----------
    first, second
        The two spots of each edge, as rows of the latent that the loss is given.
    n_spots, n_edges
        Size of the whole section, of which the edges may be a sample.
    device
        Where the loss is computed.
    """

    def __init__(
        self,
        first: NDArray[np.integer[Any]],
        second: NDArray[np.integer[Any]],
        n_spots: int,
        n_edges: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.n_spots = n_spots
        self.edge_weight = n_edges / max(len(first), 1)
        self.first = torch.as_tensor(first.astype("int64"), device=device)
        self.second = torch.as_tensor(second.astype("int64"), device=device)

    @classmethod
    def of_graph(
        cls, adjacency: sparse.csr_matrix, device: torch.device | str = "cpu"
    ) -> SpatialPairs:
        """Return all edges of a graph.

        Parameters
        ----------
        adjacency
            Symmetric, binary, without self loops, shape ``(n_spots, n_spots)``.
        device
            Where the loss is computed.
        """
        first, second = edges(adjacency)
        return cls(first, second, adjacency.shape[0], len(first), device)


def edges(
    adjacency: sparse.csr_matrix,
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Return the two spots of each edge of a symmetric graph, each edge once."""
    from scipy import sparse as scipy_sparse

    upper = scipy_sparse.triu(adjacency, k=1).tocoo()
    return upper.row, upper.col


def spatial_loss(latent: Tensor, pairs: SpatialPairs) -> Tensor:
    """Return how badly cosine similarity tells spatial neighbours, in linear time.

    Source: SemST, equation 13: over all ordered pairs of spots, the cross-entropy of
    sigmoid(cosine) against being neighbours, over ``2 n_spots^2``. Since
    ``log(1 - sigmoid(x)) = -softplus(x)`` and softplus is a quadratic on [-1, 1] to
    within 7e-4, the sum over all pairs needs only the column sums and the Gram matrix
    of the unit rows; edges are then counted exactly.

    Of a sample of spots and edges, the pairs among them stand for all pairs and the
    edges for all edges, so that its expectation is the loss of the section.

    Parameters
    ----------
    latent
        Shape ``(n_latents, width)``: all spots, or a sample of them.
    pairs
        The spatial neighbours.
    """
    constant, linear, square = SOFTPLUS_QUADRATIC
    n_latents, n_spots = len(latent), pairs.n_spots
    unit = nn.functional.normalize(latent, dim=1)
    # Sums over all ordered pairs, the diagonal's cosine of 1 taken out.
    own = unit.square().sum(1)
    cosine = unit.sum(0).square().sum() - own.sum()
    squared = (unit.T @ unit).square().sum() - own.square().sum()
    # The authors set the diagonal's cosine to 0, where softplus is log 2.
    diagonal = n_spots * math.log(2)
    represented = n_spots * (n_spots - 1) / max(n_latents * (n_latents - 1), 1)
    everywhere = represented * (linear * cosine + square * squared)
    everywhere = everywhere + constant * n_spots * (n_spots - 1)
    # An edge counts softplus(-x) instead of the quadratic of x; both directions.
    edge = (_rows(unit, pairs.first) * _rows(unit, pairs.second)).sum(1)
    quadratic = constant + linear * edge + square * edge.square()
    correction = 2 * (nn.functional.softplus(-edge) - quadratic).sum()
    total = diagonal + everywhere + pairs.edge_weight * correction
    return total / (2 * n_spots**2)


def _rows(values: Tensor, rows: Tensor) -> Tensor:
    """Return rows, with a gradient that is summed in the same order every time.

    The gradient of ``values[rows]`` is added up by all threads at once, and a seed
    would not give the same bits twice.
    """
    return nn.functional.embedding(rows, values)


def correlation_loss(spatial: Tensor, feature: Tensor) -> Tensor:
    """Return how far the two views are from one decorrelated description.

    Source: SemST, equation 12, as coded: the cosine between every column of one view
    and every column of the other, pulled to 1 for equal columns and to 0 for others;
    mean over the diagonal plus mean over the rest.

    Parameters
    ----------
    spatial, feature
        Features of the two views, each ``(n_spots, width)``.
    """
    first = nn.functional.normalize(spatial, dim=0)
    second = nn.functional.normalize(feature, dim=0)
    cosine = first.T @ second
    width = cosine.shape[0]
    diagonal = torch.diagonal(cosine)
    same = (diagonal - 1).square().mean()
    others = cosine.square().sum() - diagonal.square().sum()
    return same + others / max(width * (width - 1), 1)
