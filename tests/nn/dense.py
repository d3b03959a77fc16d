"""The plain forms of the losses: quadratic in spots, and by autograd."""

from __future__ import annotations

import torch
from torch import nn


def spatial_loss(latent, adjacency):
    """Return SemST's spatial loss over the full matrix of pairs."""
    unit = nn.functional.normalize(latent, dim=1)
    cosine = unit @ unit.T
    cosine = cosine - torch.diag(torch.diagonal(cosine))
    edges = nn.functional.logsigmoid(cosine)
    others = nn.functional.logsigmoid(-cosine)
    total = (adjacency * edges + (1 - adjacency) * others).sum()
    return -total / (2 * len(latent) ** 2)


def zinb(values, pi, theta, mu, prior):
    """Return the mean ZINB negative log-likelihood and the penalty on pi."""
    tiny = 1e-10
    counted = (
        torch.lgamma(theta + tiny)
        + torch.lgamma(values + 1)
        - torch.lgamma(values + theta + tiny)
        + (theta + values) * torch.log1p(mu / (theta + tiny))
        + values * (torch.log(theta + tiny) - torch.log(mu + tiny))
        - torch.log(1 - pi + tiny)
    )
    zero = torch.pow(theta / (theta + mu + tiny), theta)
    zeros = -torch.log(pi + (1 - pi) * zero + tiny)
    return torch.where(values > 0, counted, zeros).mean() + prior * (pi**2).mean()
