"""Squared error of linear decoders, without the matrix that they reconstruct."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# Keeps the slope of a root finite where nothing varies.
_TINY = 1e-12


class Reconstructed(NamedTuple):
    """A constant matrix X that linear decoders reconstruct, and its sums.

    Parameters
    ----------
    matrix
        Dense, or a sparse operator, ``(n_spots, n_genes)``.
    shape
        Of the matrix.
    squares
        Sum of its squares.
    columns
        Sum of each column, ``(n_genes,)``.
    """

    matrix: Any
    shape: tuple[int, int]
    squares: float
    columns: Tensor


def linear_squared_error(
    target: Reconstructed,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    product: Tensor | None = None,
) -> Tensor:
    """Return the mean of ``(X - H W - 1 b')^2``, exactly, in ``O(n_spots width^2)``.

    The square is multiplied out: ``|X|^2 - 2 <X W', H> + <H'H, W W'>`` and the terms of
    the bias need sums over spots or genes only. Nothing of spots by genes is formed,
    and X stays sparse. Value and gradient are those of the plain form, which is taken
    where X is dense and no wider than H.

    Parameters
    ----------
    hidden
        H, shape ``(n_spots, width)``.
    weight
        W, shape ``(width, n_genes)``.
    bias
        b, shape ``(n_genes,)``.
    product
        ``X W'``, ``(n_spots, width)``, where it is known.
    """
    matrix = target.matrix
    if isinstance(matrix, Tensor) and weight.shape[1] <= weight.shape[0]:
        plain = hidden @ weight if bias is None else torch.addmm(bias, hidden, weight)
        return nn.functional.mse_loss(plain, matrix)
    if product is None:
        product = matrix @ weight.T.contiguous()
    total = target.squares - 2 * (product * hidden).sum()
    total = total + _DecodedSquares.apply(hidden, weight)  # type: ignore[no-untyped-call]
    if bias is not None:
        n_spots = target.shape[0]
        total = total - 2 * (bias @ target.columns) + n_spots * (bias @ bias)
        total = total + 2 * (hidden.sum(0) @ (weight @ bias))
    error: Tensor = total / (target.shape[0] * target.shape[1])
    return error


class _DecodedSquares(torch.autograd.Function):
    """The sum of squares of ``H W``, as ``<H'H, W W'>``; each is multiplied once."""

    @staticmethod
    def forward(context: Any, hidden: Tensor, weight: Tensor) -> Tensor:
        gram, outer = hidden.T @ hidden, weight @ weight.T
        context.save_for_backward(hidden, weight, gram, outer)
        return (gram * outer).sum()

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        hidden, weight, gram, outer = context.saved_tensors
        twice = 2 * upstream
        return hidden @ (twice * outer), (twice * gram) @ weight


def reconstructed(
    matrix: Any, values: Any, device: torch.device | str
) -> Reconstructed:
    """Return a matrix with its sums.

    Parameters
    ----------
    matrix
        As products take it, on the device.
    values
        The same in numpy or scipy.
    """
    import numpy as np

    squares = values.multiply(values) if hasattr(values, "multiply") else values**2
    columns = np.asarray(values.sum(axis=0), dtype=np.float32).ravel()
    return Reconstructed(
        matrix,
        (values.shape[0], values.shape[1]),
        float(squares.sum(dtype=np.float64)),
        torch.as_tensor(columns, device=device),
    )


def decoded_components(hidden: Tensor, weight: Tensor, width: int) -> Tensor:
    """Return the leading principal components of ``H W``, which is not formed.

    The scores of ``H W`` are those of ``H L`` with ``L L' = W W'``.

    Parameters
    ----------
    hidden
        Shape ``(n_spots, inner)``.
    weight
        Shape ``(inner, n_genes)``.
    width
        Components wanted; at most ``inner`` are there.
    """
    values, vectors = torch.linalg.eigh((weight @ weight.T).double())
    root = vectors * values.clamp_min(0).sqrt()
    return leading_components(hidden.double() @ root, width).to(hidden.dtype)


def leading_components(values: Tensor, width: int) -> Tensor:
    """Return the leading principal components of rows, ``(n_spots, width)``."""
    centred = values.double() - values.double().mean(0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    scores: Tensor = (centred @ axes.flip(1)[:, :width]).to(values.dtype)
    return scores


def noisy_product(
    matrix: Any, squared: Any, weight: Tensor, deviation: float
) -> Tensor:
    """Return ``(X * noise) W`` in distribution, of noise about 1 at every entry.

    Each entry of the product is drawn from the normal distribution that the product has
    given X and W: mean ``X W``, variance ``deviation^2 (X^2) (W^2)`` (local
    reparameterisation, Kingma et al. 2015). Noise is not drawn for spots by genes.

    Parameters
    ----------
    matrix, squared
        X, and the squares of its entries.
    weight
        W, ``(n_genes, width)``.
    deviation
        Of the noise.
    """
    mean: Tensor = matrix @ weight
    variance = squared @ weight.square()
    spread = deviation * (variance.clamp_min(0) + _TINY).sqrt()
    drawn: Tensor = mean + spread * torch.randn_like(mean)
    return drawn
