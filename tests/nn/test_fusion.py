"""Ways to fuse semantics: silent at the start, and able to learn from there."""

from __future__ import annotations

import pytest
import torch

import napari_semst
from napari_semst.nn.fusion import make_fusion

KINDS = ("fsm", "concatenation", "addition", "cross-attention")


@pytest.fixture
def spots():
    torch.manual_seed(0)
    return torch.randn(9, 5), torch.randn(9, 16)


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_start_passes_features_on_to_the_bit(spots, kind):
    features, semantics = spots
    fused = make_fusion(kind, 5, 16).fuse(features, semantics)
    assert torch.equal(fused.features, features)
    assert not fused.modulation.scale.any()
    assert not fused.modulation.shift.any()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_features_as_if_it_were_not_there(spots, kind):
    features, semantics = spots
    features.requires_grad_()
    upstream = torch.randn(9, 5)
    make_fusion(kind, 5, 16).fuse(features, semantics).features.backward(upstream)
    assert torch.equal(features.grad, upstream)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_semantics_says(spots, kind):
    features, semantics = spots
    fusion = make_fusion(kind, 5, 16)
    wanted = semantics[:, :5]
    optimizer = torch.optim.Adam(fusion.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        loss = (fusion.fuse(features, semantics).features - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_done_leads_from_the_features_to_the_fused_ones(spots, kind):
    features, semantics = spots
    fused = make_fusion(kind, 5, 16, silent=False, reduced=3).fuse(features, semantics)
    assert not torch.allclose(fused.features, features)
    torch.testing.assert_close(fused.modulation(features), fused.features)


def test_a_fusion_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="magic"):
        make_fusion("magic", 5, 16)


def test_fsm_is_public_and_attaches_to_any_encoder(spots):
    counts, semantics = spots
    encoder = torch.nn.Linear(5, 3)
    fsm = napari_semst.FSM(latent_dim=3, semantic_dim=16)
    assert torch.equal(fsm(encoder(counts), semantics), encoder(counts))
    alpha, beta = fsm.modulation(semantics)
    assert alpha.shape == beta.shape == (9, 3)
