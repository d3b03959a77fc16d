"""An image beside its spots, and places like no other, told as what they are."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from scipy.spatial import KDTree

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.threads import threads_limited
from napari_semst.errors import Cancelled
from napari_semst.methods.image_guided.discordance import measure_discordance
from napari_semst.methods.image_guided.handling import (
    best_place,
    find_offset,
    is_odd,
    odd_images,
)
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.level_stain import (
    STAIN_TREND,
    without_stain_trend,
)
from napari_semst.methods.image_guided.prediction import ImagePredictor, spatial_folds
from napari_semst.pipeline.warnings import few_spots, handling_warnings
from napari_semst.sample.simulate_discordance import simulated_discordance
from tests.guided import guided, image_of

ANGLES = 2 * np.pi * np.arange(8) / 8
WAYS = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
MOVES = np.vstack([[[0, 0]], 1.5 * WAYS, 3 * WAYS])


def bump(at, seed=0, noise=0.05):
    """Return what is predicted at each offset, most at one of them."""
    apart = np.linalg.norm(MOVES - at, axis=1)
    chance = np.random.default_rng(seed).normal(0, noise, len(MOVES))
    return 1 - 0.06 * apart**2 + chance


def test_the_offset_is_found_where_most_is_predicted():
    found = best_place(bump(np.array([3.0, 0.0])), MOVES, 50.0)
    assert (found.x, found.y) == pytest.approx((150, 0), abs=1e-6)
    assert found.pitches == pytest.approx(3)
    assert found.gain > 1.12


def test_an_offset_across_thin_layers_is_found_in_its_direction_alone():
    explained = np.where(np.abs(MOVES @ [1.0, 0.0]) < 0.1, 1.0, 0.4)
    # Both distances that way predict more than where the image lies.
    explained[[7, 15]] = 1.4, 1.3
    found = best_place(explained, MOVES, 50.0)
    assert (found.x, found.y) == pytest.approx((0, -75), abs=1e-6)
    assert found.gain == pytest.approx(1.4)
    explained[15] = 0.9
    assert best_place(explained, MOVES, 50.0) is None


@pytest.mark.parametrize("seed", range(8))
def test_an_image_that_lies_right_is_not_moved_by_chance(seed):
    assert best_place(bump(np.zeros(2), seed), MOVES, 50.0) is None
    # Along a layer all places predict about as much.
    flat = 1 - 0.06 * MOVES[:, 0] ** 2
    flat += np.random.default_rng(seed).normal(0, 0.05, len(MOVES))
    assert best_place(flat, MOVES, 50.0) is None
    assert best_place(np.zeros(len(MOVES)), MOVES, 50.0) is None


@pytest.fixture(scope="module")
def section():
    """A section of 1,500 spots whose image tells layers."""
    tissue = simulated_discordance(1500, 200, image=False, kinds=())
    image = image_of(tissue)
    return guided(tissue, image)


def discordance(part, config):
    with threads_limited(1):
        inputs = guided_inputs(part, config)
        none = np.zeros((part.n_spots, 1), np.float32)
        return run_to_end(measure_discordance(inputs, part, none, RunControl()))


def test_an_image_beside_its_spots_is_told_and_nothing_called(section):
    part, config = section
    places = part.coordinates
    tree = KDTree(places)
    pitch = float(np.median(tree.query(places, k=2)[0][:, 1]))
    moved = places + np.array([0.0, 2.5 * pitch])
    given = tree.query(moved)[1]
    image = part.morphology
    beside = replace(image, features=image.features[given])
    usable = image.usable[given]
    beside = replace(beside, usable=usable, flags={"background": ~usable})
    found = discordance(replace(part, morphology=beside), config)
    assert found.offset is not None
    # Each spot got the image from below: what fits it lies above.
    assert found.offset.y < 0
    assert not found.discordant.any()
    assert not len(found.predicted)
    said = few_spots(Holder(found))
    assert len(said) == 1
    assert "lie beside its spots" in said[0]
    assert discordance(part, config).offset is None


def test_an_image_of_something_else_is_not_said_to_lie_beside(section):
    """Where next to nothing is predicted, some places predict several times that."""
    part, config = section
    own = part.morphology
    chance = np.random.default_rng(1).normal(0, 1, own.features.shape)
    other = replace(own, features=chance.astype(np.float32))
    found = discordance(replace(part, morphology=other), config)
    assert found.offset is None
    assert not len(found.predicted)
    assert "does not reliably predict any expression" in few_spots(Holder(found))[0]


class Holder:
    """What warnings read of a fit."""

    def __init__(self, discordance):
        self.discordance = discordance


def test_a_search_that_is_given_up_moves_no_image(section, monkeypatch):
    part, config = section
    control = RunControl()
    with threads_limited(1):
        inputs = guided_inputs(part, config)
        folds = spatial_folds(inputs, part.coordinates)
        predictor = ImagePredictor(inputs, part, folds)
    control.cancel()
    monkeypatch.setattr(predictor, "explained", lambda *_: pytest.fail("went on"))
    steps = find_offset(predictor, predictor.expression, part, inputs, control, None)
    with pytest.raises(Cancelled):
        next(steps)


def test_a_place_that_looks_like_no_other_is_odd(section):
    part, config = section
    middle = part.coordinates.mean(axis=0)
    near = np.argsort(((part.coordinates - middle) ** 2).sum(axis=1))[:40]
    features = part.morphology.features.copy()
    features[near] += 12 * np.array([1, -1, 1, -1, 1, -1])
    image = replace(part.morphology, features=features)
    oddness = {}
    for name, one in (("plain", part.morphology), ("odd", image)):
        made = replace(part, morphology=one)
        with threads_limited(1):
            inputs = guided_inputs(made, config)
            folds = spatial_folds(inputs, made.coordinates)
            predictor = ImagePredictor(inputs, made, folds)
            oddness[name] = odd_images(predictor, made, inputs)
    assert is_odd(oddness["odd"], near)
    assert not is_odd(oddness["plain"], near)
    rest = np.setdiff1d(np.arange(part.n_spots), near)
    assert not is_odd(oddness["odd"], rest)
    assert np.isnan(oddness["odd"][~part.morphology.usable]).all()


def test_regions_set_aside_are_warned_of():
    aside = (SimpleNamespace(spots=np.arange(45)),)
    found = SimpleNamespace(aside=aside, stain_trend=0.0)
    said = handling_warnings(SimpleNamespace(discordance=found))
    assert "45 spots" in said[0]
    assert "not called" in said[0]
    assert handling_warnings(SimpleNamespace(discordance=None)) == []


def test_a_stain_that_fades_is_levelled_and_anatomy_is_not():
    random = np.random.default_rng(0)
    places = np.column_stack([np.arange(900) % 30, np.arange(900) // 30]) * 10.0
    layer = (places[:, 1] // 50).astype(int)
    expression = (layer[:, None] == np.arange(1, 6)) + random.normal(0, 0.1, (900, 5))
    image = 2.0 * layer[:, None] + random.normal(0, 0.5, (900, 4))
    whole, usable = np.zeros(900, np.int64), np.ones(900, bool)
    usable[:7] = False

    def regional(values):
        grid = values.reshape(30, 30, -1)
        return uniform_filter(grid, (5, 5, 0)).reshape(values.shape)

    asked = expression.astype(np.float32), places, whole, usable, regional
    image = image.astype(np.float32)
    same, share = without_stain_trend(image, *asked)
    assert same is image
    assert share < 0.02
    faded = image + 0.05 * places[:, :1].astype(np.float32)
    level, share = without_stain_trend(faded, *asked)
    assert share > STAIN_TREND
    left = np.corrcoef(level[usable, 0], places[usable, 0])[0, 1]
    assert abs(left) < 0.1 < np.corrcoef(faded[usable, 0], places[usable, 0])[0, 1]
    # Layers are as far apart as they were.
    apart = [level[usable & (layer == one), 0].mean() for one in range(6)]
    np.testing.assert_allclose(np.diff(apart), 2, atol=0.3)
    found = SimpleNamespace(aside=(), stain_trend=share)
    (said,) = handling_warnings(SimpleNamespace(discordance=found))
    assert "stain changes across the slide" in said


@pytest.mark.parametrize("along", [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
def test_spots_along_a_line_are_levelled_along_it(along):
    random = np.random.default_rng(0)
    step = np.linspace(0, 1, 400)
    places = step[:, None] * np.array(along)
    expression = random.normal(0, 1, (400, 3)).astype(np.float32)
    image = random.normal(0, 0.1, (400, 2)) + 3 * step[:, None]
    level, share = without_stain_trend(
        image.astype(np.float32), expression, places, np.zeros(400, np.int64),
        np.ones(400, bool), lambda values: values,
    )  # fmt: skip
    tied = abs(np.corrcoef(level[:, 0], step)[0, 1])
    assert (share > STAIN_TREND) == (tied < 0.1) == (sum(along) > 0)
