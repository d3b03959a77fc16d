"""Two forms of every loss, checked against each other and by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from napari_semst.nn import losses
from napari_semst.nn.losses import SpatialPairs, correlation_loss, spatial_loss
from napari_semst.nn.sparse import SparseOperator
from napari_semst.nn.zinb.decoder import ZinbDecoder, ZinbTarget
from napari_semst.prepare.graphs import nearest_graph
from tests.nn import dense


def section(seed, n_spots=40, n_genes=7, width=5):
    random = np.random.default_rng(seed)
    values = random.poisson(0.7, (n_spots, n_genes)) * random.uniform(0.3, 3)
    latent = torch.as_tensor(random.normal(size=(n_spots, width)))
    graph = nearest_graph(random.uniform(size=(n_spots, 2)), 4)
    return sparse.csr_matrix(values), latent, graph


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), chunk=st.integers(1, 50))
def test_zinb_in_one_pass_equals_autograd(seed, chunk):
    values, latent, _ = section(seed)
    torch.manual_seed(seed)
    decoder = ZinbDecoder(5, 6, 7).double()
    # Push some logits beyond the clamps, where the gradient must vanish.
    with torch.no_grad():
        decoder.mu.bias[0], decoder.theta.bias[1] = 20.0, -15.0
    target = ZinbTarget(values, dtype=torch.float64, chunk_rows=chunk)
    results = []
    for form in ("ours", "plain"):
        decoder.zero_grad()
        own = latent.clone().requires_grad_()
        if form == "ours":
            loss = decoder.loss(own, target, 0.05)
        else:
            wanted = torch.as_tensor(values.toarray())
            loss = dense.zinb(wanted, *decoder(own), 0.05)
        (3 * loss).backward()
        gradients = [own.grad, *(p.grad.clone() for p in decoder.parameters())]
        results.append((loss.item(), gradients))
    (ours, our_gradients), (plain, plain_gradients) = results
    assert ours == pytest.approx(plain, rel=1e-7)
    for one, other in zip(our_gradients, plain_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)


def test_zinb_does_not_touch_its_input():
    values, latent, _ = section(0)
    decoder = ZinbDecoder(5, 6, 7).double()
    before = [p.detach().clone() for p in decoder.parameters()]
    target = ZinbTarget(values, dtype=torch.float64)
    first = decoder.loss(latent, target, 0.05)
    second = decoder.loss(latent, target, 0.05)
    assert first.item() == second.item()
    for one, other in zip(before, decoder.parameters(), strict=True):
        assert torch.equal(one, other)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_linear_spatial_loss_is_near_the_dense_one(seed):
    _, latent, graph = section(seed)
    adjacency = torch.as_tensor(graph.toarray(), dtype=torch.float64)
    values, slopes = [], []
    for form in (
        lambda z: spatial_loss(z, SpatialPairs.of_graph(graph)),
        lambda z: dense.spatial_loss(z, adjacency),
    ):
        own = latent.clone().requires_grad_()
        loss = form(own)
        loss.backward()
        values.append(loss.item())
        slopes.append(own.grad.ravel())
    assert values[0] == pytest.approx(values[1], rel=2e-3)
    assert torch.cosine_similarity(*slopes, dim=0) > 0.995


def test_gradients_by_finite_differences():
    _, latent, graph = section(3, n_spots=8)
    pairs = SpatialPairs.of_graph(graph)
    own = latent.clone().requires_grad_()
    other = latent.flip(0).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: spatial_loss(z, pairs), own)
    assert torch.autograd.gradcheck(correlation_loss, (own, other))
    operator = SparseOperator(graph, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: operator @ z, own)


def test_correlation_loss_of_equal_decorrelated_views_is_zero():
    view = torch.linalg.qr(torch.randn(20, 4, dtype=torch.float64))[0]
    assert correlation_loss(view, view).item() == pytest.approx(0, abs=1e-12)
    assert correlation_loss(view, -view).item() == pytest.approx(4)


def test_the_spatial_gradient_is_the_same_with_every_number_of_threads():
    random = np.random.default_rng(0)
    graph = nearest_graph(random.uniform(size=(600, 2)), 30)
    pairs = SpatialPairs.of_graph(graph)
    values = torch.as_tensor(random.normal(size=(600, 64)), dtype=torch.float32)
    before = torch.get_num_threads()
    gradients = set()
    try:
        torch.set_num_threads(4)
        for _ in range(20):
            latent = values.clone().requires_grad_()
            spatial_loss(latent, pairs).backward()
            gradients.add(latent.grad.numpy().tobytes())
    finally:
        torch.set_num_threads(before)
    assert len(gradients) == 1


def test_edges_without_the_sampled_product_are_the_same(monkeypatch):
    _, latent, graph = section(1)
    pairs = SpatialPairs.of_graph(graph)
    values, slopes = [], []
    for attempt in range(2):
        own = latent.clone().requires_grad_()
        loss = spatial_loss(own, pairs)
        loss.backward()
        values.append(loss.item())
        slopes.append(own.grad)
        if not attempt:
            monkeypatch.setattr(losses, "has_sampled_product", lambda _: False)
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    torch.testing.assert_close(*slopes)
