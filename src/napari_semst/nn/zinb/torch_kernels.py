"""The ZINB's elementwise part in torch: any device, any floating-point type."""

from __future__ import annotations

import torch
from torch import Tensor, nn

THETA_RANGE = (1e-4, 1e4)
MU_RANGE = (1e-5, 1e6)
# Small addends inside the logarithms, as the authors have them.
EPSILON = 1e-10


def as_zeros(raw: Tensor, prior: float) -> Tensor:
    """Turn logits into gradients, and return the summed loss, where the value is 0.

    -log(pi + (1 - pi) p0) with p0 = (theta / (theta + mu))^theta: no gamma function.

    Parameters
    ----------
    raw
        Logits of pi, theta and mu, shape ``(3, n_rows, n_genes)``; become the
        gradients in them.
    prior
        Weight of the penalty ``pi^2``.
    """
    pi = torch.sigmoid(raw[0])
    rest = torch.sigmoid(-raw[0])
    theta, theta_slope = _softplus_clamped(raw[1])
    mu, mu_slope = _exp_clamped(raw[2])
    ratio = mu / theta
    share = 1 / (1 + ratio)
    # log1p keeps the digits that theta times a logarithm near 0 needs.
    log_share = -torch.log1p(ratio)
    power = theta * log_share
    less = torch.expm1(power)
    counted = rest * torch.exp(power)
    mixture = counted + (pi + EPSILON)
    # Near 1 the logarithm takes what is missing, not the rounded sum.
    missing = rest * less + EPSILON
    logarithm = torch.where(mixture > 0.5, torch.log1p(missing), torch.log(mixture))
    total = (prior * pi * pi - logarithm).sum(dtype=torch.float64)
    # The chance that a zero came from the counts.
    counted = counted / mixture
    raw[0] = rest * pi * (less / mixture + 2 * prior * pi)
    raw[1] = counted * theta_slope * ((1 - share) + log_share).neg()
    raw[2] = counted * share * mu_slope
    return total


def as_positives(raw: Tensor, values: Tensor, prior: float) -> tuple[Tensor, Tensor]:
    """Return gradients and the summed loss where values are positive, in float64.

    -log(1 - pi) - log NB(x; mu, theta), without log(x!). Differences of log-gammas of
    near numbers need the digits of float64.

    Parameters
    ----------
    raw
        Logits of pi, theta and mu, shape ``(3, n_positive)``.
    values
        The positive values, shape ``(n_positive,)``.
    prior
        Weight of the penalty ``pi^2``.

    Returns
    -------
    gradients
        In the logits, of the shape and type of ``raw``.
    total
        Summed loss.
    """
    logits, x = raw.double(), values.double()
    pi, rest = torch.sigmoid(logits[0]), torch.sigmoid(-logits[0])
    theta, theta_slope = _softplus_clamped(logits[1])
    mu, mu_slope = _exp_clamped(logits[2])
    least, shifted, both = theta + EPSILON, theta + x, theta + mu
    log_ratio = torch.log1p(mu / least)
    nll = torch.lgamma(least) - torch.lgamma(shifted) - torch.log(rest + EPSILON)
    nll = nll + shifted * log_ratio + x * torch.log(least / (mu + EPSILON))
    slope = torch.digamma(least) - torch.digamma(shifted)
    slope = slope + log_ratio + shifted / (least + mu) - theta / least
    # The share of the slope that the addend inside the logarithm leaves.
    left = rest / (rest + EPSILON)
    gradients = torch.stack(
        [
            pi * (left + 2 * prior * pi * rest),
            slope * theta_slope,
            (theta * (mu - x) / both + x * EPSILON / (mu + EPSILON)) * (mu_slope / mu),
        ]
    )
    return gradients.to(raw.dtype), (nll + prior * pi * pi).sum()


def _softplus_clamped(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Return clamped softplus and its slope."""
    plain = nn.functional.softplus(raw)
    low, high = THETA_RANGE
    slope = torch.sigmoid(raw) * ((plain >= low) & (plain <= high))
    return plain.clamp(low, high), slope


def _exp_clamped(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Return clamped exp and its slope."""
    plain = torch.exp(raw)
    low, high = MU_RANGE
    inside = (plain >= low) & (plain <= high)
    clamped = plain.clamp(low, high)
    # Not plain * inside: beyond the clamp plain may be infinite.
    return clamped, clamped * inside
