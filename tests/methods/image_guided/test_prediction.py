"""What the image predicts: each fold from the others, and only what it can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from napari_semst import simulated_discordance
from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled
from napari_semst.methods.image_guided import prediction, ridge
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.prediction import ImagePredictor, spatial_folds
from tests.guided import UNUSABLE, guided, image_of, simulated

EVERY = np.ones(300, bool)


@pytest.fixture(scope="module")
def made():
    section, config = guided()
    inputs = guided_inputs(section, config)
    folds = spatial_folds(inputs, section.coordinates)
    return ImagePredictor(inputs, section, folds), inputs, section


def predicted(predictor, learnt=EVERY):
    return predictor.predict(learnt, RunControl())


def raw(predictor):
    """Return predictions of the first partition, on the components themselves."""
    folds = predictor.folds[0]
    (learnt,) = predictor._learn(
        predictor.usable, RunControl(), (0,), predictor.expression
    )
    weights = learnt.weights
    found = np.empty_like(predictor.expression)
    every = np.ones(len(found), bool)
    for spots, features in predictor._features(every, RunControl()):
        for fold in np.unique(folds):
            own = folds[spots] == fold
            found[spots[own]] = features[own] @ weights[fold]
    return found


def test_a_folds_prediction_is_ridge_regression_on_the_others(made, monkeypatch):
    monkeypatch.setattr(ridge, "_PENALTIES", (1.0,))
    predictor, *_ = made
    features = np.vstack([f for _, f in predictor._features(EVERY, RunControl())])
    own = predictor.folds[0] == 1
    others = predictor.usable & ~own
    near = (predictor.folds[0] == 1).astype(float)
    for _ in range(prediction._MARGIN):
        near = np.asarray(made[2].average @ near)
    others &= near == 0
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
        monkeypatch.setattr(ridge, "_PENALTIES", penalties)
        return np.square(raw(predictor) - truth)[usable].sum(axis=0)

    each = np.stack([errors((one,)) for one in (0.1, 10.0, 1000.0)])
    np.testing.assert_allclose(errors((0.1, 10.0, 1000.0)), each.min(axis=0), rtol=1e-4)
    # And it is not the same one for all.
    assert len(np.unique(each.argmin(axis=0))) > 1


def test_what_a_fold_and_its_margin_express_does_not_reach_its_prediction(
    made, monkeypatch
):
    monkeypatch.setattr(ridge, "_PENALTIES", (1.0,))
    _, inputs, section = made
    folds = spatial_folds(inputs, section.coordinates)
    own = folds[0] == 1
    near = np.asarray(section.average @ own.astype(float)) > 0
    assert near.sum() > own.sum() + 20
    before = ImagePredictor(inputs, section, folds)
    after = ImagePredictor(inputs, section, folds)
    after.expression = before.expression.copy()
    after.expression[near] += 3
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


@pytest.fixture(scope="module")
def larger():
    """Return the predictor of 1,200 spots whose image tells layers."""
    tissue = simulated_discordance(1200, 200, image=False, kinds=())
    section, config = guided(tissue, image_of(tissue), image_guided={"folds": 5})
    inputs = guided_inputs(section, config)
    return ImagePredictor(inputs, section, spatial_folds(inputs, section.coordinates))


def test_an_image_that_tells_layers_predicts_expression(larger):
    found = larger.predict(np.ones(1200, bool), RunControl())
    assert found.width >= 2
    assert found.share[0] > 0.5
    assert (np.diff(found.share) <= 0).all()
    assert found.expressed.shape == found.expected.shape == (1200, found.width)
    for part in (found.error, found.spread, found.weights):
        assert part.shape == (found.width,)
        assert (part > 0).all()
    apart = found.expressed - found.expected
    known = larger.usable
    np.testing.assert_allclose(
        found.error, np.square(apart[known]).mean(axis=0), rtol=1e-3
    )


def test_what_is_explained_does_not_depend_on_directions(larger):
    every = np.ones(1200, bool)
    errors = np.square(
        raw(larger)[larger.usable] - larger.expression[larger.usable]
    ).mean(axis=0)
    assert larger.explained(larger.expression, every, RunControl()) == pytest.approx(
        np.maximum(1 - errors, 0).sum(), abs=0.02
    )


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
    assert found.expressed.shape == found.expected.shape == (300, 0)
    assert found.share.shape == found.error.shape == (0,)


def test_images_dealt_elsewhere_explain_less(larger):
    every = np.ones(1200, bool)
    truth = larger.expression
    here = larger.explained(truth, every, RunControl())
    order = np.random.default_rng(0).permutation(1200)
    assert larger.explained(truth, every, RunControl(), order) < 0.2 * here


def test_a_single_fold_is_predicted_from_itself(made):
    _, inputs, section = made
    one = ImagePredictor(inputs, section, np.zeros((1, 300), np.intp))
    assert predicted(one).share[0] > predicted(made[0]).share[0]


def test_predictions_of_partitions_are_averaged(larger, monkeypatch):
    seen = []
    monkeypatch.setattr(
        prediction,
        "best_directions",
        lambda _, expected, *__: seen.append(expected),
    )
    every, folds = np.ones(1200, bool), larger.folds
    larger.predict(every, RunControl())
    untaught = larger._untaught
    for one in range(4):
        monkeypatch.setattr(larger, "folds", folds[[one]])
        monkeypatch.setattr(larger, "_untaught", untaught[one : one + 1])
        larger.predict(every, RunControl())
    np.testing.assert_allclose(seen[0], np.mean(seen[1:], axis=0), atol=1e-4)
    assert not np.allclose(seen[1], seen[2], atol=1e-2)


def test_chunks_change_nothing(made, monkeypatch):
    whole = predicted(made[0])
    monkeypatch.setattr(prediction, "_CHUNK_SPOTS", 37)
    parts = predicted(made[0])
    assert whole.width == parts.width
    np.testing.assert_allclose(whole.share, parts.share, atol=1e-4)


def test_a_prediction_is_the_same_each_time_and_can_be_cancelled(made):
    _, inputs, section = made
    folds = spatial_folds(inputs, section.coordinates)
    one, other = (predicted(ImagePredictor(inputs, section, folds)) for _ in "ab")
    for part in range(5):
        assert np.array_equal(one[part], other[part])
    control = RunControl()
    control.cancel()
    with pytest.raises(Cancelled):
        made[0].predict(EVERY, control)
