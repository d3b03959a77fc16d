"""Borders are settled; thin layers and small domains stay."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import KDTree

from napari_semst.core import chunks
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.sections import Sections
from napari_semst.domains.refine import refined
from napari_semst.errors import Cancelled
from napari_semst.methods.base import View
from napari_semst.sample import simulated_cortex
from tests.small import found, short

SIDE = 24


def test_a_border_moves_to_where_the_spots_own_expression_changes():
    values, truth, section = halves()
    posterior = blurred()
    before = (posterior.argmax(axis=1) != truth).mean()
    assert before > 0.05
    assert (refine(posterior, values, section) != truth).mean() < before / 4


def test_single_spots_join_what_surrounds_them_unless_their_expression_objects():
    values, truth, section = halves()
    specks = np.array([SIDE * 5 + 4, SIDE * 12 + 3])
    labels = truth.copy()
    labels[specks] = 1
    doubted = soft(labels, doubted=specks)
    assert (refine(doubted, values, section)[specks] == 0).all()
    values[specks, 0] += 7
    assert (refine(doubted, values, section)[specks] == 1).all()


def test_sure_spots_stay_where_nothing_speaks_against_them():
    values, truth, section = halves()
    sure = np.eye(2, dtype=np.float32)[truth]
    np.testing.assert_array_equal(refine(sure, values, section), truth)


def test_a_strand_one_spot_wide_stays():
    values, truth, section = halves()
    strand = columns() == 4
    values[strand] += 4 * np.eye(6, dtype=np.float32)[1]
    labels = np.where(strand, 2, truth)
    found_again = refine(soft(labels, 3, strand), values, section)
    assert (found_again[strand] == 2).all()


def test_small_domains_lose_no_spot():
    """Three spots whose expression is that of their surroundings."""
    values, truth, section = halves()
    few = np.array([SIDE * 5 + 4, SIDE * 9 + 5, SIDE * 9 + 7])
    labels = truth.copy()
    labels[few] = 2
    assert (refine(soft(labels, 3, few), values, section)[few] == 2).all()


def test_a_thin_domain_does_not_vanish_whatever_its_size():
    """Stripes one spot wide, a fifth of all, whose expression says nothing."""
    values, truth, section = halves()
    rows = np.repeat(np.arange(SIDE), SIDE)
    stripes = rows % 5 == 2
    labels = np.where(stripes, 2, truth)
    share = np.full(len(labels), 0.7)
    posterior = np.full((len(labels), 3), 0.15, np.float32)
    posterior[np.arange(len(labels)), labels] = share
    after = refine(posterior, np.zeros_like(values), section)
    assert (after == 2).sum() >= stripes.sum() / 2


def test_a_domain_that_is_small_in_one_section_keeps_its_spots_there():
    values, truth, section = halves()
    few = np.array([SIDE * 5 + 4, SIDE * 9 + 5, SIDE * 9 + 7])
    labels = np.concatenate([truth, np.where(truth == 1, 2, truth)])
    labels[few] = 2
    both = SimpleNamespace(
        coordinates=np.concatenate([section.coordinates] * 2),
        sections=Sections(np.repeat([0, 1], len(values)).astype(np.int32), ("a", "b")),
    )
    doubted = soft(labels, 3, few)
    after = refine(doubted, np.concatenate([values, values]), both)
    assert (after[few] == 2).all()


def test_no_rounds_change_nothing():
    values, _, section = halves()
    posterior = np.random.default_rng(0).dirichlet(np.ones(3), size=len(values))
    labels = refine(posterior, values, section, rounds=0)
    np.testing.assert_array_equal(labels, posterior.argmax(axis=1))


def test_neighbours_of_another_section_say_nothing():
    """The same place in two sections: in each the border moves on its own."""
    values, truth, section = halves()
    turned = np.concatenate([values, values[::-1]])
    both = SimpleNamespace(
        coordinates=np.concatenate([section.coordinates] * 2),
        sections=Sections(np.repeat([0, 1], len(values)).astype(np.int32), ("a", "b")),
    )
    posterior = np.concatenate([blurred(), blurred()[::-1]])
    after = refine(posterior, turned, both)
    alone = refine(blurred(), values, section)
    np.testing.assert_array_equal(after[: len(values)], alone)
    assert (after[len(values) :] != truth[::-1]).mean() < 0.02


def test_a_domain_without_a_spot_gets_none():
    values, truth, section = halves()
    posterior = np.hstack([soft(truth), np.zeros((len(truth), 1))])
    assert set(refine(posterior, values, section)) == {0, 1}


def test_of_large_sections_a_sample_tells_where_domains_lie(monkeypatch):
    values, truth, section = halves()
    posterior = blurred()
    whole = refine(posterior, values, section)
    monkeypatch.setattr(chunks, "FITTED_SPOTS", 200)
    monkeypatch.setattr(chunks, "CHUNK_SPOTS", 100)
    part = refine(posterior, values, section)
    assert (whole != part).mean() < 0.02
    assert (part != truth).mean() < 0.03


def test_views_that_are_not_averaged_serve_where_there_are_no_others():
    values, truth, section = halves()
    views = (View(values, smooth=False),)
    labels = run_to_end(refined(blurred(), views, section, 3, 0, RunControl()))
    np.testing.assert_array_equal(labels, refine(blurred(), values, section))
    assert (labels != truth).mean() < 0.03


def test_it_can_be_cancelled_between_rounds():
    values, truth, section = halves()
    control = RunControl()
    walk = refined(soft(truth), (View(values, True),), section, 3, 0, control)
    while next(walk).step < 1:
        pass
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(walk)


@pytest.mark.parametrize("seed", [1, 7])
def test_the_thinnest_layer_stays_where_a_majority_of_fifty_destroys_it(seed):
    """The smallest of the layers that the domains of the section tell apart."""
    tissue = simulated_cortex(
        1200, 200, platform="cells", seed=seed, image=False, hard=True
    )
    truth = tissue.obs["ground_truth"].astype(str).to_numpy(dtype=str)
    plain, settled = (
        found(tissue, short("quick", 7, domains={"n_starts": 2, "refine": rounds}))
        for rounds in (0, 3)
    )
    layers, sizes = np.unique(truth, return_counts=True)
    thinnest = next(
        layer
        for layer in layers[np.argsort(sizes)]
        if recall(plain.codes, truth, layer)
    )
    before = recall(plain.codes, truth, thinnest)
    assert before > 0.7
    assert recall(settled.codes, truth, thinnest) >= before - 1e-9
    fifty = majority_of_fifty(plain.codes, tissue.obsm["spatial"])
    assert recall(fifty, truth, thinnest) < 0.1


def recall(codes, truth, layer):
    """Return the share of a layer's spots whose domain's main layer it is."""
    right = 0
    for code in np.unique(codes):
        names, counts = np.unique(truth[codes == code], return_counts=True)
        right += counts.max() if names[counts.argmax()] == layer else 0
    return right / (truth == layer).sum()


def majority_of_fifty(codes, places):
    _, nearest = KDTree(places).query(places, k=51)
    shares = np.stack([(codes[nearest] == code).mean(1) for code in np.unique(codes)])
    return np.where(shares.max(axis=0) > 0.5, shares.argmax(axis=0), codes)


def columns():
    return np.tile(np.arange(SIDE), SIDE)


def halves():
    """Return components, domains and section of a square in two halves."""
    truth = (columns() >= SIDE // 2).astype(int)
    values = np.random.default_rng(0).normal(size=(SIDE * SIDE, 6)).astype(np.float32)
    values[:, 0] += 6 * truth
    rows = np.repeat(np.arange(SIDE), SIDE)
    places = np.column_stack([columns() + 0.5 * (rows % 2), 0.866 * rows])
    return (
        values,
        truth,
        SimpleNamespace(coordinates=places, sections=Sections.one(len(places))),
    )


def soft(labels, n_domains=2, doubted=slice(None)):
    """Return a posterior for the labels, 0.98, and 0.6 where they are in doubt."""
    share = np.full(len(labels), 0.98)
    share[doubted] = 0.6
    rest = (1 - share) / (n_domains - 1)
    posterior = np.repeat(rest[:, None], n_domains, axis=1).astype(np.float32)
    posterior[np.arange(len(labels)), labels] = share
    return posterior


def blurred():
    """Return a posterior whose border is two columns off, with doubt about it."""
    middle = SIDE // 2
    near = np.abs(columns() - middle) < 2
    return soft(np.where(columns() < middle + 2, 0, 1), doubted=near)


def refine(posterior, values, section, rounds=3):
    views = (View(values, smooth=True),)
    return run_to_end(refined(posterior, views, section, rounds, 0, RunControl()))
