"""Zero-inflated negative binomial: value and gradients in one pass over rows."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_semst.nn.zinb.backend import Engine, elementwise_engine
from napari_semst.nn.zinb.chunks import Chunk, cut_chunks
from napari_semst.nn.zinb.torch_kernels import MU_RANGE, THETA_RANGE

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Engine", "ZinbDecoder", "ZinbTarget", "elementwise_engine"]


class ZinbTarget:
    """The matrix that is reconstructed, cut into chunks of rows once.

    Parameters
    ----------
    expression
        Non-negative values, shape ``(n_spots, n_genes)``; need not be integers.
    chunk_rows
        Rows per chunk; 0 chooses by the number of genes and the device.
    engine
        What computes the elementwise part; `None` for `elementwise_engine`.
    """

    def __init__(
        self,
        expression: sparse.csr_matrix,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        chunk_rows: int = 0,
        engine: Engine | None = None,
    ) -> None:
        self.shape: tuple[int, int] = expression.shape
        self.engine = engine or elementwise_engine(device, dtype)
        self.chunks: list[Chunk] = cut_chunks(
            expression, self.engine.name, torch.device(device), dtype, chunk_rows
        )


class ZinbDecoder(nn.Module):
    """Decode the latent into the three parameters of a ZINB per spot and gene.

    Source: SemST, equations 10 and 11: a linear layer with batch normalisation and
    ReLU, then three heads: pi = sigmoid, theta = clamped softplus, mu = clamped exp.

    Parameters
    ----------
    latent, hidden, n_genes
        Widths.
    n_sections
        Sections whose spots are reconstructed together, or 0 for one: what a section
        adds to the linear layer is learnt, so that the latent need not tell them
        apart.

    Shapes
    ------
    input ``(n_spots, latent)``; each parameter ``(n_spots, n_genes)``.
    """

    def __init__(
        self, latent: int, hidden: int, n_genes: int, n_sections: int = 0
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(latent, hidden), nn.BatchNorm1d(hidden), nn.ReLU()
        )
        self.section: nn.Embedding | None = None
        if n_sections:
            self.section = nn.Embedding(n_sections, hidden)
            nn.init.zeros_(self.section.weight)
        self.pi = nn.Linear(hidden, n_genes)
        self.theta = nn.Linear(hidden, n_genes)
        self.mu = nn.Linear(hidden, n_genes)

    def forward(
        self,
        latent: Tensor,
        sections: Tensor | None = None,
        log_factor: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return pi, theta and mu; the arguments are those of `loss`."""
        hidden = self._hidden(latent, sections)
        theta = nn.functional.softplus(self.theta(hidden)).clamp(*THETA_RANGE)
        log_mu = self.mu(hidden)
        if log_factor is not None:
            log_mu = log_mu + log_factor[:, None]
        mu = torch.exp(log_mu).clamp(*MU_RANGE)
        return torch.sigmoid(self.pi(hidden)), theta, mu

    def _hidden(self, latent: Tensor, sections: Tensor | None) -> Tensor:
        linear, normalise, activate = self.body
        mixed = linear(latent)
        if self.section is not None and sections is not None:
            mixed = mixed + self.section(sections)
        hidden: Tensor = activate(normalise(mixed))
        return hidden

    def loss(
        self,
        latent: Tensor,
        target: ZinbTarget,
        prior: float,
        sections: Tensor | None = None,
        log_factor: Tensor | None = None,
    ) -> Tensor:
        """Return the mean negative log-likelihood plus ``prior * mean(pi^2)``.

        Value and gradients are computed chunk by chunk in one pass; nothing of size
        ``n_spots x n_genes`` is kept. ``sections`` are those of the spots;
        ``log_factor``, ``(n_spots,)``, is added to the log of each spot's mean.
        """
        hidden = self._hidden(latent, sections)
        heads = (self.pi, self.theta, self.mu)
        weights = [p for head in heads for p in (head.weight, head.bias)]
        if log_factor is not None:
            # One more hidden unit, that the mean alone hears, with a weight of 1.
            hidden = torch.cat([hidden, log_factor[:, None]], dim=1)
            for place, heard in ((0, 0.0), (2, 0.0), (4, 1.0)):
                column = weights[place].new_full((len(weights[place]), 1), heard)
                weights[place] = torch.cat([weights[place], column], dim=1)
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
        n_genes = target.shape[1]
        most = max(chunk.n_rows for chunk in target.chunks)
        # One buffer for all chunks: logits, then gradients in them.
        buffer = hidden.new_empty(3 * most * n_genes)
        ones = hidden.new_ones(most)
        with _helpers(target.engine) as pool:
            for chunk in target.chunks:
                raw = buffer[: 3 * chunk.n_rows * n_genes].view(3, -1, n_genes)
                rows = hidden[chunk.rows].detach()
                for logits, (weight, bias) in zip(raw, heads, strict=True):
                    torch.addmm(bias, rows, weight.T, out=logits)
                total += chunk.turn(raw, prior, pool)
                part = hidden_gradient[chunk.rows]
                for index, (weight, _) in enumerate(heads):
                    # The first head writes what the others add to.
                    part.addmm_(raw[index], weight, beta=min(index, 1))
                    gradients[2 * index].addmm_(raw[index].T, rows)
                    gradients[2 * index + 1].addmv_(raw[index].T, ones[: chunk.n_rows])
        context.scale = 1 / math.prod(target.shape)
        context.save_for_backward(hidden_gradient, *gradients)
        mean: Tensor = (total * context.scale).to(hidden.dtype)
        return mean

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        # The mean's divisor is applied here, once, instead of to every entry.
        factor = upstream * context.scale
        hidden, *weights = context.saved_tensors
        return (hidden * factor, None, None, *(w * factor for w in weights))


def _helpers(engine: Engine) -> Any:
    """Return the threads that help with a step: one fewer than torch may use.

    They live as long as the step. Denormal numbers are 0 to them, as in training.
    """
    count = torch.get_num_threads() - 1
    if engine.name != "numba" or not count:
        return nullcontext()
    return ThreadPoolExecutor(
        count, "zinb", initializer=torch.set_flush_denormal, initargs=(True,)
    )
