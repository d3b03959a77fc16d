"""Regions of evidence against those that chance makes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.ndimage import gaussian_filter

from napari_semst.methods.image_guided import discordance
from napari_semst.methods.image_guided.members import called_kinds, spot_rate
from napari_semst.methods.image_guided.regions import (
    Evidence,
    RegionFound,
    among_themselves,
    chances_false,
    expected_by_chance,
    find_regions,
    pieces_of,
    region_numbers,
)

SIDE = 30


def touching():
    line = sparse.diags([1.0, 1.0], [-1, 1], shape=(SIDE, SIDE))
    one = sparse.identity(SIDE)
    return sparse.csr_matrix(sparse.kron(line, one) + sparse.kron(one, line))


def field(random):
    values = gaussian_filter(random.normal(0, 1, (SIDE, SIDE)), 1.5)
    return (values / values.std()).astype(np.float32).ravel()


def evidence(seed, lift=0.0, rows=slice(5, 12)):
    random = np.random.default_rng(seed)
    null = np.stack([field(random) for _ in range(20)])
    score = field(random).reshape(SIDE, SIDE)
    score[rows, 5:12] += lift
    return Evidence(score.ravel(), null)


def test_pieces_are_spots_above_the_limit_that_touch():
    score = np.zeros(SIDE * SIDE, np.float32)
    score[[0, 1, SIDE, 5]] = 2.5
    score[7] = np.nan
    masses, pieces = pieces_of(score, touching())
    np.testing.assert_allclose(masses, [3, 1])
    assert [sorted(one.tolist()) for one in pieces] == [[0, 1, SIDE], [5]]
    assert pieces_of(score - 3, touching())[1] == []


def test_a_weak_region_is_found_where_no_spot_of_it_would_be_called():
    (one,) = find_regions((evidence(0, 1.6), evidence(1)), touching(), 0.1)
    inside = np.zeros((SIDE, SIDE), bool)
    inside[5:12, 5:12] = True
    assert one.kind == 1
    assert inside.ravel()[one.spots].mean() > 0.7
    assert one.expected_false <= 0.1
    assert one.q_value <= 0.1


def test_noise_alone_makes_few_regions():
    count = sum(
        len(find_regions((evidence(2 * one), evidence(2 * one + 1)), touching(), 0.1))
        for one in range(20)
    )
    assert count <= 5


def test_regions_that_overlap_are_one_of_the_less_expected_kind():
    both = evidence(0, 3.0, slice(5, 12)), evidence(1, 6.0, slice(8, 16))
    (one,) = find_regions(both, touching(), 0.1)
    rows = one.spots // SIDE
    assert one.kind == 2
    assert (rows.min(), rows.max()) == (5, 15)
    numbers = region_numbers([one], SIDE * SIDE)
    assert (numbers[one.spots] == 0).all()
    assert (numbers == -1).sum() == SIDE * SIDE - len(one.spots)


def test_what_chance_makes_is_counted_and_falls_off_beyond():
    null = [np.array([1.0, 5.0]), np.array([2.0, 9.0]), np.array([3.0, 7.0])]
    found = expected_by_chance(np.array([2.5, 8.0, 13.0]), null)
    np.testing.assert_allclose(found[:2], [4 / 3, 1 / 3])
    # One draw lies above the median, by 2; 13 lies above it by 6.
    assert found[2] == pytest.approx(1 / (1 + 6 / 2) / 2)
    assert np.isinf(expected_by_chance(np.ones(2), [])).all()


def test_few_draws_do_not_promise_more_than_holds():
    random, masses = np.random.default_rng(0), np.linspace(0, 60, 1200)
    exceeded = []
    for _ in range(600):
        null = list(random.exponential(3, (20, 1)))
        limit = masses[(expected_by_chance(masses, null) <= 0.01).argmax()]
        exceeded.append(np.exp(-limit / 3))
    # So often a piece of chance is held for one in a hundred.
    assert 0.005 < np.mean(exceeded) < 0.013


def region(spots, q_value=0.0, kind=2):
    return RegionFound(np.asarray(spots), kind, 9.0, q_value, q_value)


def test_spots_are_called_in_regions_alone_and_are_of_their_kind():
    known = np.arange(100) != 3
    outside = np.full(100, np.nan, np.float32)
    outside[4:40] = np.repeat([0.0, 0.3, 0.4, 0.9], [12, 6, 6, 12])
    rate = spot_rate(outside, [region(np.arange(4, 40))], known)
    assert np.isnan(rate[3])
    # The mean over all that are as sure; those rather false have their own chance.
    np.testing.assert_allclose(rate[4:16], 0)
    assert rate[27] == pytest.approx(0.175)
    np.testing.assert_allclose(rate[28:40], 0.9, rtol=1e-6)
    assert (rate[40:] == 1).all()
    assert (rate[:3] == 1).all()
    kind = called_kinds(rate, [region(np.arange(4, 40))], 0.1)
    assert (kind[4:16] == 2).all()
    # As many of the doubtful as keep the mean at a tenth.
    assert (kind[16:22] == 2).all()
    assert not kind[[*range(4), *range(22, 100)]].any()
    assert not called_kinds(rate, [], 0.1).any()


def test_the_rate_of_all_spots_called_is_that_of_their_regions():
    regions = [
        region(np.arange(first, first + 10), q_value)
        for first, q_value in ((60, 0.09), (0, 1e-6), (20, 0.02), (40, 0.09))
    ]
    chances = chances_false(regions)
    # 4 x 0.09 in all; the last two are in a tie.
    np.testing.assert_allclose(chances, [0.16, 1e-6, 0.04, 0.16], atol=1e-5)
    assert (chances >= [one.q_value for one in regions]).all()
    rate = spot_rate(np.zeros(100, np.float32), regions, np.ones(100, bool))
    assert rate[60] == rate[49] == pytest.approx(0.09, abs=1e-5)


def test_spots_that_are_as_likely_false_have_one_rate():
    outside = np.repeat(np.float32([0.0, 0.2, 0.4]), [10, 20, 10])
    rate = spot_rate(outside, [region(np.arange(40))], np.ones(40, bool))
    assert len(np.unique(rate[10:30])) == 1
    assert rate[10] == pytest.approx(20 * 0.2 / 30)
    backwards = spot_rate(outside[::-1], [region(np.arange(40))], np.ones(40, bool))
    np.testing.assert_array_equal(rate, backwards[::-1])


def test_regions_that_were_set_aside_lend_others_no_rate():
    found = [
        RegionFound(np.arange(9), 1, 30.0, 1e-6, 1e-6),
        RegionFound(np.arange(20, 29), 2, 8.0, 0.04, 0.02),
        RegionFound(np.arange(40, 49), 2, 7.0, 0.09, 0.03),
    ]
    rates = [one.q_value for one in among_themselves(found[:0:-1])]
    assert rates == pytest.approx([0.04, 0.045])
    # Of a section with a region that is left alone no more than a tenth is false.
    assert among_themselves(found[1:], 3, 0.1) == []
    (first,) = among_themselves(found[:1], 3, 0.1)
    assert first.q_value == pytest.approx(3e-6)


def test_what_looks_like_no_other_place_is_not_counted_with_what_is_found(monkeypatch):
    found = [
        RegionFound(np.arange(9), 1, 30.0, 1e-6, 1e-6),
        RegionFound(np.arange(20, 29), 2, 7.0, 0.09, 0.045),
    ]
    monkeypatch.setattr(discordance, "odd_images", lambda *_: np.arange(100) < 10)
    monkeypatch.setattr(discordance, "is_odd", lambda odd, spots: odd[spots].all())
    (kept,), aside = discordance._set_aside(found, None, None, None)
    assert kept.q_value == pytest.approx(0.09)
    assert aside == (found[0],)


def test_a_spot_is_as_false_as_its_region():
    outside = np.zeros(100, np.float32)
    regions = [region(np.arange(10)), region(np.arange(20, 30), 0.2)]
    rate = spot_rate(outside, regions, np.ones(100, bool))
    assert not rate[:10].any()
    # Of two regions a fifth false: two in five times the second is.
    np.testing.assert_allclose(rate[20:30], 0.2, rtol=1e-6)
    alone = spot_rate(outside, regions[1:], np.ones(100, bool))
    np.testing.assert_allclose(alone[20:30], 0.2)
    assert (spot_rate(outside, [], np.ones(100, bool)) == 1).all()
