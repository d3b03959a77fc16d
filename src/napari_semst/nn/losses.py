"""The spatial loss in linear time, and the cross-view correlation loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from scipy import sparse

# Best quadratic to softplus on [-1, 1] (Chebyshev): within 7e-4 everywhere.
SOFTPLUS_QUADRATIC = (0.6938, 0.5, 0.1201)


class SpatialPairs:
    """The edges of the spatial graph, each once, as the spatial loss needs them.

    Parameters
    ----------
    adjacency
        Symmetric, binary, without self loops, shape ``(n_spots, n_spots)``.
    device
        Where the loss is computed.
    """

    def __init__(
        self, adjacency: sparse.csr_matrix, device: torch.device | str = "cpu"
    ) -> None:
        from scipy import sparse as scipy_sparse

        upper = scipy_sparse.triu(adjacency, k=1).tocoo()
        self.n_spots: int = adjacency.shape[0]
        self.first = torch.as_tensor(upper.row.astype("int64"), device=device)
        self.second = torch.as_tensor(upper.col.astype("int64"), device=device)


def spatial_loss(latent: Tensor, pairs: SpatialPairs) -> Tensor:
    """Return how badly cosine similarity tells spatial neighbours, in linear time.

    Source: SemST, equation 13: over all ordered pairs of spots, the cross-entropy of
    sigmoid(cosine) against being neighbours, over ``2 n_spots^2``. Since
    ``log(1 - sigmoid(x)) = -softplus(x)`` and softplus is a quadratic on [-1, 1] to
    within 7e-4, the sum over all pairs needs only the column sums and the Gram matrix
    of the unit rows; edges are then counted exactly.

    Parameters
    ----------
    latent
        Shape ``(n_spots, width)``.
    pairs
        The spatial neighbours.
    """
    constant, linear, square = SOFTPLUS_QUADRATIC
    n_spots = pairs.n_spots
    unit = nn.functional.normalize(latent, dim=1)
    # Sums over all ordered pairs, the diagonal's cosine of 1 taken out.
    own = unit.square().sum(1)
    cosine = unit.sum(0).square().sum() - own.sum()
    squared = (unit.T @ unit).square().sum() - own.square().sum()
    # The authors set the diagonal's cosine to 0, where softplus is log 2.
    diagonal = n_spots * math.log(2)
    everywhere = constant * n_spots * (n_spots - 1) + linear * cosine + square * squared
    # An edge counts softplus(-x) instead of the quadratic of x; both directions.
    edges = (_rows(unit, pairs.first) * _rows(unit, pairs.second)).sum(1)
    quadratic = constant + linear * edges + square * edges.square()
    correction = 2 * (nn.functional.softplus(-edges) - quadratic).sum()
    return (diagonal + everywhere + correction) / (2 * n_spots**2)


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
