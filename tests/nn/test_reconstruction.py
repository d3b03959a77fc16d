"""Squared errors of linear decoders against the matrix written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from napari_semst.nn.reconstruction import (
    decoded_components,
    linear_squared_error,
    noisy_product,
    reconstructed,
)
from napari_semst.nn.sparse import SparseOperator

RANDOM = np.random.default_rng(0)


def problem(*, as_sparse, n_genes=12):
    shape = (30, n_genes)
    values = RANDOM.normal(size=shape) * (RANDOM.random(shape) < 0.4)
    double = {"dtype": torch.float64}
    if as_sparse:
        held = sparse.csr_matrix(values)
        operator = SparseOperator(held, **double)
    else:
        held, operator = values, torch.as_tensor(values)
    target = reconstructed(operator, held, "cpu")
    target = target._replace(columns=torch.as_tensor(values.sum(0)))
    hidden, weight, bias = (
        torch.as_tensor(RANDOM.normal(size=shape)).requires_grad_()
        for shape in ((30, 5), (5, n_genes), n_genes)
    )
    return torch.as_tensor(values), target, hidden, weight, bias


@pytest.mark.parametrize("as_sparse", [True, False])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("n_genes", [12, 4])
def test_value_and_gradient_are_those_of_the_plain_form(as_sparse, biased, n_genes):
    values, target, hidden, weight, bias = problem(as_sparse=as_sparse, n_genes=n_genes)
    given = (hidden, weight, bias) if biased else (hidden, weight)
    have = linear_squared_error(target, *given)
    plain = hidden @ weight + (bias if biased else 0)
    want = (values - plain).square().mean()
    assert have.item() == pytest.approx(want.item(), rel=1e-12)
    for one, other in zip(
        torch.autograd.grad(have, given), torch.autograd.grad(want, given), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_a_known_product_is_not_computed_again():
    values, target, hidden, weight, _ = problem(as_sparse=False)
    blind = target._replace(matrix=None)
    have = linear_squared_error(blind, hidden, weight, product=values @ weight.T)
    assert torch.equal(have, linear_squared_error(target, hidden, weight))


def test_components_are_those_of_the_matrix_that_is_decoded():
    hidden = torch.as_tensor(RANDOM.normal(size=(40, 6)))
    weight = torch.as_tensor(RANDOM.normal(size=(6, 25)))
    have = decoded_components(hidden, weight, 4)
    decoded = hidden @ weight
    left, sizes, _ = torch.linalg.svd(decoded - decoded.mean(0), full_matrices=False)
    want = (left * sizes)[:, :4]
    # An axis has no direction of its own.
    signs = torch.sign((have * want).sum(0))
    torch.testing.assert_close(have * signs, want)
    assert decoded_components(hidden, weight, 99).shape == (40, 6)


def test_noise_at_every_entry_gives_products_of_this_mean_and_spread():
    torch.manual_seed(0)
    values, weight = torch.rand(5, 40), torch.randn(40, 3)
    by_hand = torch.stack(
        [(values * (1 + 0.1 * torch.randn(5, 40))) @ weight for _ in range(4000)]
    )
    drawn = torch.stack(
        [noisy_product(values, values**2, weight, 0.1) for _ in range(4000)]
    )
    torch.testing.assert_close(drawn.mean(0), by_hand.mean(0), atol=0.05, rtol=0.02)
    torch.testing.assert_close(drawn.std(0), by_hand.std(0), atol=0.01, rtol=0.08)
