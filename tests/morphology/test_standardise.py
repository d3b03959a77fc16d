"""Image features on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.morphology.base import Morphology
from napari_semst.morphology.standardise import standardise_morphology


def some(features, usable=None):
    usable = np.ones(len(features), bool) if usable is None else usable
    names = tuple(map(str, range(features.shape[1])))
    features = features.astype(np.float32)
    return Morphology(features, names, usable, {"outside": ~usable})


def test_medians_are_zero_and_the_spread_is_one():
    random = np.random.default_rng(0)
    found = standardise_morphology(
        some(random.normal([5, -100, 1e4], [1, 20, 3], (800, 3)))
    )
    assert found.dtype == np.float32
    assert np.abs(np.median(found, axis=0)).max() < 1e-3
    assert np.allclose(found.std(axis=0), 1, atol=0.1)


def test_outliers_and_unusable_spots_move_nothing():
    values = np.random.default_rng(1).normal(size=(100, 2))
    wild = values.copy()
    wild[0] = 1e6
    usable = np.arange(100) != 1
    wild[1] = np.nan
    found = standardise_morphology(some(wild, usable))
    assert np.array_equal(found[0], [5, 5])
    assert np.array_equal(found[1], [0, 0])
    plain = standardise_morphology(some(values))
    assert np.abs(found[2:] - plain[2:]).max() < 0.2


def test_constant_features_go_and_rare_ones_stay():
    values = np.random.default_rng(2).normal(size=(60, 3))
    values[:, 1] = 0.1
    values[:, 2] = 0
    values[:3, 2] = 1.0
    found = standardise_morphology(some(values))
    assert found.shape == (60, 2)
    assert (found[:3, 1] > 3).all()


def test_too_few_spots_or_nothing_that_differs_is_refused():
    values = np.random.default_rng(3).normal(size=(30, 2))
    with pytest.raises(InputError, match=r"5 of 30 \(outside 25\)"):
        standardise_morphology(some(values, np.arange(30) < 5))
    with pytest.raises(InputError, match="all are the same"):
        standardise_morphology(some(np.ones((30, 2))))
