"""Names are told where they say something, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse, stats

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled
from napari_semst.transfer.estimator import name_spots
from napari_semst.transfer.null import (
    NONE,
    dealt_anew,
    domain_q_values,
    name_each_spot,
    name_groups,
    near_best,
    strata_of,
)
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.signature import signature_of
from tests.transfer.planted import N_LAYERS, layered, planted

SETTINGS = TransferSettings(n_draws=99)


def scored(target: AnnData):
    signature = run_to_end(signature_of(layered(range(60), 0), "layer", RunControl()))
    found = name_spots([signature], target, planted(2), RunControl(), SETTINGS)
    return run_to_end(found)


def noise(n_spots: int = 400) -> AnnData:
    """Return a section in which nothing is like anything."""
    random = np.random.default_rng(7)
    counts = random.poisson(2.0, size=(n_spots, 60)).astype(np.float32)
    tissue = AnnData(sparse.csr_matrix(counts))
    tissue.var_names = [f"GENE{gene}" for gene in range(60, 120)]
    tissue.obsm["spatial"] = random.random((n_spots, 2)) * 100
    return tissue


def test_names_are_dealt_inside_strata():
    strata = strata_of(np.random.default_rng(0).random(50), 5)
    assert np.bincount(strata).tolist() == [10] * 5
    for order in dealt_anew(strata, 20, np.random.default_rng(1)):
        assert sorted(order) == list(range(50))
        assert (strata[order] == strata).all()


def test_layers_are_named_and_rightly():
    target = layered(range(60, 120), 1)
    found = scored(target)
    names, codes = np.unique(target.obs["layer"], return_inverse=True)
    told = run_to_end(name_groups(found, codes, N_LAYERS, SETTINGS, RunControl()))
    assert [found.labels[one] for one in told.best] == list(names)
    assert (told.q <= 0.1).all()
    spots = run_to_end(name_each_spot(found, SETTINGS, RunControl()))
    called = spots.best != NONE
    assert called.mean() > 0.5
    assert (spots.best[called] == codes[called]).mean() > 0.9


def test_noise_is_none_of_these():
    found = scored(noise())
    codes = np.arange(400) // 50
    told = run_to_end(name_groups(found, codes, 8, SETTINGS, RunControl()))
    assert (told.best == NONE).all()
    spots = run_to_end(name_each_spot(found, SETTINGS, RunControl()))
    assert (spots.best != NONE).mean() <= 0.02
    # Names say nothing here: p-values are those of chance, one spot in some apart.
    assert stats.kstest(spots.p[::20], "uniform").pvalue > 0.001


def test_q_of_domains_is_that_of_chance_and_the_mean_share_of_other_names():
    chance, other = np.full(4, 0.01), np.array([0.3, 0.0, 0.1, 0.3])
    wrong = np.array([0.175, 0.0, 0.05, 0.175])
    assert np.allclose(domain_q_values(chance, other), 0.01 + wrong)
    less_sure = np.array([0.01, 0.02, 0.03, 0.04])
    assert np.allclose(domain_q_values(less_sure, np.zeros(4)), 0.04)
    assert domain_q_values(np.ones(2), np.ones(2)).tolist() == [1, 1]
    assert not len(domain_q_values(np.zeros(0), np.zeros(0)))


def test_a_name_that_another_domain_bears_far_better_is_not_given():
    own = np.array([[4.0, 1.0], [1.9, 1.0], [2.1, 0.5], [0.1, 3.0]])
    assert near_best(own).tolist() == [True, False, True, True]
    assert not len(near_best(np.zeros((0, 2))))


def test_a_cancelled_test_ends():
    found, control = scored(noise(60)), RunControl()
    steps = name_each_spot(found, SETTINGS, control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)
