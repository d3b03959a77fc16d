from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.domains.choose_k import (
    NumberOfDomains,
    choose_number,
    independent_share,
)
from napari_semst.errors import Cancelled, InputError
from napari_semst.methods.base import View
from napari_semst.prepare.components import neighbour_average


def section_of(coordinates, rounds):
    average = neighbour_average(coordinates, 6)
    return SimpleNamespace(
        n_spots=len(coordinates),
        average=average,
        smoothing_rounds=rounds,
        spatial=(average != 0).astype(np.float64),
    )


def banded(n_bands, signal, side=30, seed=0, rounds=1):
    """Return a section of bands, and two noisy views of it."""
    random = np.random.default_rng(seed)
    rows, columns = np.divmod(np.arange(side * side), side)
    coordinates = np.column_stack([columns, rows]).astype(float)
    band = rows * n_bands // side
    centres = signal * random.normal(size=(n_bands, 12))
    views = [
        View(
            (centres[band] + random.normal(size=(side * side, 12))).astype(np.float32),
            smooth=True,
        )
        for _ in range(2)
    ]
    return views, section_of(coordinates, rounds), band


@pytest.mark.slow
@pytest.mark.parametrize("n_bands", [3, 5])
def test_clear_bands_are_counted(n_bands):
    views, section, _ = banded(n_bands, signal=2.0, side=20, rounds=0)
    found = run_to_end(choose_number(views, section, 0, RunControl()))
    assert found.chosen == n_bands
    place = found.k.tolist().index(n_bands)
    assert found.stability[place] > 0.95
    assert found.coherence[place] > 0.8
    assert found.score.max() == 0.0
    assert n_bands not in found.runners_up
    assert len(found.runners_up) == 2


@pytest.mark.slow
def test_averaged_noise_does_not_ask_for_many_domains():
    views, section, _ = banded(1, signal=0.0, side=20, rounds=2)
    assert run_to_end(choose_number(views, section, 0, RunControl())).chosen == 2


def test_same_seed_gives_the_same_curve():
    views, section, _ = banded(3, signal=1.0, side=8)
    first, second = (
        run_to_end(choose_number(views, section, 4, RunControl())) for _ in range(2)
    )
    assert first.table() == second.table()


def test_share_of_averaged_spots_is_the_variance_left_of_noise():
    random = np.random.default_rng(0)
    average = section_of(random.random((400, 2)), 1).average
    every = np.arange(400)
    noise = random.normal(size=(400, 4000))
    for rounds in (1, 2, 3):
        noise = average @ noise
        share = independent_share(average, rounds, every)
        assert share == pytest.approx(float((noise**2).mean()), rel=0.02)
    assert independent_share(average, 0, every) == 1.0


def test_numbers_are_bounded_by_spots_and_too_few_are_refused():
    views, section, _ = banded(2, signal=2.0, side=7)
    assert run_to_end(choose_number(views, section, 0, RunControl())).k.max() == 4
    few = section_of(np.random.default_rng(0).random((15, 2)), 0)
    with pytest.raises(InputError, match="at least 20 spots"):
        run_to_end(choose_number([View(np.ones((15, 3)), False)], few, 0, RunControl()))


def test_cancelling_is_heard():
    views, section, _ = banded(2, signal=2.0, side=7)
    control = RunControl()
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(choose_number(views, section, 0, control))


def curve(bic, spots=500.0, stability=0.9):
    bic = np.array(bic, float)
    flat = np.full(len(bic), stability)
    return NumberOfDomains(np.arange(2, 2 + len(bic)), bic, flat, flat, spots)


def test_a_clear_choice_has_no_warning_and_names_its_runners_up():
    found = curve([-90, 0, -40, -30])
    assert found.sentence() == "3 domains chosen; next best 5 and 4"
    assert found.warnings() == []


def test_every_doubt_is_told():
    assert "close call: 3 was chosen, 4" in curve([-90, 0, -5, -30]).warnings()[0]
    (last,) = curve([-90, -50, -20, 0]).warnings()
    assert "largest number of domains tried, 5" in last
    assert "40 independent spots" in curve([-90, 0, -20], spots=40).warnings()[0]
    assert "agree little" in curve([-90, 0, -20], stability=0.3).warnings()[0]


def test_of_equals_the_smaller_number_is_chosen():
    found = curve([-90, 0, 0])
    assert (found.chosen, found.runners_up) == (3, [4, 2])
    assert replace(found, k=np.array([4, 5, 6])).chosen == 5
