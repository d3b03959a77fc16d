"""Contrastive losses whose pairs are as many as spots, or as edges."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# Of the softmax over cosines to the centres of clusters.
_SHARPNESS = 10.0


def infomax_loss(
    judge: nn.Bilinear, mean: Any, spots: Tensor, others: Tensor
) -> Tensor:
    """Return how badly neighbourhoods tell their spots from others.

    Source: deep graph infomax (Velickovic et al. 2019), with the neighbourhood's mean
    in place of the whole graph's, as GraphST has it: cross-entropy of a bilinear form
    of each spot, and of another one in its place, with ``sigmoid(mean / |mean|)``.

    Parameters
    ----------
    judge
        The bilinear form, of a row and its summary.
    mean
        Operator that averages a spot with its neighbours, ``(n_spots, n_spots)``.
    spots, others
        Each ``(n_spots, width)``.
    """
    summary = torch.sigmoid(nn.functional.normalize(mean @ spots, dim=1))
    # The form's own module would lay out width x width products of every spot.
    asked = summary @ judge.weight[0].T
    real, false = ((rows * asked).sum(1) + judge.bias for rows in (spots, others))
    loss = nn.functional.softplus(-real).mean() + nn.functional.softplus(false).mean()
    return loss / 2


class ClusterContext(nn.Module):
    """Tell spots from shuffled ones by the clusters that they belong to.

    Source: graph infoclust (Mavromatis and Karypis 2021): a spot's context is the
    sigmoid of the centres, weighed by its softmax over cosines to them; the score of a
    row is its product with the spot's context.

    Parameters
    ----------
    n_clusters, width
        Of the centres, ``(n_clusters, width)``.
    """

    def __init__(self, n_clusters: int, width: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(n_clusters, width))
        nn.init.xavier_uniform_(self.centres)

    def loss(self, spots: Tensor, others: Tensor) -> Tensor:
        """Return the cross-entropy of spots against others in their place."""
        unit = nn.functional.normalize(spots, dim=1)
        centres = nn.functional.normalize(self.centres, dim=1)
        shares = torch.softmax(_SHARPNESS * unit @ centres.T, dim=1)
        context = torch.sigmoid(shares @ self.centres)
        real, false = ((rows * context).sum(1) for rows in (spots, others))
        near = nn.functional.softplus(-real).mean()
        return (near + nn.functional.softplus(false).mean()) / 2
