"""What calibrates discordance: folds, priors that never saw a spot, and the null."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from tests.guided import UNUSABLE, guided

from napari_semst.methods import image_guided_folds
from napari_semst.methods.image_guided_discordance import (
    MOST_NATS,
    CrossFit,
    above,
    bounded,
    donors,
    expression_clusters,
    false_discovery_rate,
    inliers,
    regional,
)
from napari_semst.methods.image_guided_folds import cross_fitted, spatial_folds
from napari_semst.methods.image_guided_inputs import attention_graph, guided_inputs
from napari_semst.methods.image_guided_problem import GuidedProblem
from napari_semst.progress import RunControl, exhaust
from napari_semst.threads import threads_limited

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few_epochs(monkeypatch):
    monkeypatch.setattr(image_guided_folds, "_EPOCHS", 3)
    monkeypatch.setattr(image_guided_folds, "_WIDTH", 8)
    with threads_limited(1):
        yield


def asked(folds, usable, seed=0):
    config = SimpleNamespace(
        image_guided=SimpleNamespace(folds=folds), training=SimpleNamespace(seed=seed)
    )
    return SimpleNamespace(config=config, usable=usable)


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_folds_are_balanced_and_the_same_each_time(folds):
    places = np.random.default_rng(0).uniform(0, 1, (600, 2))
    usable = np.random.default_rng(1).random(600) < 0.9
    found = spatial_folds(asked(folds, usable), places)
    assert np.array_equal(found, spatial_folds(asked(folds, usable), places))
    sizes = np.bincount(found[usable], minlength=folds)
    assert len(sizes) == folds
    assert sizes.min() > 0.7 * sizes.max()


def test_folds_are_few_connected_pieces():
    section, config = guided()
    graph, _ = attention_graph(section, config.image_guided)
    found = spatial_folds(guided_inputs(section, config), section.coordinates)
    for fold in range(3):
        own = found == fold
        n_pieces, _ = connected_components(graph[own][:, own])
        # Pieces of a fold, five of them, may touch each other.
        assert 1 <= n_pieces <= 5


def test_no_fold_holds_all_usable_spots_however_few_there_are():
    places = np.random.default_rng(0).uniform(0, 1, (500, 2))
    usable = np.zeros(500, bool)
    usable[np.linalg.norm(places, axis=1).argsort()[:10]] = True
    found = spatial_folds(asked(5, usable), places)
    assert np.bincount(found[usable]).max() <= 6
    assert found.shape == (500,)


@pytest.fixture(scope="module")
def trained():
    section, config = guided()
    inputs = guided_inputs(section, config)
    with threads_limited(1):
        torch.manual_seed(0)
        problem = GuidedProblem(inputs, CPU, 0)
        found = exhaust(problem.distributions(RunControl()))
    return section, problem, found.posterior


def priors_of(problem, posterior, folds):
    return exhaust(cross_fitted(problem, posterior, folds, RunControl()))


def said(problem, prior, spots):
    with torch.no_grad():
        return torch.cat(prior(*problem.image_of(spots)))


def test_what_a_fold_expresses_does_not_reach_its_own_prior(trained):
    section, problem, posterior = trained
    folds = spatial_folds(problem.inputs, section.coordinates)
    own = folds == 1
    changed = tuple(values.copy() for values in posterior)
    for values in changed:
        values[own] = values[own][::-1] + 1
    before = priors_of(problem, posterior, folds)
    after = priors_of(problem, changed, folds)
    spots = np.flatnonzero(own)
    assert torch.equal(said(problem, before[1], spots), said(problem, after[1], spots))
    for other in (0, 2):
        there = np.flatnonzero(folds == other)
        assert not torch.equal(
            said(problem, before[other], there), said(problem, after[other], there)
        )


def test_spots_without_a_usable_image_teach_no_prior(trained):
    section, problem, posterior = trained
    folds = spatial_folds(problem.inputs, section.coordinates)
    changed = tuple(values.copy() for values in posterior)
    for values in changed:
        values[UNUSABLE] += 3
    every = np.arange(300)
    for one, other in zip(
        priors_of(problem, posterior, folds),
        priors_of(problem, changed, folds),
        strict=True,
    ):
        assert torch.equal(said(problem, one, every), said(problem, other, every))


def test_with_one_fold_all_spots_teach_its_prior(trained):
    _, problem, posterior = trained
    (prior,) = priors_of(problem, posterior, np.zeros(300, np.intp))
    assert torch.isfinite(said(problem, prior, np.arange(300))).all()


def test_large_folds_learn_from_samples(trained, monkeypatch):
    monkeypatch.setattr(image_guided_folds, "_BATCH_SPOTS", 40)
    section, problem, posterior = trained
    folds = spatial_folds(problem.inputs, section.coordinates)
    one, other = (priors_of(problem, posterior, folds)[0] for _ in "ab")
    every = np.arange(300)
    assert torch.equal(said(problem, one, every), said(problem, other, every))


@pytest.mark.parametrize("reads", [False, True])
def test_another_image_is_heard_by_all_that_read_it(reads):
    section, config = guided(image_guided={"posterior_reads_image": reads})
    torch.manual_seed(0)
    problem = GuidedProblem(guided_inputs(section, config), CPU, 0)
    found = exhaust(problem.distributions(RunControl())).posterior
    folds = spatial_folds(problem.inputs, section.coordinates)
    priors = priors_of(problem, found, folds)
    other = np.arange(300)[::-1].copy()
    fit = CrossFit(problem, folds, priors)
    own, first = fit.measure(), fit.measure(other)
    again = CrossFit(problem, folds, priors).measure(other)
    assert np.array_equal(first.per_dimension, again.per_dimension)
    assert not np.array_equal(first.per_dimension, own.per_dimension)
    assert np.array_equal(fit.measure().per_dimension, own.per_dimension)


def test_widening_makes_errors_as_large_as_the_priors_say(trained):
    section, problem, posterior = trained
    folds = spatial_folds(problem.inputs, section.coordinates)
    fit = CrossFit(problem, folds, priors_of(problem, posterior, folds))
    narrow = fit.measure().per_dimension
    fit.calibrate()
    known = problem.inputs.usable
    # What is widened by the most likely factor diverges least in the mean.
    best = fit.measure().per_dimension[known].mean()
    assert best <= narrow[known].mean() + 1e-5
    for other in (-0.3, 0.3):
        fit.widening = fit.widening + np.float32(other)
        assert fit.measure().per_dimension[known].mean() > best
        fit.widening = fit.widening - np.float32(other)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(1, 80), groups=st.integers(1, 9))
def test_images_stay_in_clusters_and_come_from_usual_spots(seed, n, groups):
    random = np.random.default_rng(seed)
    clusters = random.integers(-1, groups, n)
    usual = random.random(n) < 0.5
    found = donors(clusters, usual, random)
    giving = np.unique(clusters[usual & (clusters >= 0)])
    asked = np.isin(clusters, giving)
    assert np.array_equal(clusters[found], clusters)
    assert usual[found[asked]].all()
    assert np.array_equal(found[~asked], np.flatnonzero(~asked))


def test_every_usual_spot_of_a_cluster_is_drawn_alike():
    clusters = np.zeros(4, np.intp)
    usual = np.array([True, False, True, True])
    random = np.random.default_rng(0)
    drawn = [donors(clusters, usual, random) for _ in range(1500)]
    counts = np.bincount(np.concatenate(drawn), minlength=4)
    assert counts[1] == 0
    np.testing.assert_allclose(counts[usual] / counts.sum(), 1 / 3, atol=0.02)


def test_the_rank_among_the_null_counts_ties_and_itself():
    null = np.array([1, 2, 2, 3], np.float32)
    score = np.array([0, 1, 2, 2.5, 3, 4], np.float32)
    np.testing.assert_allclose(
        above(score, null), np.array([5, 5, 4, 2, 2, 1]) / 5, rtol=1e-6
    )


def test_p_values_of_the_null_itself_are_uniform():
    random = np.random.default_rng(0)
    p = above(random.normal(size=4000), random.normal(size=4000))
    for share in (0.05, 0.5, 0.9):
        assert (p <= share).mean() == pytest.approx(share, abs=0.03)


def test_false_discovery_rates_are_those_of_known_spots_alone():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5, np.nan], np.float32)
    found = false_discovery_rate(p)
    assert np.array_equal(np.isnan(found), np.isnan(p))
    np.testing.assert_allclose(
        found[[0, 3, 2, 4]], [0.04, 0.16 / 3, 0.16 / 3, 0.5], rtol=1e-5
    )
    assert np.isnan(false_discovery_rate(np.full(3, np.nan, np.float32))).all()


def test_one_dimension_adds_no_more_than_its_bound():
    values = np.array([[0.5, 0.25, 100.0], [1.0, 1.0, 1.0]], np.float32)
    np.testing.assert_allclose(bounded(values), [0.75 + MOST_NATS, 3.0])


def test_a_regional_mean_hears_usable_spots_alone():
    section, _ = guided()
    usable = np.ones(300, bool)
    usable[::7] = False
    values = np.where(usable, 2.0, 1e9).astype(np.float32)
    found = regional(values, section, usable)
    np.testing.assert_allclose(found[usable], 2.0, rtol=1e-5)
    assert np.isnan(found[~usable]).all()
    values[:] = np.random.default_rng(0).normal(5, 1, 300)
    assert np.nanstd(regional(values, section, usable)) < 0.6 * values.std()


def test_usual_spots_are_those_that_are_not_far_above_the_others():
    random = np.random.default_rng(0)
    score = np.exp(random.normal(0, 0.3, 400)).astype(np.float32)
    score[:20] = 50
    score[20] = np.nan
    score[21] = 1e-9
    usual = inliers(score)
    assert not usual[:21].any()
    assert usual[21]
    assert usual[22:].mean() > 0.97


def test_clusters_are_of_expression_and_small():
    section, _ = guided()
    expressed = section.average @ section.components(0).root
    usable = np.ones(300, bool)
    usable[UNUSABLE] = False
    found = expression_clusters(expressed, usable, 0)
    assert np.array_equal(found, expression_clusters(expressed, usable, 0))
    assert (found[~usable] == -1).all()
    assert (found[usable] >= 0).all()
    assert 15 < len(np.unique(found[usable])) <= 29
