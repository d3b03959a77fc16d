"""Zero-inflated negative binomial: value and gradients in one pass over rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from scipy import sparse

THETA_RANGE = (1e-4, 1e4)
MU_RANGE = (1e-5, 1e6)
# Small addends inside the logarithms, as the authors have them.
_EPSILON = 1e-10
# Values of a chunk: about 130 rows of 3,000 genes measured fastest (1.5 MB a matrix).
_CHUNK_VALUES = 3 << 17


class ZinbTarget:
    """The matrix that is reconstructed, cut into chunks of rows once.

    Parameters
    ----------
    expression
        Non-negative values, shape ``(n_spots, n_genes)``; need not be integers.
    device
        Where the loss is computed.
    dtype
        Floating-point type.
    chunk_rows
        Rows per chunk; 0 chooses by the number of genes.
    """

    def __init__(
        self,
        expression: sparse.csr_matrix,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        chunk_rows: int = 0,
    ) -> None:
        self.shape: tuple[int, int] = expression.shape
        n_spots, n_genes = self.shape
        rows = chunk_rows or max(64, _CHUNK_VALUES // n_genes)
        self.chunks: list[_Chunk] = []
        for start in range(0, n_spots, rows):
            part = expression[start : start + rows]
            positive = part.tocoo()
            keep = positive.data > 0
            flat = positive.row[keep].astype("int64") * n_genes + positive.col[keep]
            values = torch.as_tensor(positive.data[keep], dtype=dtype, device=device)
            self.chunks.append(
                _Chunk(
                    slice(start, start + part.shape[0]),
                    torch.as_tensor(flat, device=device),
                    values,
                    torch.lgamma(values.double() + 1).sum(),
                )
            )


class _Chunk(NamedTuple):
    rows: slice
    flat: Tensor
    values: Tensor
    log_factorial: Tensor


class ZinbDecoder(nn.Module):
    """Decode the latent into the three parameters of a ZINB per spot and gene.

    Source: SemST, equations 10 and 11: a linear layer with batch normalisation and
    ReLU, then three heads: pi = sigmoid, theta = clamped softplus, mu = clamped exp.

    Shapes
    ------
    input ``(n_spots, latent)``; each parameter ``(n_spots, n_genes)``.
    """

    def __init__(self, latent: int, hidden: int, n_genes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(latent, hidden), nn.BatchNorm1d(hidden), nn.ReLU()
        )
        self.pi = nn.Linear(hidden, n_genes)
        self.theta = nn.Linear(hidden, n_genes)
        self.mu = nn.Linear(hidden, n_genes)

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return pi, theta and mu."""
        hidden = self.body(latent)
        theta = nn.functional.softplus(self.theta(hidden)).clamp(*THETA_RANGE)
        mu = torch.exp(self.mu(hidden)).clamp(*MU_RANGE)
        return torch.sigmoid(self.pi(hidden)), theta, mu

    def loss(self, latent: Tensor, target: ZinbTarget, prior: float) -> Tensor:
        """Return the mean negative log-likelihood plus ``prior * mean(pi^2)``.

        Value and gradients are computed chunk by chunk in one pass; nothing of size
        ``n_spots x n_genes`` is kept.
        """
        hidden = self.body(latent)
        heads = (self.pi, self.theta, self.mu)
        weights = [p for head in heads for p in (head.weight, head.bias)]
        loss: Tensor = _ZinbHeads.apply(hidden, target, prior, *weights)  # type: ignore[no-untyped-call]
        return loss


class _ZinbHeads(torch.autograd.Function):
    """Three linear heads and the ZINB loss as one operation."""

    @staticmethod
    def forward(
        context: Any, hidden: Tensor, target: ZinbTarget, prior: float, *weights: Tensor
    ) -> Tensor:
        heads = [(weights[i].detach(), weights[i + 1].detach()) for i in (0, 2, 4)]
        gradients = [torch.zeros_like(w) for w in weights]
        hidden_gradient = torch.empty_like(hidden)
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        scale = 1 / math.prod(target.shape)
        for chunk in target.chunks:
            rows = hidden[chunk.rows].detach()
            raw = [torch.addmm(bias, rows, weight.T) for weight, bias in heads]
            total += _value_and_gradients(raw, chunk, prior)
            part = hidden_gradient[chunk.rows]
            torch.mm(raw[0].mul_(scale), heads[0][0], out=part)
            for index, (weight, _) in enumerate(heads):
                if index:
                    part.addmm_(raw[index].mul_(scale), weight)
                gradients[2 * index].addmm_(raw[index].T, rows)
                gradients[2 * index + 1] += raw[index].sum(0)
        context.save_for_backward(hidden_gradient, *gradients)
        return (total * scale).to(hidden.dtype)

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        hidden, *weights = context.saved_tensors
        return (hidden * upstream, None, None, *(w * upstream for w in weights))


def _value_and_gradients(raw: list[Tensor], chunk: _Chunk, prior: float) -> Tensor:
    """Return the summed loss of a chunk; ``raw`` becomes the gradient in the logits.

    Every entry is first treated as a zero, for which no gamma function is needed;
    the few positive ones are then put in place of it.
    """
    at_positive = [head.view(-1)[chunk.flat] for head in raw]
    total = _zeros(raw, prior)
    excluded = [head.clone() for head in at_positive]
    total = total - _zeros(excluded, prior)
    total = total + _positives(at_positive, chunk, prior)
    for head, gradient in zip(raw, at_positive, strict=True):
        head.view(-1)[chunk.flat] = gradient
    return total


def _zeros(raw: list[Tensor], prior: float) -> Tensor:
    """Turn logits into gradients, and return the summed loss, where the value is 0.

    -log(pi + (1 - pi) p0) with p0 = (theta / (theta + mu))^theta.
    """
    logit, theta_raw, mu_raw = raw
    pi = torch.sigmoid(logit)
    theta, theta_slope = _softplus_clamped(theta_raw)
    mu = mu_raw.exp_()
    mu_slope = _inside(mu, MU_RANGE)
    mu.clamp_(*MU_RANGE)
    ratio = mu / theta
    share = 1 / (1 + ratio)
    # log1p keeps the digits that theta times a logarithm near 0 needs.
    log_share = ratio.log1p_().neg_()
    power = (theta * log_share).exp_()
    rest = 1 - pi
    mixture = power.mul(rest).add_(pi).add_(_EPSILON)
    total = -mixture.log().sum(dtype=torch.float64)
    total = total + prior * pi.square().sum(dtype=torch.float64)
    # rest * power / mixture is the chance that a zero came from the counts.
    counted = rest * power / mixture
    torch.mul(rest, pi, out=logit)
    slope = power.sub_(1).div_(mixture)
    logit.mul_(slope.add_(pi, alpha=2 * prior))
    torch.mul(counted, -(log_share + 1).sub_(share), out=theta_raw)
    theta_raw.mul_(theta_slope)
    mu.mul_(counted).mul_(share).mul_(mu_slope)
    return total


def _positives(raw: list[Tensor], chunk: _Chunk, prior: float) -> Tensor:
    """Turn logits into gradients, and return the summed loss, at positive values.

    -log(1 - pi) - log NB(x; mu, theta).
    """
    logit, theta_raw, mu_raw = raw
    values = chunk.values
    pi = torch.sigmoid(logit)
    theta, theta_slope = _softplus_clamped(theta_raw)
    mu = mu_raw.exp_()
    mu_slope = _inside(mu, MU_RANGE)
    mu.clamp_(*MU_RANGE)
    both = theta + mu
    log_ratio = torch.log1p(mu / (theta + _EPSILON))
    log_odds = (theta + _EPSILON).log_().sub_((mu + _EPSILON).log_())
    shifted = theta + values
    nll = torch.lgamma(theta + _EPSILON) - torch.lgamma(shifted)
    nll += shifted * log_ratio + values * log_odds
    nll -= (1 - pi + _EPSILON).log_()
    total = nll.sum(dtype=torch.float64) + chunk.log_factorial
    total = total + prior * pi.square().sum(dtype=torch.float64)
    # d/dlogit of -log(1 - pi) is pi; of prior * pi^2 it is 2 prior pi^2 (1 - pi).
    torch.mul(pi, 1 + 2 * prior * pi * (1 - pi), out=logit)
    slope = torch.digamma(theta) - torch.digamma(shifted)
    slope += log_ratio + (values - mu) / both
    torch.mul(slope, theta_slope, out=theta_raw)
    # mu_raw already holds mu; its gradient in the logit is theta (mu - x) / (theta+mu)
    torch.mul(theta * (mu - values) / both, mu_slope, out=mu_raw)
    return total


def _softplus_clamped(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Return clamped softplus and its slope."""
    plain = nn.functional.softplus(raw)
    slope = torch.sigmoid(raw).mul_(_inside(plain, THETA_RANGE))
    return plain.clamp_(*THETA_RANGE), slope


def _inside(values: Tensor, limits: tuple[float, float]) -> Tensor:
    """Return 1 where a clamp passes its gradient on, else 0."""
    low, high = limits
    return ((values >= low) & (values <= high)).to(values.dtype)
