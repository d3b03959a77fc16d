"""The ZINB's value and gradients against plain automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse
from torch import nn

from napari_semst.nn.zinb.decoder import (
    Engine,
    ZinbDecoder,
    ZinbTarget,
    elementwise_engine,
)

PRIOR = 0.05
TORCH = Engine("torch", "asked for by a test")


def plain_loss(raw, values, prior=PRIOR):
    """Return the loss of every entry from its definition, in float64."""
    tiny = 1e-10
    pi = torch.sigmoid(raw[0])
    theta = nn.functional.softplus(raw[1]).clamp(1e-4, 1e4)
    mu = torch.exp(raw[2]).clamp(1e-5, 1e6)
    counted = (
        torch.lgamma(theta + tiny)
        + torch.lgamma(values + 1)
        - torch.lgamma(values + theta)
        + (theta + values) * torch.log1p(mu / (theta + tiny))
        + values * (torch.log(theta + tiny) - torch.log(mu + tiny))
        - torch.log(torch.sigmoid(-raw[0]) + tiny)
    )
    exponent = -theta * torch.log1p(mu / theta)
    zeros = -torch.log(pi + torch.sigmoid(-raw[0]) * torch.exp(exponent) + tiny)
    return torch.where(values > 0, counted, zeros) + prior * pi**2


def plain(raw, values):
    """Return the summed loss and the gradients in the logits, in float64."""
    logits = torch.as_tensor(raw, dtype=torch.float64).requires_grad_()
    total = plain_loss(logits, torch.as_tensor(values, dtype=torch.float64)).sum()
    total.backward()
    return total.item(), logits.grad.numpy()


def turned(raw, values, engine=None, dtype=torch.float32):
    """Return the summed loss and the gradients of the project's code."""
    matrix = sparse.csr_matrix(values)
    target = ZinbTarget(matrix, dtype=dtype, chunk_rows=len(values), engine=engine)
    own = torch.tensor(raw, dtype=dtype)
    total = target.chunks[0].turn(own, PRIOR, None)
    return float(total), own.numpy()


def kinds(random, shape, kind):
    """Return values that are all zero, all positive, or a third of each kind."""
    values = random.gamma(0.7, 3, shape).astype(np.float32) + np.float32(1e-3)
    share = {"zeros": 0.0, "mixed": 0.3, "positive": 1.0}[kind]
    return values * (random.uniform(size=shape) < share)


@st.composite
def chunks(draw):
    rows, genes = draw(st.integers(1, 4)), draw(st.integers(1, 40))
    most = draw(st.sampled_from([2, 12, 80]))
    element = st.floats(-most, most, width=32)
    raw = draw(arrays.arrays(np.float32, (3, rows, genes), elements=element))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    kind = draw(st.sampled_from(["zeros", "mixed", "positive"]))
    return raw, kinds(random, (rows, genes), kind)


@pytest.mark.parametrize("engine", [None, TORCH], ids=["chosen", "torch"])
@settings(max_examples=60, deadline=None)
@given(chunk=chunks())
def test_value_and_every_gradient_are_those_of_autograd(engine, chunk):
    expected, slopes = plain(*chunk)
    total, gradients = turned(*chunk, engine)
    assert total == pytest.approx(expected, rel=1e-5, abs=1e-9)
    # The torch form takes differences in float32 where the fused one avoids them.
    atol = 1e-9 if engine is None else 2e-6
    np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("kind", ["zeros", "mixed", "positive"])
def test_many_entries_of_every_size_agree_with_autograd(kind):
    random = np.random.default_rng(7)
    shape = (30, 333)
    raw = random.uniform(-25, 25, (3, *shape)).astype(np.float32)
    values = kinds(random, shape, kind)
    expected, slopes = plain(raw, values)
    total, gradients = turned(raw, values)
    assert total == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=1e-9)


def test_the_smallest_theta_and_the_largest_mu_keep_their_digits():
    raw = np.array([[[-5.0] * 4], [[-9.2, -9.2, 80, 80]], [[13.8, -11.5, 13.8, -11.5]]])
    for values in (np.zeros((1, 4)), np.full((1, 4), 0.3), np.full((1, 4), 5000.5)):
        expected, slopes = plain(raw.astype(np.float32), values.astype(np.float32))
        total, gradients = turned(raw, values.astype(np.float32))
        assert total == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(gradients, slopes, rtol=1e-5, atol=1e-9)


def through_decoder(values, latent, decoder, form, dtype=torch.float32, rows=0):
    decoder.zero_grad()
    own = latent.clone().requires_grad_()
    if form == "plain":
        hidden = decoder.body(own)
        heads = (decoder.pi, decoder.theta, decoder.mu)
        raw = torch.stack([head(hidden) for head in heads])
        wanted = torch.as_tensor(values.toarray(), dtype=dtype)
        loss = plain_loss(raw, wanted).mean()
    else:
        target = ZinbTarget(values, dtype=dtype, chunk_rows=rows, engine=form)
        loss = decoder.loss(own, target, PRIOR)
    (3 * loss).backward()
    return loss.item(), [own.grad, *(p.grad.clone() for p in decoder.parameters())]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_genes=st.integers(1, 50),
    rows=st.integers(1, 40),
    spread=st.sampled_from([1.0, 30.0]),
    kind=st.sampled_from(["zeros", "mixed", "positive"]),
)
def test_all_parameters_get_the_gradient_of_autograd(seed, n_genes, rows, spread, kind):
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    values = sparse.csr_matrix(kinds(random, (33, n_genes), kind))
    latent = torch.randn(33, 5)
    decoder = ZinbDecoder(5, 16, n_genes)
    with torch.no_grad():
        for head in (decoder.pi, decoder.theta, decoder.mu):
            head.bias.mul_(spread)
    ours, our_gradients = through_decoder(values, latent, decoder, None, rows=rows)
    exact, double = latent.double(), torch.float64
    theirs, their_gradients = through_decoder(
        values, exact, decoder.double(), "plain", double
    )
    assert ours == pytest.approx(theirs, rel=1e-5)
    whole = torch.cat([gradient.ravel() for gradient in their_gradients]).norm()
    for one, other in zip(our_gradients, their_gradients, strict=True):
        # Batch normalisation takes differences in float32, whoever computes the ZINB.
        bound = 1e-5 * other.norm() + 2e-6 * whole
        assert (one.double() - other).norm() <= bound


def test_the_torch_form_has_the_slopes_of_finite_differences():
    torch.manual_seed(0)
    values = sparse.random(4, 6, 0.4, random_state=0, format="csr")
    target = ZinbTarget(values, dtype=torch.float64, chunk_rows=3)
    assert target.engine.name == "torch"
    decoder = ZinbDecoder(3, 5, 6).double()
    latent = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda z: decoder.loss(z, target, PRIOR), (latent,), eps=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("engine", [None, TORCH], ids=["chosen", "torch"])
def test_a_logit_that_is_no_number_makes_the_loss_no_number(engine):
    for head in range(3):
        raw = np.zeros((3, 2, 9), np.float32)
        raw[head, 1, 4] = np.nan
        for value in (0.0, 1.5):
            values = np.full((2, 9), value, np.float32)
            assert np.isnan(turned(raw, values, engine)[0]), (head, value)


def test_the_same_bits_come_twice_and_with_every_number_of_threads():
    torch.manual_seed(0)
    values = sparse.random(90, 200, 0.2, random_state=0, format="csr")
    latent, decoder = torch.randn(90, 5), ZinbDecoder(5, 8, 200)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 1, 2, 3, 3):
            torch.set_num_threads(threads)
            found.append(through_decoder(values, latent, decoder, None, rows=40))
    finally:
        torch.set_num_threads(before)
    for one, other in ((0, 1), (3, 4)):
        assert found[one][0] == found[other][0]
        assert all(map(torch.equal, found[one][1], found[other][1]))
    for loss, gradients in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-6)
        for one, other in zip(gradients, found[0][1], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_threads_split_a_chunk_without_changing_a_bit(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    random = np.random.default_rng(0)
    values = kinds(random, (41, 70), "mixed")
    raw = random.normal(0, 4, (3, 41, 70)).astype(np.float32)
    alone, own = turned(raw, values)
    chunk = ZinbTarget(sparse.csr_matrix(values), chunk_rows=41).chunks[0]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    with ThreadPoolExecutor(2) as pool:
        shared = torch.tensor(raw)
        assert chunk.turn(shared, PRIOR, pool) == alone
    assert np.array_equal(shared.numpy(), own)


def test_explicit_zeros_are_zeros():
    stored = sparse.csr_matrix(np.array([[1.5, 2.0, 0.0]], np.float32))
    stored.data[1] = 0
    raw = torch.randn(3, 1, 3, generator=torch.manual_seed(0)).numpy()
    expected, _ = plain(raw, stored.toarray())
    for engine in (elementwise_engine(), TORCH):
        target = ZinbTarget(stored, engine=engine)
        total = target.chunks[0].turn(torch.tensor(raw), PRIOR, None)
        assert float(total) == pytest.approx(expected, rel=1e-5)
    assert stored.nnz == 2


def test_the_sum_of_log_factorials_is_exact_for_small_and_huge_values():
    values = np.array([[1e-6, 0.3, 1, 4.5, 20, 3e5, 1e30]], np.float32)
    for column in range(values.shape[1]):
        one = sparse.csr_matrix(values[:, [column]])
        found = ZinbTarget(one).chunks[0].log_factorials
        exact = torch.lgamma(torch.tensor(one.data, dtype=torch.float64) + 1).item()
        assert found == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_sections_are_a_covariate_of_the_reconstruction():
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    decoder = ZinbDecoder(3, 8, 6, n_sections=2)
    latent = torch.randn(20, 3)
    sections = torch.as_tensor(np.tile([0, 1], 10))
    target = ZinbTarget(sparse.csr_matrix(random.poisson(2.0, (20, 6)) * 1.0))
    alone = decoder.loss(latent, target, PRIOR)
    # It starts silent, learns, and is the same in both forms.
    torch.testing.assert_close(decoder.loss(latent, target, PRIOR, sections), alone)
    with torch.no_grad():
        decoder.section.weight[1] = 2.0
    changed = decoder.loss(latent, target, PRIOR, sections)
    assert abs((changed - alone).item()) > 1e-4
    changed.backward()
    assert (decoder.section.weight.grad.abs().sum(dim=1) > 0).all()
    pi, theta, mu = decoder(latent, sections)
    raw = torch.stack([torch.logit(pi), torch.log(torch.expm1(theta)), torch.log(mu)])
    values = torch.as_tensor(random.poisson(2.0, (20, 6)), dtype=torch.float32)
    target = ZinbTarget(sparse.csr_matrix(values.numpy()))
    torch.testing.assert_close(
        decoder.loss(latent, target, PRIOR, sections),
        plain_loss(raw, values).mean(),
        rtol=1e-4,
        atol=1e-4,
    )
