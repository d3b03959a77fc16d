"""The image-guided network: divergence, decoder, and the ZINB the right way round."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse
from torch.distributions import Normal as TorchNormal
from torch.distributions import kl_divergence

from napari_semst.config import ImageGuidedConfig
from napari_semst.methods.image_guided.minibatch import annealed, count_moments
from napari_semst.methods.image_guided.network import (
    CountDecoder,
    Head,
    ImageGuidedNetwork,
    Normal,
    divergence,
)
from napari_semst.nn.graph_attention import AttentionGraph
from napari_semst.nn.zinb.decoder import ZinbDecoder, ZinbTarget
from tests.nn.zinb.test_decoder import plain_loss

SMALL = ImageGuidedConfig(hidden_dim=8, latent_dim=3, num_heads=2)


def some_normals():
    values = arrays.arrays(
        np.float64, (4, 2, 3), elements=st.floats(-8, 4, allow_subnormal=False)
    )
    return values.map(torch.as_tensor)


@settings(max_examples=50, deadline=None)
@given(values=some_normals())
def test_the_divergence_is_that_of_torch(values):
    posterior, prior = Normal(values[0], values[1]), Normal(values[2], values[3])
    expected = kl_divergence(
        TorchNormal(values[0], (values[1] / 2).exp()),
        TorchNormal(values[2], (values[3] / 2).exp()),
    )
    found = divergence(posterior, prior)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert (found >= -1e-12).all()


def test_equal_distributions_do_not_diverge_and_direction_counts():
    one = Normal(torch.randn(5, 2), torch.randn(5, 2))
    assert divergence(one, one).abs().max() < 1e-6
    narrow, wide = (Normal(torch.zeros(1), torch.tensor([v])) for v in (-2.0, 2.0))
    assert divergence(wide, narrow) > 5 * divergence(narrow, wide)


def test_a_draw_has_the_mean_and_the_variance():
    torch.manual_seed(0)
    sample = Normal(torch.full((20_000,), 3.0), torch.full((20_000,), -2.0)).sample()
    assert sample.mean() == pytest.approx(3.0, abs=0.02)
    assert sample.var() == pytest.approx(np.exp(-2.0), rel=0.05)


def test_variances_stay_within_bounds_that_are_finite():
    head = Head(2, 4, 3, 1)
    features = torch.tensor([[1e4, -1e4], [-1e4, 1e4]])
    found = head(features, AttentionGraph(sparse.csr_matrix(np.ones((2, 2)))))
    assert found.log_variance.min() >= -8
    assert found.log_variance.max() <= 4


@pytest.mark.parametrize("pi", [0.4, 0.1])
def test_the_share_of_dropout_is_found_and_not_its_complement(pi):
    random, n_spots, n_genes = np.random.default_rng(0), 4000, 4
    mu, theta = np.array([4.0, 6.0, 8.0, 10.0]), 4.0
    counts = random.negative_binomial(theta, theta / (theta + mu), (n_spots, n_genes))
    counts = counts * (random.random(counts.shape) >= pi)
    torch.manual_seed(0)
    decoder = ZinbDecoder(1, 1, n_genes)
    biases = [head.bias for head in (decoder.pi, decoder.theta, decoder.mu)]
    target = ZinbTarget(sparse.csr_matrix(counts.astype(np.float32)))
    latent = torch.zeros(n_spots, 1)
    search = torch.optim.LBFGS(biases, max_iter=60, line_search_fn="strong_wolfe")

    def loss():
        search.zero_grad()
        value = decoder.loss(latent, target, 0.0)
        value.backward()
        return value

    search.step(loss)
    found, dispersion, mean = (p[0].detach().numpy() for p in decoder(latent))
    np.testing.assert_allclose(found, pi, atol=0.05)
    np.testing.assert_allclose(mean, mu, rtol=0.1)
    np.testing.assert_allclose(dispersion, theta, rtol=0.35)


def test_the_library_factor_is_heard_by_the_mean_alone():
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    counts = random.poisson(2.0, (30, 7)).astype(np.float32)
    library = torch.as_tensor(random.normal(0, 1, 30).astype(np.float32))
    decoder, latent = ZinbDecoder(3, 8, 7), torch.randn(30, 3)
    target = ZinbTarget(sparse.csr_matrix(counts), chunk_rows=11)

    def gradients(loss):
        decoder.zero_grad()
        loss.backward()
        return [p.grad.clone() for p in decoder.parameters()]

    hidden = decoder.body(latent)
    raw = torch.stack([h(hidden) for h in (decoder.pi, decoder.theta, decoder.mu)])
    shifted = torch.stack([raw[0], raw[1], raw[2] + library[:, None]])
    expected = plain_loss(shifted, torch.as_tensor(counts), prior=0.0).mean()
    found = decoder.loss(latent, target, 0.0, log_factor=library)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients(found), gradients(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    without, with_factor = decoder(latent), decoder(latent, log_factor=library)
    assert all(map(torch.equal, without[:2], with_factor[:2]))
    torch.testing.assert_close(with_factor[2], without[2] * library.exp()[:, None])


def test_the_decoder_starts_at_the_means_and_dispersions_of_genes():
    random = np.random.default_rng(0)
    mu = np.array([0.5, 4.0, 30.0])
    counts = random.negative_binomial(2.0, 2.0 / (2.0 + mu), (4000, 3))
    counts[:, 0] = counts[:, 0] > 0
    mean, dispersion = count_moments(sparse.csr_matrix(counts.astype(np.float32)))
    np.testing.assert_allclose(mean, counts.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(dispersion[1:], 2.0, rtol=0.2)
    assert dispersion[0] == 20.0
    decoder = CountDecoder(2, 8, 3, 0)
    decoder.start_at(torch.as_tensor(mean), torch.as_tensor(dispersion))
    torch.manual_seed(0)
    pi, theta, started = (p.detach() for p in decoder(torch.randn(500, 2)))
    np.testing.assert_allclose(started.mean(0), mean, rtol=0.15)
    np.testing.assert_allclose(theta.mean(0), dispersion, rtol=0.15)
    assert pi.max() < 0.1


def test_a_gene_that_is_never_seen_has_finite_moments():
    counts = sparse.csr_matrix(np.array([[0, 2.0], [0, 2.0], [0, 2.0]]))
    mean, dispersion = count_moments(counts)
    assert (mean > 0).all()
    assert np.isfinite(dispersion).all()


def test_the_loss_of_counts_is_a_sum_over_genes_of_the_mean_over_spots():
    decoder, latent = CountDecoder(2, 8, 5, 0), torch.randn(9, 2)
    target = ZinbTarget(sparse.csr_matrix(np.ones((9, 5), np.float32)))
    nothing = torch.zeros(9)
    torch.testing.assert_close(
        decoder.count_loss(latent, target, nothing),
        5 * decoder.loss(latent, target, 0.0),
    )


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 50, {0: 0.0, 25: 0.5, 50: 1.0, 99: 1.0}),
        (10, 20, {0: 0.0, 10: 0.0, 15: 0.5, 20: 1.0}),
        (0, 0, {0: 1.0, 5: 1.0}),
        (9, 3, {0: 0.0, 2: 0.0, 3: 1.0}),
    ],
)
def test_the_weight_of_the_divergence_rises_linearly(start, end, expected):
    settings = ImageGuidedConfig(
        kl_annealing_start=start, kl_annealing_end=end, kl_weight_max=2.0
    )
    found = {epoch: annealed(epoch, settings) for epoch in expected}
    assert found == {epoch: pytest.approx(2 * part) for epoch, part in expected.items()}


def network(**settings):
    torch.manual_seed(0)
    config = ImageGuidedConfig(
        hidden_dim=8, latent_dim=3, num_heads=2, dropout=0.0, **settings
    )
    found = ImageGuidedNetwork(6, 10, 4, config, 0).eval()
    graph = AttentionGraph(sparse.csr_matrix(np.ones((5, 5))))
    return found, torch.randn(5, 6), torch.randn(5, 4), graph


@pytest.mark.parametrize("reads", [False, True])
def test_who_reads_the_image_and_who_reads_expression(reads):
    one, expression, image, graph = network(posterior_reads_image=reads)
    posterior, prior = one(expression, image, graph)
    moved, same = one(expression, image + 1, graph)
    assert torch.equal(posterior.mean, moved.mean) is not reads
    assert not torch.equal(prior.mean, same.mean)
    # The prior never sees expression.
    _, again = one(expression + 1, image, graph)
    assert torch.equal(prior.mean, again.mean)


def test_a_shared_image_encoder_is_one_and_else_there_are_two():
    shared, *_ = network(posterior_reads_image=True, shared_image_encoder=True)
    apart, *_ = network(posterior_reads_image=True)
    assert shared.image is shared.prior.image
    assert apart.image is not apart.prior.image
    named = dict(shared.named_parameters())
    assert not any(name.startswith("image.") for name in named) or not any(
        name.startswith("prior.image.") for name in named
    )


def test_without_an_image_the_prior_is_a_standard_normal():
    one = ImageGuidedNetwork(6, 10, 0, SMALL, 0)
    graph = AttentionGraph(sparse.eye(5, format="csr"))
    _, prior = one(torch.randn(5, 6), None, graph)
    assert prior.mean.abs().max() == 0
    assert prior.log_variance.abs().max() == 0
