"""What the image predicts: each fold from the others, and only what it can."""

from __future__ import annotations

from dataclasses import replace

import anndata
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from tests.guided import UNUSABLE, guided, image_of, simulated

from napari_semst.errors import Cancelled
from napari_semst.methods import image_guided_prediction
from napari_semst.methods.image_guided_folds import spatial_folds
from napari_semst.methods.image_guided_inputs import guided_inputs
from napari_semst.methods.image_guided_prediction import (
    ImagePredictor,
    average_of_usable,
    leading_axes,
    projected,
)
from napari_semst.progress import RunControl

EVERY = np.ones(300, bool)


@pytest.fixture(scope="module")
def made():
    section, config = guided()
    inputs = guided_inputs(section, config)
    folds = spatial_folds(inputs, section.coordinates)
    return ImagePredictor(inputs, section, folds), inputs, section


def predicted(predictor, learnt=EVERY):
    return predictor.predict(learnt, RunControl())


def raw(predictor, learnt=EVERY):
    """Return predictions on the components themselves."""
    kept = learnt & predictor.usable
    weights = predictor._weights(kept, RunControl())
    found = np.empty_like(predictor.expression)
    for spots, features in predictor._features(EVERY, RunControl()):
        for fold in np.unique(predictor.folds):
            own = predictor.folds[spots] == fold
            found[spots[own]] = features[own] @ weights[fold]
    return found


def test_a_folds_prediction_is_ridge_regression_on_the_others(made, monkeypatch):
    monkeypatch.setattr(image_guided_prediction, "_PENALTIES", (1.0,))
    predictor, *_ = made
    features = np.vstack([f for _, f in predictor._features(EVERY, RunControl())])
    own = predictor.folds == 1
    others = predictor.usable & ~own
    model = Ridge(alpha=1.0, fit_intercept=False)
    model.fit(features[others], predictor.expression[others])
    np.testing.assert_allclose(
        raw(predictor)[own], model.predict(features[own]), atol=2e-4
    )


def test_each_component_gets_the_penalty_that_predicts_other_folds_best(
    made, monkeypatch
):
    predictor, *_ = made
    usable, truth = predictor.usable, predictor.expression

    def errors(penalties):
        monkeypatch.setattr(image_guided_prediction, "_PENALTIES", penalties)
        return np.square(raw(predictor) - truth)[usable].sum(axis=0)

    each = np.stack([errors((one,)) for one in (0.1, 10.0, 1000.0)])
    np.testing.assert_allclose(errors((0.1, 10.0, 1000.0)), each.min(axis=0), rtol=1e-4)
    # And it is not the same one for all.
    assert len(np.unique(each.argmin(axis=0))) > 1


def test_what_a_fold_expresses_does_not_reach_its_own_prediction(made, monkeypatch):
    _, inputs, section = made
    folds = spatial_folds(inputs, section.coordinates)
    before = ImagePredictor(inputs, section, folds)
    after = ImagePredictor(inputs, section, folds)
    own = folds == 1
    after.expression = before.expression.copy()
    after.expression[own] = after.expression[own][::-1] + 1
    monkeypatch.setattr(image_guided_prediction, "_PENALTIES", (1.0,))
    one, other = raw(before), raw(after)
    assert np.array_equal(one[own], other[own])
    assert not np.allclose(one[~own], other[~own])


def test_spots_without_an_image_or_left_out_teach_nothing(made):
    _, inputs, section = made
    folds = spatial_folds(inputs, section.coordinates)
    learnt = EVERY.copy()
    learnt[100:120] = False
    before = ImagePredictor(inputs, section, folds)
    after = ImagePredictor(inputs, section, folds)
    after.expression = before.expression.copy()
    after.expression[UNUSABLE] += 5
    after.expression[100:120] += 5
    one, other = predicted(before, learnt), predicted(after, learnt)
    assert np.array_equal(one.expected, other.expected)
    assert np.array_equal(one.error, other.error)


def test_an_image_that_tells_layers_predicts_expression(made):
    found = predicted(made[0])
    assert found.width >= 1
    assert found.share[0] > 0.5
    assert (np.diff(found.share) < 0.3).all()
    assert found.expressed.shape == found.expected.shape == (300, found.width)
    assert (found.weights > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_an_image_of_other_spots_predicts_nothing(seed):
    morphology = image_of(simulated())
    order = np.random.default_rng(seed).permutation(300)
    dealt = replace(
        morphology,
        features=morphology.features[order],
        usable=morphology.usable[order],
    )
    section, config = guided(morphology=dealt)
    inputs = guided_inputs(section, config)
    folds = spatial_folds(inputs, section.coordinates)
    found = predicted(ImagePredictor(inputs, section, folds))
    assert found.width == 0
    assert not found.expected.any()
    assert np.array_equal(found.error, found.spread)
    assert not found.weights.any()
    assert found.expressed.shape == (300, 1)


def test_a_single_fold_is_predicted_from_itself(made):
    _, inputs, section = made
    one = ImagePredictor(inputs, section, np.zeros(300, np.intp))
    assert predicted(one).share[0] > predicted(made[0]).share[0]


def test_chunks_change_nothing(made, monkeypatch):
    whole = predicted(made[0])
    monkeypatch.setattr(image_guided_prediction, "_CHUNK_SPOTS", 37)
    parts = predicted(made[0])
    assert whole.width == parts.width
    np.testing.assert_allclose(whole.share, parts.share, atol=1e-4)


def test_a_prediction_is_the_same_each_time_and_can_be_cancelled(made):
    _, inputs, section = made
    folds = spatial_folds(inputs, section.coordinates)
    one, other = (predicted(ImagePredictor(inputs, section, folds)) for _ in "ab")
    for part in range(4):
        assert np.array_equal(one[part], other[part])
    control = RunControl()
    control.cancel()
    with pytest.raises(Cancelled):
        made[0].predict(EVERY, control)


def test_sections_are_centred_one_by_one():
    slides = {"left": simulated()[:170].copy(), "right": simulated()[170:].copy()}
    tissue = anndata.concat(slides, label="slide", uns_merge="first")
    section, config = guided(
        tissue, image_of(simulated()), prepare={"section_key": "slide"}
    )
    inputs = guided_inputs(section, config)
    assert inputs.sections is not None
    folds = spatial_folds(inputs, section.coordinates)
    found = ImagePredictor(inputs, section, folds)
    for one in range(2):
        own = (inputs.sections == one) & inputs.usable
        for values in (found.expression, found.image):
            np.testing.assert_allclose(values[own].mean(axis=0), 0, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 9999), n=st.integers(3, 60), width=st.integers(1, 6),
    wanted=st.integers(1, 8),
)  # fmt: skip
def test_leading_axes_are_principal_axes_of_the_spots_kept(seed, n, width, wanted):
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, width)).astype(np.float32)
    kept = random.random(n) < 0.7
    kept[:2] = True
    values -= values[kept].mean(axis=0)
    variance, axes = leading_axes(values, kept, wanted)
    assert 1 <= len(variance) <= min(width, wanted)
    expected = PCA(svd_solver="full").fit(values[kept].astype(np.float64))
    n_axes = len(variance)
    np.testing.assert_allclose(
        variance,
        expected.explained_variance_[:n_axes] * (kept.sum() - 1) / kept.sum(),
        rtol=1e-3, atol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(
        projected(values, axes)[kept].var(axis=0), variance, rtol=1e-3, atol=1e-5
    )


def test_an_average_hears_usable_spots_alone():
    section, _ = guided()
    usable = EVERY.copy()
    usable[::7] = False
    values = np.where(usable[:, None], 2.0, 1e9).astype(np.float32)
    found = average_of_usable(values, section, usable, 1)
    np.testing.assert_allclose(found[usable], 2.0, rtol=1e-5)
    nobody = average_of_usable(values, section, np.zeros(300, bool), 2)
    assert not nobody.any()
