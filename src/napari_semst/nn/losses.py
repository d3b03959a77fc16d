"""The spatial loss in linear time, and the cross-view correlation loss."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from napari_semst.nn.sparse import csr_tensor, has_sampled_product

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Best quadratic to softplus on [-1, 1] (Chebyshev): within 7e-4 everywhere.
SOFTPLUS_QUADRATIC = (0.6938, 0.5, 0.1201)
_CHUNK_EDGES = 4096


class SpatialPairs:
    """The edges of the spatial graph in both directions, laid out for the loss.

    Parameters
    ----------
    first, second
        The two spots of each edge, as rows of the latent that the loss is given; an
        edge given twice counts twice.
    n_latents
        Rows of that latent.
    n_spots, n_edges
        Size of the whole section, of which rows and edges may be a sample.
    """

    def __init__(
        self,
        first: NDArray[np.integer[Any]],
        second: NDArray[np.integer[Any]],
        n_latents: int,
        n_spots: int,
        n_edges: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.n_spots, self.n_edges = n_spots, n_edges
        self.edge_weight = n_edges / max(len(first), 1)
        both = np.concatenate([first, second]), np.concatenate([second, first])
        ones = np.ones(len(both[0]), np.float32)
        graph = sparse.csr_matrix((ones, both), shape=(n_latents, n_latents))
        graph.sum_duplicates()
        self.pattern = csr_tensor(graph, device, torch.float32)
        rows = np.repeat(np.arange(n_latents), np.diff(graph.indptr))
        self.rows = torch.as_tensor(rows, device=device)

    @classmethod
    def of_graph(
        cls, adjacency: sparse.csr_matrix, device: torch.device | str = "cpu"
    ) -> SpatialPairs:
        """Return all edges of a graph, symmetric, binary and without self loops."""
        first, second = edges(adjacency)
        n_spots = adjacency.shape[0]
        return cls(first, second, n_spots, n_spots, len(first), device)


def edges(
    adjacency: sparse.csr_matrix,
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Return the two spots of each edge of a symmetric graph, each edge once."""
    upper = sparse.triu(adjacency, k=1).tocoo()
    return upper.row, upper.col


def spatial_loss(latent: Tensor, pairs: SpatialPairs) -> Tensor:
    """Return how badly cosine similarity predicts spatial neighbours, in linear time.

    Source: SemST, equation 13: over all ordered pairs of spots, the cross-entropy of
    sigmoid(cosine) against being neighbours, over ``2 n_spots^2``. Since
    ``log(1 - sigmoid(x)) = -softplus(x)`` and softplus is a quadratic on [-1, 1] to
    within 7e-4, the sum over all pairs needs only the column sums and the Gram matrix
    of the unit rows; edges are then counted exactly.

    Of a sample of spots and edges, the edges stand for all edges and the other pairs
    among the spots for all other pairs, so that value and gradient are on average
    those of the section.

    Parameters
    ----------
    latent
        Shape ``(n_latents, width)``: all spots, or a sample of them.
    """
    constant, linear, square = SOFTPLUS_QUADRATIC
    n_latents, n_spots = len(latent), pairs.n_spots
    unit = nn.functional.normalize(latent, dim=1)
    # Sums over all ordered pairs, the diagonal's cosine of 1 taken out.
    own = unit.square().sum(1)
    cosine = unit.sum(0).square().sum() - own.sum()
    squared = (unit.T @ unit).square().sum() - own.square().sum()
    n_pairs = n_latents * (n_latents - 1)
    pairs_sum = constant * n_pairs + linear * cosine + square * squared
    # Drawn edges are far too common among drawn spots: they are taken out before the
    # other pairs stand for all pairs that are no edges, and count for the edges alone.
    no_edges = n_spots * (n_spots - 1) - 2 * pairs.n_edges
    represented = no_edges / max(n_pairs - len(pairs.rows), 1)
    edge_sum: Tensor = _EdgeSum.apply(unit, pairs, represented)  # type: ignore[no-untyped-call]
    # The authors set the diagonal's cosine to 0, where softplus is log 2.
    diagonal = n_spots * math.log(2)
    total = diagonal + represented * pairs_sum + edge_sum
    return total / (2 * n_spots**2)


class _EdgeSum(torch.autograd.Function):
    """Sum of w softplus(-x) - r q(x) over the cosines x of all edges, both directions.

    w is what an edge stands for and how often it was drawn, r what a pair stands for,
    q the quadratic by which it was counted among the pairs. The gradient is a product
    with a sparse matrix: nothing of edges x width is kept, and a seed gives the same
    bits twice, which scattered sums do not.
    """

    @staticmethod
    def forward(
        context: Any, unit: Tensor, pairs: SpatialPairs, represented: float
    ) -> Tensor:
        constant, linear, square = SOFTPLUS_QUADRATIC
        times = pairs.edge_weight * pairs.pattern.values().to(unit.dtype)
        cosine = _cosines(unit, pairs)
        slope = -times * torch.sigmoid(-cosine)
        slope -= represented * (linear + 2 * square * cosine)
        context.save_for_backward(unit, slope)
        context.pairs = pairs
        counted = constant + linear * cosine + square * cosine.square()
        exact = times * nn.functional.softplus(-cosine)
        return (exact - represented * counted).sum()

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        unit, slope = context.saved_tensors
        pattern = context.pairs.pattern
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support")
            weights = torch.sparse_csr_tensor(
                pattern.crow_indices(),
                pattern.col_indices(),
                slope,
                pattern.shape,
                check_invariants=False,
            )
        # An edge stands in the matrix in both directions, and each moves both ends.
        return 2 * upstream * (weights @ unit), None, None


def _cosines(unit: Tensor, pairs: SpatialPairs) -> Tensor:
    """Return the cosine of every edge, in the order of the pattern's values."""
    pattern = pairs.pattern.to(unit.dtype)
    if has_sampled_product(unit.device.type):
        sampled = torch.sparse.sampled_addmm(pattern, unit, unit.T, beta=0.0)
        cosines: Tensor = sampled.values()
        return cosines
    columns = pattern.col_indices()
    parts = [unit.new_zeros(0)]
    for start in range(0, len(columns), _CHUNK_EDGES):
        part = slice(start, start + _CHUNK_EDGES)
        parts.append((unit[pairs.rows[part]] * unit[columns[part]]).sum(1))
    return torch.cat(parts)


def correlation_loss(spatial: Tensor, feature: Tensor) -> Tensor:
    """Return how far the two views are from one decorrelated description.

    Source: SemST, equation 12, as coded: the cosine between every column of one view
    and every column of the other, pulled to 1 for equal columns and to 0 for others;
    mean over the diagonal plus mean over the rest.
    """
    first = nn.functional.normalize(spatial, dim=0)
    second = nn.functional.normalize(feature, dim=0)
    cosine = first.T @ second
    width = cosine.shape[0]
    diagonal = torch.diagonal(cosine)
    same = (diagonal - 1).square().mean()
    others = cosine.square().sum() - diagonal.square().sum()
    return same + others / max(width * (width - 1), 1)
