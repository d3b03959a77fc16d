"""Contrastive losses whose pairs are as many as spots, or as edges."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


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
    real, false = judge(spots, summary), judge(others, summary)
    loss = nn.functional.softplus(-real).mean() + nn.functional.softplus(false).mean()
    return loss / 2
