"""Encoders aligned before training, and domains sharpened after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_semst.core.threads import threads_limited
from napari_semst.errors import ConfigError
from napari_semst.methods.image_guided.minibatch import Alignment, Clustering, target_of
from tests.guided import fitted, guided

# Each trains a network.
pytestmark = pytest.mark.run


@pytest.fixture(autouse=True)
def one_thread():
    with threads_limited(1):
        yield


def test_pairs_that_match_are_told_from_those_that_do_not():
    torch.manual_seed(0)
    alignment, spots = Alignment(6), torch.randn(40, 6)
    with torch.no_grad():
        alignment.image.weight.copy_(alignment.gene.weight)
        alignment.image.bias.copy_(alignment.gene.bias)
    right = alignment(spots, spots)
    assert right < 0.5 * alignment(spots, spots.roll(1, 0))
    torch.testing.assert_close(alignment(spots, spots.flip(0)).mean(), alignment(
        spots.flip(0), spots))  # fmt: skip


def test_assignments_are_those_of_students_t_and_targets_are_sharper():
    random = np.random.default_rng(0)
    centres = random.normal(0, 1, (3, 2)).astype(np.float32)
    latent = torch.as_tensor(random.normal(0, 1, (50, 2)).astype(np.float32))
    clustering = Clustering(centres)
    found = clustering.assignments(latent).detach()
    square = ((latent[:, None] - torch.as_tensor(centres)[None]) ** 2).sum(-1)
    expected = 1 / (1 + square)
    expected = expected / expected.sum(1, keepdim=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    wanted = target_of(found)
    torch.testing.assert_close(wanted.sum(1), torch.ones(50))
    assert wanted.max(1).values.mean() > found.max(1).values.mean()
    assert clustering(latent) > 0


def test_the_stages_come_in_their_order_and_are_counted():
    stages = {"contrastive_epochs": 3, "clustering_epochs": 4}
    section, config = guided(image_guided=stages, training={"epochs": 5})
    one, other = fitted(section, config), fitted(section, config)
    assert one.latent.tobytes() == other.latent.tobytes()
    losses = one.record.losses
    assert one.record.epochs == 12
    assert len(losses["contrastive"]) == 3
    assert len(losses["zinb"]) == len(losses["divergence"]) == 9
    assert np.flatnonzero(losses["clustering"]).tolist() == [5, 6, 7, 8]
    assert np.isfinite(one.latent).all()


def test_an_alignment_brings_the_contrastive_loss_down():
    section, config = guided(
        image_guided={"contrastive_epochs": 25}, training={"epochs": 1}
    )
    losses = fitted(section, config).record.losses["contrastive"]
    # Of 300 spots a guess would have the logarithm of 300.
    assert np.mean(losses[-3:]) < np.log(300) - 0.1


@pytest.mark.parametrize("batch", [0, 100])
def test_without_an_image_there_is_nothing_to_align(batch):
    section, config = guided(
        image=False,
        morphology={"encoder": "none"},
        image_guided={"contrastive_epochs": 3, "clustering_epochs": 2},
        training={"batch_spots": batch},
    )
    losses = fitted(section, config).record.losses
    assert "contrastive" not in losses
    assert len(losses["loss"]) == 4


def test_clustering_needs_the_number_of_domains():
    section, config = guided(image_guided={"clustering_epochs": 2})
    auto = replace(config, domains=replace(config.domains, n_domains=-1))
    with pytest.raises(ConfigError, match="number of domains to be given"):
        fitted(section, auto)
