"""What the image leaves unexplained, held against tissue away from it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import kstest

from napari_semst.core.progress import RunControl
from napari_semst.methods.image_guided import unexplained
from napari_semst.methods.image_guided.unexplained import (
    among_usual,
    away_from,
    distances,
    draws_of,
    in_deviations,
    measure_unexplained,
    tissue_pieces,
)


def section(n=1500, width=6, seed=0):
    """Return places and values that have nothing to do with them."""
    random = np.random.default_rng(seed)
    places = random.uniform(0, 1, (n, 2))
    return places, random.normal(0, 1, (n, width)).astype(np.float32)


def disc(places, at, size):
    return np.hypot(*(places - at).T) < size


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scores_of_usual_spots_are_nearly_normal(seed):
    places, values = section(seed=seed)
    score = among_usual(values, *tissue_pieces(places, seed))
    assert kstest(score, "norm").statistic < 0.06
    assert (score > 4).sum() <= 2


def test_two_regions_that_are_odd_in_the_same_way_do_not_hide_each_other():
    places, values = section()
    strong, weak = disc(places, (0.25, 0.3), 0.1), disc(places, (0.75, 0.7), 0.1)
    values[strong, 0] += 8
    values[weak, 0] += 4
    score = among_usual(values, *tissue_pieces(places, 0))
    assert np.median(score[strong]) > 4
    assert np.median(score[weak]) > 2
    assert (score[~strong & ~weak] > 3.5).mean() < 0.003


def test_a_spot_is_held_against_usual_spots_of_other_pieces_alone():
    random = np.random.default_rng(0)
    values = random.normal(0, 1, (400, 3)).astype(np.float32)
    pieces, usual = np.repeat(np.arange(4), 100), np.ones(400, bool)
    around = np.eye(4, dtype=bool)
    around[0, 1] = True
    usual[250:] = False
    values[250:] += 50
    found = distances(values, usual, pieces, around)
    told = values[200:250].astype(np.float64)
    spread = np.cov(told.T, bias=True) + 1e-3 * np.eye(3)
    apart = values[:100] - told.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", apart, np.linalg.inv(spread), apart)
    np.testing.assert_allclose(found[:100], expected, rtol=1e-4)


def test_deviations_are_the_wider_of_two():
    random = np.random.default_rng(0)
    plain = random.normal(5, 2, 20_000)
    np.testing.assert_allclose(in_deviations(plain), (plain - 5) / 2, atol=0.1)
    skewed = np.where(plain > 5, 5 + 3 * (plain - 5), plain)
    assert in_deviations(skewed).max() < 5


def test_sections_are_asked_for_themselves_with_as_many_directions_as_they_tell(
    monkeypatch,
):
    sizes, random = (1000, 2100, 600), np.random.default_rng(0)
    n_spots = sum(sizes)
    along = random.normal(0, 1, (n_spots, 10)).astype(np.float32)
    part = SimpleNamespace(
        coordinates=random.uniform(0, 1, (n_spots, 2)),
        average=sparse.identity(n_spots, np.float32, "csr"),
        sections=SimpleNamespace(
            codes=np.repeat(np.arange(3), sizes), names=("a", "b", "c")
        ),
    )
    config = SimpleNamespace(training=SimpleNamespace(seed=0))
    inputs = SimpleNamespace(usable=np.ones(n_spots, bool), config=config)
    asked = []

    def among(own, *pieces):
        asked.append(own.shape)
        return np.zeros(len(own), np.float32)

    monkeypatch.setattr(unexplained, "among_usual", among)
    monkeypatch.setattr(unexplained, "unpredicted_directions", lambda *_: along)
    found = measure_unexplained(None, inputs, part, RunControl())
    assert set(asked) == {(1000, 4), (2100, 7)}
    told = np.isfinite(found.score)
    assert told[:3100].all()
    assert not told[3100:].any()
    assert np.isnan(found.p_value[3100:]).all()
    # As often in all sections, else some would have moves that show nothing.
    assert len(found.null) == 100
    assert np.isfinite(found.null[:, :3100]).all()


def test_large_sections_are_moved_fewer_times():
    assert [draws_of(n) for n in (0, 300, 3000, 6000, 100_000)] == [
        100, 100, 100, 50, 20
    ]  # fmt: skip


def test_margins_of_unusual_spots_do_not_tell_what_chance_makes():
    line = sparse.diags([1.0, 1.0, 1.0], [-1, 0, 1], shape=(30, 30), format="csr")
    spots = np.arange(5, 30)
    unusual = np.zeros(25, bool)
    unusual[10] = True
    usual = away_from(unusual, line, spots)
    assert np.flatnonzero(~usual).tolist() == [8, 9, 10, 11, 12]
    # With too little left, unusual spots alone are left out.
    unusual[::4] = True
    np.testing.assert_array_equal(away_from(unusual, line, spots), ~unusual)
