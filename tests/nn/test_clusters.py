"""Clusters that are learnt with the latent."""

from __future__ import annotations

import torch

from napari_semst.nn.clusters import StudentClusters


def blobs():
    torch.manual_seed(0)
    return torch.cat([torch.randn(30, 2) + place for place in (-6.0, 0.0, 6.0)])


def test_centres_begin_where_spots_are_and_are_kept():
    latent, clusters = blobs(), StudentClusters(3, 2)
    clusters.loss(latent, 0)
    found = clusters.centres.detach().sort(dim=0).values
    torch.testing.assert_close(
        found, torch.tensor([[-6.0, -6], [0, 0], [6, 6]]), atol=0.6, rtol=0
    )
    before = clusters.centres.detach().clone()
    clusters.loss(latent + 5, 0)
    assert torch.equal(clusters.centres, before)


def test_the_loss_is_the_divergence_from_the_sharpened_shares():
    latent, clusters = blobs(), StudentClusters(3, 2)
    have = clusters.loss(latent, 0)
    shares = clusters.shares(latent)
    torch.testing.assert_close(shares.sum(1), torch.ones(90))
    target = shares**2 / shares.sum(0)
    target = target / target.sum(1, keepdim=True)
    want = torch.nn.functional.kl_div(shares.log(), target, reduction="batchmean")
    torch.testing.assert_close(have, want)


def test_spots_are_drawn_to_their_centres():
    latent, clusters = blobs().requires_grad_(), StudentClusters(3, 2)
    clusters.loss(latent, 0).backward()
    own = clusters.centres[clusters.shares(latent).argmax(1)]
    towards = (-latent.grad * (own - latent)).sum(1)
    assert (towards > 0).float().mean() > 0.9
