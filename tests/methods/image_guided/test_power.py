"""Power: how strong a region has to be to be found."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.core.progress import RunControl
from napari_semst.methods.image_guided.power import measure_power
from napari_semst.methods.image_guided.prediction import Prediction
from napari_semst.methods.image_guided.regions import Evidence, find_regions_together
from napari_semst.methods.section_texts import power_text
from napari_semst.prepare.graphs import nearest_graph
from tests.guided import guided

SIDE = 30
PLACES = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).reshape(-1, 2)


def power(noise, width=1):
    """Return the power where two tissues differ by 1, and expression by noise."""
    random, n_spots = np.random.default_rng(0), SIDE * SIDE
    tissue = np.repeat((PLACES[:, :1] > SIDE / 2).astype(np.float32), width, axis=1)
    expected = tissue - tissue.mean(axis=0)
    expressed = expected + random.normal(0, noise, tissue.shape).astype(np.float32)
    numbers = (np.full(width, one) for one in (noise**2, noise**2 + 0.25, 0.5))
    made = Prediction(expressed, expected, *numbers)

    def scored(values):
        return (np.abs(values - expected).sum(axis=1) / noise / 2).astype(np.float32)

    null = random.normal(0, 1, (20, n_spots)).astype(np.float32)
    unasked = Evidence(np.full(n_spots, np.nan, np.float32), null)
    spots = [np.arange(n_spots)]
    questions = (Evidence(scored(expressed), null), unasked)
    near = nearest_graph(PLACES.astype(float), 4)
    return measure_power(
        made, scored, questions, near, PLACES.astype(float), spots, guided()[1],
        RunControl(),
    )  # fmt: skip


def test_clear_expression_needs_less_of_another_tissue_than_noisy_does():
    (clear,), (noisy,) = power(0.1), power(0.6)
    assert clear.spots == noisy.spots == 27
    assert clear.share <= 0.5
    assert np.isnan(noisy.share) or noisy.share > clear.share
    assert np.isnan(clear.deviations)


@pytest.mark.parametrize("n_sections", [1, 8])
def test_a_region_alone_among_all_sections_is_found_from_what_is_told(n_sections):
    random, n_spots = np.random.default_rng(0), SIDE * SIDE
    null = random.normal(0, 1, (20, n_spots)).astype(np.float32)
    flat, none = np.zeros((n_spots, 1), np.float32), np.zeros(0)
    quiet = Evidence(flat[:, 0], null)
    every, places = np.arange(n_spots), PLACES.astype(float)
    near, config = nearest_graph(places, 4), guided()[1]
    told = measure_power(
        Prediction(flat, flat, none, none, none), lambda _: flat[:, 0], (quiet, quiet),
        near, places, [every] * n_sections, config, RunControl(),
    )[0]  # fmt: skip
    region = np.argsort(np.abs(PLACES - SIDE / 2).max(axis=1), kind="stable")
    parts = [every, *[every[:0]] * (n_sections - 1)]
    for factor, n_found in ((1.02, 1), (0.95, 0)):
        score = flat[:, 0].copy()
        score[region[: told.spots]] = factor * told.deviations
        asked = (quiet, Evidence(score, null))
        wanted = config.image_guided.discordance_fdr
        assert len(find_regions_together(asked, near, parts, wanted)) == n_found


def test_nothing_predicted_finds_nothing():
    (found,) = power(0.1, width=0)
    assert np.isnan(found.share)


@pytest.mark.parametrize(
    ("share", "deviations", "said"),
    [
        (0.5, 3.21, "half of the regions of 9 spots are found where 50% of their"),
        (np.nan, 3.21, "fewer than half of the regions of 9 spots are found"),
        (0.5, 3.21, "what is unexplained is found from 3.2 deviations"),
        (0.5, np.nan, "what is unexplained was not asked"),
    ],
)
def test_power_is_told_in_words(share, deviations, said):
    assert said in power_text(9, share, deviations)
