"""Discordance: what the image contradicts, not what is unusual anyway."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import KDTree
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score

from napari_semst import simulated_discordance
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled
from napari_semst.methods.image_guided.discordance import (
    contradiction,
    fits,
    measure_discordance,
    regional,
    says_more_here,
    surprise,
    without_trend,
)
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.prediction import (
    ImagePredictor,
    Prediction,
    spatial_folds,
)
from napari_semst.morphology.base import Morphology
from tests.guided import UNUSABLE, guided, image_of

EVERY = np.ones(300, bool)


def measured(section, config, control=None):
    inputs = guided_inputs(section, config)
    per_dimension = np.ones((section.n_spots, 3), np.float32)
    return run_to_end(
        measure_discordance(inputs, section, per_dimension, control or RunControl())
    )


def prediction(seed=0, width=2):
    random = np.random.default_rng(seed)
    expressed, expected = random.normal(size=(2, 300, width)).astype(np.float32)
    numbers = (np.full(width, one) for one in (0.25, 1.0, 0.75))
    return Prediction(expressed, expected, *numbers)


def test_contradiction_is_a_log_ratio_of_densities():
    section, _ = guided()
    alone = replace(section, average=section.average * 0)
    alone.average.setdiag(1)
    made = prediction()
    found = contradiction(made, made.expected, alone, EVERY)
    spread, error = np.diag(made.spread), np.diag(made.error)
    expected = [
        multivariate_normal.logpdf(one, [0, 0], spread)
        - multivariate_normal.logpdf(one, mean, error)
        for one, mean in zip(made.expressed, made.expected, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_unusual_expression_contradicts_no_image_that_says_nothing():
    section, _ = guided()
    made = prediction()
    made.expressed[:20] += 30
    # As wide an error as expression is: the image tells nothing.
    blind = made._replace(error=made.spread, expected=np.zeros_like(made.expected))
    assert not contradiction(blind, blind.expected, section, EVERY).any()
    apart = surprise(blind.expressed - blind.expected, blind.error)
    assert apart[:20].min() > 100 * np.median(apart[20:])


def test_a_regional_mean_hears_usable_spots_alone():
    section, _ = guided()
    usable = EVERY.copy()
    usable[::7] = False
    values = np.where(usable, 2.0, 1e9).astype(np.float32)
    found = regional(values, section, usable)
    np.testing.assert_allclose(found[usable], 2.0, rtol=1e-5)
    assert np.isnan(found[~usable]).all()
    values[:] = np.random.default_rng(0).normal(5, 1, 300)
    assert np.nanstd(regional(values, section, usable)) < 0.6 * values.std()


def test_spots_fit_that_are_not_far_above_the_others():
    random = np.random.default_rng(0)
    score = random.normal(-3, 0.3, 400).astype(np.float32)
    score[:20] = 5
    score[20] = np.nan
    score[21] = -50
    fitting = fits(score)
    assert not fitting[:21].any()
    assert fitting[21]
    assert fitting[22:].mean() > 0.97


@pytest.fixture(scope="module")
def planted():
    """Return a section of 1,200 spots, and which of them are planted."""
    tissue = simulated_discordance(1200, 300, image=False, strength="strong")
    return tissue, tissue.obs["discordant"].to_numpy()


@pytest.mark.run
def test_the_planted_region_is_found_and_little_else_called(planted):
    tissue, truth = planted
    # As by default: three draws tell too little of what chance makes.
    stages = {"image_guided": {"permutations": 20}}
    found = measured(*guided(tissue, image_of(tissue), **stages))
    known = np.isfinite(found.contradiction)
    assert roc_auc_score(truth[known], found.contradiction[known]) > 0.97
    called = found.discordant
    assert called[truth].mean() > 0.3
    assert called[~truth].mean() < 0.01
    # The image helps nearly everywhere else.
    assert np.median(found.contradiction[known & ~truth]) < 0
    assert found.n_learnt < known.sum()
    assert (found.predicted > 0.05).all()


@pytest.mark.run
def test_images_of_other_spots_contradict_nothing(planted):
    tissue, _ = planted
    morphology = image_of(tissue)
    order = np.random.default_rng(0).permutation(1200)
    dealt = replace(
        morphology,
        features=morphology.features[order],
        usable=morphology.usable[order],
    )
    found = measured(*guided(tissue, dealt))
    known = dealt.usable
    assert len(found.predicted) == 0
    assert not found.contradiction[known].any()
    assert (found.p_value[known] == 1).all()
    assert not found.discordant.any()
    assert np.isnan(found.contradiction[~known]).all()
    assert not found.surprise[known].any()
    assert found.expressed.shape == (1200, 0)


def fading(tissue, seed):
    """Return features of a stain that fades across the slide, and tells nothing."""
    random = np.random.default_rng(seed)
    places = np.asarray(tissue.obsm["spatial"], float)
    places = (places - places.mean(axis=0)) / np.ptp(places)
    values = (places @ random.normal(0, 1, (2, 1))) * random.normal(0, 1, (1, 8))
    values += random.normal(0, 0.05, values.shape)
    everywhere = np.ones(tissue.n_obs, bool)
    names = tuple(f"feature {n}" for n in range(8))
    return Morphology(
        values.astype(np.float32), names, everywhere, {"background": ~everywhere}
    )


@pytest.mark.slow
def test_an_image_that_only_tells_places_apart_seldom_passes():
    tissue = simulated_discordance(600, 200, image=False, kinds=())
    passed = 0
    for seed in range(12):
        section, config = guided(tissue, fading(tissue, seed))
        inputs = guided_inputs(section, config)
        folds = spatial_folds(inputs, section.coordinates)
        predictor = ImagePredictor(inputs, section, folds)
        passed += run_to_end(says_more_here(predictor, section, inputs, RunControl()))
    # By chance once in twenty times.
    assert passed <= 3


def test_a_trend_across_each_section_is_left_out():
    random = np.random.default_rng(0)
    places = random.uniform(0, 50, (200, 2))
    codes = np.repeat([0, 1], 100)
    own = random.normal(0, 1, (200, 2)).astype(np.float32)
    scaled = places / 50
    trend = (5 * scaled**3).sum(axis=1) * np.where(codes, 1, -2) + 7 * codes
    known = np.arange(200) % 10 > 0
    level = [
        without_trend(values, places, codes, known)
        for values in (own, own + trend[:, None].astype(np.float32))
    ]
    np.testing.assert_allclose(level[0][known], level[1][known], atol=1e-3)
    assert level[0][known].std() > 0.8 * own.std()


@pytest.mark.run
def test_an_image_turned_over_the_slide_predicts_nothing(planted):
    tissue, _ = planted
    morphology = image_of(tissue)
    places = np.asarray(tissue.obsm["spatial"], float)
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    turned = (places - middle) @ np.array([[0, -1], [1, 0]]) + middle
    nearest = KDTree(places).query(turned)[1]
    wrong = replace(
        morphology,
        features=morphology.features[nearest],
        usable=morphology.usable[nearest],
    )
    found = measured(*guided(tissue, wrong))
    assert len(found.predicted) == 0
    assert not found.discordant.any()


@pytest.mark.run
def test_without_a_planted_region_nothing_is_called():
    tissue = simulated_discordance(1200, 300, image=False, kinds=())
    found = measured(*guided(tissue, image_of(tissue)))
    assert len(found.predicted)
    assert found.discordant.sum() <= 12
    p = found.p_value[np.isfinite(found.p_value)]
    assert (p < 0.05).mean() < 0.08


@pytest.mark.run
def test_everything_is_the_same_each_time_and_unknown_without_an_image():
    section, config = guided()
    one, other = measured(section, config), measured(section, config)
    for name in ("contradiction", "surprise", "p_value", "fdr", "expected"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    unknown = np.zeros(300, bool)
    unknown[UNUSABLE] = True
    for name in ("contradiction", "surprise", "p_value", "fdr"):
        assert np.array_equal(np.isnan(getattr(one, name)), unknown), name
    assert not one.discordant[unknown].any()
    assert one.expected.shape[1] > 0
    assert np.isnan(one.expected[unknown]).all()
    assert np.isfinite(one.expected[~unknown]).all()
    assert np.isfinite(one.expressed).all()


@pytest.mark.run
def test_another_seed_draws_other_images():
    section, config = guided()
    training = replace(config.training, seed=1)
    one, other = (
        measured(section, config),
        measured(section, replace(config, training=training)),
    )
    assert not np.array_equal(one.p_value, other.p_value, equal_nan=True)


def test_it_can_be_cancelled():
    section, config = guided()
    control = RunControl()
    steps = measure_discordance(
        guided_inputs(section, config), section, np.ones((300, 3), np.float32), control
    )
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)
