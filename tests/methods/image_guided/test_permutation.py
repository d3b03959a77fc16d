"""The null of discordance: whose image each spot gets, p-values and rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_semst.methods.image_guided.permutation import (
    ImageExchange,
    above,
    expression_clusters,
)


def grid(side):
    return np.stack(np.meshgrid(*2 * [np.arange(side, dtype=float)]), -1).reshape(-1, 2)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 9999), n=st.integers(1, 80), groups=st.integers(1, 9),
    sections=st.integers(1, 3),
)  # fmt: skip
def test_images_stay_in_clusters_and_come_from_giving_spots(seed, n, groups, sections):
    random = np.random.default_rng(seed)
    codes = np.sort(random.integers(0, sections, n))
    _, codes = np.unique(codes, return_inverse=True)
    clusters = random.integers(-1, groups, n)
    clusters = np.where(clusters >= 0, clusters + groups * codes, -1)
    giving = random.random(n) < 0.5
    exchange = ImageExchange(random.uniform(0, 9, (n, 2)), clusters, giving, codes)
    found = exchange.draw(random)
    asked = np.isin(clusters, np.unique(clusters[giving & (clusters >= 0)]))
    asked &= clusters >= 0
    assert np.array_equal(np.flatnonzero(asked), exchange.asked)
    assert np.array_equal(clusters[found], clusters)
    assert giving[found[asked]].all()
    assert np.array_equal(found[~asked], np.flatnonzero(~asked))


def test_neighbours_get_images_of_neighbours():
    places = grid(40)
    none = np.zeros(1600, np.intp)
    exchange = ImageExchange(places, none, np.ones(1600, bool), none)
    random = np.random.default_rng(0)
    pairs = np.flatnonzero(places[:, 0] < 39)
    steps = []
    for _ in range(20):
        found = exchange.draw(random)
        assert (found != np.arange(1600)).mean() > 0.5
        steps.append(
            np.linalg.norm(places[found[pairs]] - places[found[pairs + 1]], axis=1)
        )
    # One apart before and after, but for rounding to the grid.
    assert np.mean(np.concatenate(steps) <= 2) > 0.99


def test_every_spot_gives_its_image_now_and_then_and_none_at_other_places():
    places = grid(12)
    none = np.zeros(144, np.intp)
    giving = np.arange(144) % 3 > 0
    exchange = ImageExchange(places, none, giving, none)
    random = np.random.default_rng(1)
    counts = np.bincount(
        np.concatenate([exchange.draw(random) for _ in range(200)]), minlength=144
    )
    assert (counts[giving] > 0).all()
    assert not counts[~giving].any()
    # Those at the edge are no more in demand than others.
    edge = np.any((places == 0) | (places == 11), axis=1)
    share = counts[edge].sum() / counts.sum()
    assert share < 1.3 * (edge & giving).sum() / giving.sum()


def test_the_same_draws_give_the_same_images():
    places = np.random.default_rng(0).uniform(0, 1, (200, 2))
    clusters = np.arange(200) % 5
    none = np.zeros(200, np.intp)
    one, other = (
        ImageExchange(places, clusters, np.ones(200, bool), none).draw(
            np.random.default_rng(3)
        )
        for _ in "ab"
    )
    assert np.array_equal(one, other)


def test_clusters_are_of_expression_inside_sections_and_hold_giving_spots():
    random = np.random.default_rng(0)
    codes = np.repeat([0, 1], [400, 100])
    expressed = random.normal(size=(500, 3)).astype(np.float32)
    usable, giving = np.arange(500) % 11 > 0, random.random(500) < 0.8
    giving &= usable
    found = expression_clusters(expressed, giving, usable, codes, 0)
    assert np.array_equal(
        found, expression_clusters(expressed, giving, usable, codes, 0)
    )
    assert (found[~usable] == -1).all()
    assert (found[usable] >= 0).all()
    assert not set(found[codes == 0]) & set(found[codes == 1]) - {-1}
    assert set(found[usable]) <= set(found[giving])
    # About fifty that give in each.
    assert len(np.unique(found[usable & (codes == 0)])) == giving[:400].sum() // 50
    inside = [expressed[found == one].var(axis=0) for one in np.unique(found[usable])]
    assert np.mean(inside) < 0.7 * expressed.var()


def test_a_section_of_which_no_spot_gives_keeps_its_images():
    codes = np.repeat([0, 1], 30)
    expressed = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    usable, giving = np.ones(60, bool), codes == 0
    found = expression_clusters(expressed, giving, usable, codes, 0)
    assert (found[codes == 1] == -1).all()
    exchange = ImageExchange(grid(8)[:60], found, giving, codes)
    drawn = exchange.draw(np.random.default_rng(0))
    assert np.array_equal(drawn[30:], np.arange(30, 60))


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
