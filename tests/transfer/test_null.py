"""Names are told where they say something, and nowhere else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse, stats

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled
from napari_semst.transfer import null
from napari_semst.transfer.estimator import name_spots
from napari_semst.transfer.null import (
    NONE,
    by_runners_up,
    dealt_anew,
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


def test_only_domains_that_nothing_speaks_against_make_up_the_rate(monkeypatch):
    target, asked = layered(range(60, 120), 1), []

    def rates(chance, other, may_be_named):
        asked.append(may_be_named)
        return np.zeros(len(chance))

    monkeypatch.setattr(null, "domain_q_values", rates)
    monkeypatch.setattr(null, "near_best", lambda own: np.arange(len(own)) != 1)
    monkeypatch.setattr(null, "like_enough", lambda own, *_: np.arange(len(own)) != 2)
    codes = np.unique(target.obs["layer"], return_inverse=True)[1]
    found = name_groups(scored(target), codes, N_LAYERS, SETTINGS, RunControl())
    told = run_to_end(found)
    may = ~np.isin(np.arange(N_LAYERS), (1, 2))
    assert (asked[0] == may).all()
    assert ((told.best != NONE) == may).all()


def test_a_name_has_to_explain_enough_of_a_domain_and_all_names_of_the_section():
    own, likeness = np.eye(2), np.array([[0.3, 0.9], [0.9, 0.1]], np.float32)
    assert null.like_enough(own, likeness, 0.5).tolist() == [True, False]
    assert null.like_enough(own, likeness, 0.01).tolist() == [False, False]


def test_a_name_that_says_nothing_of_drawn_genes_wins_no_draw():
    weights, expected = np.ones((2, 30)), np.ones((2, 30))
    weights[0, 0] = weights[1, 2:] = expected[0, 0] = expected[1, 2:] = 0
    # Genes drawn twice as often as what speaks for the second name leave it nothing.
    expected[1, 1] = -0.5
    means = np.full((1, 30), 0.1)
    means[0, 0] = -1
    scores = SimpleNamespace(weights=weights, expected=expected)
    p = by_runners_up(scores, means, means @ weights.T, SETTINGS)
    assert p.tolist() == [1 / (SETTINGS.n_draws + 1)]


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
