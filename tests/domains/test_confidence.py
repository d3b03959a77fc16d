from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import rankdata

from napari_semst.core import chunks
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.domains import confidence
from napari_semst.domains.confidence import (
    kept_share,
    margin,
    pooled,
    spot_confidence,
)
from napari_semst.domains.mixture import Standardizer, fit_tied, one_hot
from napari_semst.errors import Cancelled
from napari_semst.methods.base import View
from napari_semst.prepare.components import neighbour_average


def strip(seed=0, n_spots=400, centres=(0.0, 5.0, 10.0)):
    """Return the values, places and classes of bands of equal size, side by side."""
    random = np.random.default_rng(seed)
    places = np.column_stack([np.linspace(0, 100, n_spots), random.random(n_spots)])
    classes = np.arange(n_spots) * len(centres) // n_spots
    values = random.normal(size=(n_spots, 4))
    values[:, 0] += np.asarray(centres)[classes]
    return values.astype(np.float32), places, classes.astype(np.int32)


def sure(values, places, codes, *, share=None, smooth=True, seed=0, rounds=1):
    section = SimpleNamespace(
        average=neighbour_average(places, 6), smoothing_rounds=rounds
    )
    share = np.ones(len(codes), np.float32) if share is None else share
    views = (View(values, smooth=smooth),)
    return run_to_end(spot_confidence(views, section, codes, share, seed, RunControl()))


@pytest.mark.parametrize("smooth", [True, False])
def test_spots_put_into_the_wrong_domain_are_less_sure_than_any_other(smooth):
    values, places, codes = strip()
    wrong = np.array([20, 60, 200, 380])
    given = codes.copy()
    given[wrong] = (codes[wrong] + 1) % 3
    found = sure(values, places, given, smooth=smooth, rounds=0)
    right = np.delete(found, wrong)
    assert found[wrong].max() < np.quantile(right, 0.02)


def test_two_domains_that_one_fewer_would_join_are_less_sure():
    # Three domains are given where there are two: the first class is cut in two.
    values, places, classes = strip(centres=(0.0, 0.0, 20.0))
    found = sure(values, places, classes)
    assert np.quantile(found[classes < 2], 0.9) < np.quantile(found[classes == 2], 0.1)


def test_the_share_of_the_consensus_takes_part():
    values, places, codes = strip()
    share = np.full(len(codes), 0.99, np.float32)
    plain = sure(values, places, codes, share=share)
    share[codes == 2] = 0.5
    doubted = sure(values, places, codes, share=share)
    assert doubted[codes == 2].mean() < plain[codes == 2].mean() - 0.05


@pytest.mark.parametrize("n_domains", [1, 2, 3])
def test_confidence_lies_between_0_and_1_and_repeats(n_domains):
    values, places, codes = strip()
    codes = np.minimum(codes, n_domains - 1)
    first, second = (sure(values, places, codes, seed=4) for _ in range(2))
    assert first.shape == codes.shape
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1
    np.testing.assert_array_equal(first, second)


def test_spots_that_are_all_alike_get_one_value():
    _, places, codes = strip()
    found = sure(np.zeros((len(codes), 4), np.float32), places, codes)
    assert np.isfinite(found).all()
    for code in range(3):
        assert np.ptp(found[codes == code]) < 1e-6


def test_a_sample_of_a_large_section_speaks_for_all(monkeypatch):
    values, places, codes = strip(n_spots=1200)
    whole = sure(values, places, codes)
    monkeypatch.setattr(chunks, "FITTED_SPOTS", 300)
    monkeypatch.setattr(chunks, "CHUNK_SPOTS", 500)
    sampled = sure(values, places, codes)
    assert np.corrcoef(whole, sampled)[0, 1] > 0.8


def test_margin_is_a_half_midway_and_1_at_the_own_centre():
    values = np.array([[0.0], [0.1], [9.9], [10.0], [5.0]])
    mixture = fit_tied(values, one_hot(np.array([0, 0, 1, 1, 0]), 2), steps=1)
    units = Standardizer(np.zeros(1), 1.0)
    centres = np.linalg.solve(mixture.white, mixture.centres.T).T
    points = np.vstack([centres, centres.mean(axis=0), centres[:1]])
    codes = np.array([0, 1, 0, 1], np.int32)
    found = margin(mixture, units, points.astype(np.float32), codes)
    np.testing.assert_allclose(found, [1, 1, 0.5, 0], atol=1e-4)


def test_kept_share_is_the_purity_of_the_groups():
    values, _, classes = strip(centres=(0.0, 40.0))
    mixture = fit_tied(values.astype(np.float64), one_hot(classes, 2))
    codes = np.zeros(400, np.int32)
    # A quarter of the first group is of a domain that has the whole second group.
    codes[:50] = 1
    codes[200:] = 1
    units = Standardizer(np.zeros(4), 1.0)
    found = kept_share(mixture, units, values, codes, slice(None))
    np.testing.assert_allclose(found[:50], 0.25, atol=1e-4)
    np.testing.assert_allclose(found[50:200], 0.75, atol=1e-4)
    np.testing.assert_allclose(found[200:], 1.0, atol=1e-4)


def test_pooled_ranks_on_the_scale_of_the_measures():
    low, wide = np.array([0.98, 0.99, 1.0]), np.array([0.6, 0.2, 0.4])
    # Mean ranks 2, 1.5 and 2.5; sorted means 0.59, 0.695 and 0.8.
    np.testing.assert_allclose(pooled([low, wide]), [0.695, 0.59, 0.8], rtol=1e-6)
    np.testing.assert_allclose(pooled([wide, wide]), wide, rtol=1e-6)
    np.testing.assert_allclose(pooled([np.ones(4), np.ones(4)]), 1.0)


def test_equal_spots_are_equally_sure():
    found = pooled([np.array([0.2, 0.2, 0.9]), np.array([0.1, 0.1, 0.5])])
    assert found[0] == found[1] < found[2]


def test_it_can_be_cancelled():
    values, places, codes = strip()
    control = RunControl()
    section = SimpleNamespace(average=neighbour_average(places, 6), smoothing_rounds=1)
    views = (View(values, smooth=True),)
    steps = spot_confidence(views, section, codes, np.ones(400), 0, control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)


def test_equal_measures_share_their_mean_rank():
    measure = np.array([0.3, 0.1, 0.3, 0.3, 0.2, 0.2])
    np.testing.assert_array_equal(confidence._ranks(measure), rankdata(measure))
