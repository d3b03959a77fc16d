"""Every readout finds planted groups, as many as asked for, and the same each time."""

from __future__ import annotations

import random
from dataclasses import replace
from importlib import util
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from napari_semst.config import STAGES, DomainsConfig
from napari_semst.core import chunks
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.domains import leiden
from napari_semst.domains.cluster_methods import READOUTS
from napari_semst.errors import Cancelled, ConfigError
from napari_semst.methods.base import Fit, View
from napari_semst.prepare.components import neighbour_average
from tests.small import found, named, short

OF_LATENT = tuple(name for name in READOUTS if name != "consensus")


def test_settings_offer_exactly_the_readouts_there_are():
    setting = STAGES["domains"].__dataclass_fields__["readout"]
    assert set(setting.metadata["choices"]) == set(READOUTS)


@pytest.mark.parametrize("name", READOUTS)
@pytest.mark.parametrize("k", [2, 4])
def test_planted_groups_are_found(name, k):
    values, group = blobs(k)
    read = reading(name, values, k)
    assert adjusted_rand_score(group, read.labels) == 1.0
    assert (read.posterior is not None) == (name == "consensus")


@pytest.mark.parametrize("name", READOUTS)
def test_more_than_the_planted_groups_are_given_where_asked(name):
    values, group = blobs(3)
    labels = reading(name, values, 6).labels
    assert len(np.unique(labels)) == 6
    # Groups are split, never joined.
    table = np.array([np.bincount(labels[group == g], minlength=6) for g in range(3)])
    assert ((table > 0).sum(axis=0) == 1).mean() >= 0.5


def test_a_full_covariance_tells_groups_that_differ_in_shape_alone():
    values = np.random.default_rng(0).normal(size=(600, 2))
    group = np.repeat([0, 1], 300)
    values[:300] *= 0.1
    values[300:] *= 3.0
    tied, full = (
        adjusted_rand_score(group, reading(name, values, 2).labels)
        for name in ("gmm", "gmm-full")
    )
    assert full > 0.9
    assert tied < 0.5


@pytest.mark.parametrize("name", READOUTS)
def test_equal_seeds_give_equal_labels(name):
    values = np.random.default_rng(3).normal(size=(300, 5))
    first, again = (reading(name, values, 5, seed=7).labels for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", READOUTS)
def test_the_sums_of_others_are_not_disturbed(name):
    state, numbers = random.getstate(), np.random.get_state()[1].copy()
    reading(name, blobs(3)[0], 3)
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numbers)


def test_igraph_draws_from_its_usual_generator_again(monkeypatch):
    import igraph

    given = []
    monkeypatch.setattr(igraph, "set_random_number_generator", given.append)
    monkeypatch.setattr(igraph.Graph, "community_leiden", broken)
    with pytest.raises(ZeroDivisionError):
        reading("leiden", blobs(2)[0], 2)
    assert isinstance(given[0], random.Random)
    assert given[-1] is random


def broken(*_, **__):
    raise ZeroDivisionError


@pytest.mark.parametrize("name", READOUTS)
def test_a_cancelled_readout_ends(name):
    control = RunControl()
    control.cancel()
    with pytest.raises(Cancelled):
        reading(name, blobs(2)[0], 2, control=control)


@pytest.mark.parametrize("name", ["gmm-full", "leiden"])
def test_a_readout_is_cancelled_between_its_steps(name):
    control = RunControl()
    fit, section, config = asked(np.random.default_rng(0).normal(size=(200, 4)), 13)
    walk = READOUTS[name](fit, section, config, 0, control)
    while next(walk).step < 1:
        pass
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(walk)


@pytest.mark.parametrize("name", OF_LATENT)
def test_of_large_sections_a_sample_is_fitted_and_every_spot_assigned(
    name, monkeypatch
):
    monkeypatch.setattr(chunks, "FITTED_SPOTS", 120)
    monkeypatch.setattr(chunks, "CHUNK_SPOTS", 100)
    monkeypatch.setattr(leiden, "_CHUNK_SPOTS", 100)
    values, group = blobs(4)
    order = np.random.default_rng(1).permutation(len(group))
    labels = reading(name, values[order], 4).labels
    assert adjusted_rand_score(group[order], labels) == 1.0


@pytest.mark.parametrize("name", OF_LATENT)
def test_spots_that_are_all_alike_do_not_break_it(name):
    labels = reading(name, np.ones((40, 3)), 3).labels
    assert labels.shape == (40,)
    assert len(np.unique(labels)) <= 3


def test_pieces_that_no_edge_joins_stay_apart_whatever_the_resolution():
    piece = sparse.csr_matrix(np.ones((5, 5)) - np.eye(5))
    graph = sparse.block_diag([piece] * 4, format="csr")
    steps = list(events := leiden.communities(graph, 2, 0, RunControl()))
    assert len(steps) < leiden.MOST_STEPS
    assert events.gi_frame is None
    labels = run_to_end(leiden.communities(graph, 2, 0, RunControl()))
    assert adjusted_rand_score(np.repeat(np.arange(4), 5), labels) == 1.0


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8, 13])
def test_the_resolution_is_found_for_any_number(k):
    values = np.random.default_rng(2).normal(size=(400, 6))
    assert len(np.unique(reading("leiden", values, k).labels)) == k


@pytest.mark.parametrize("name", READOUTS)
def test_each_readout_goes_through_a_run(tissue, name):
    result = found(named(tissue), short(domains={"readout": name}))
    assert len(result.names) == 3
    assert (result.confidence is None) == (name != "consensus")
    assert (result.model is None) == (name != "consensus")
    assert adjusted_rand_score(tissue.obs["ground_truth"], result.codes) > 0.5
    assert not any("asked for" in line for line in result.provenance["warnings"])


@pytest.mark.parametrize(("k", "says"), [(40, "Ask for fewer"), (2, "Ask for more")])
def test_a_number_out_of_reach_is_told(tissue, monkeypatch, k, says):
    monkeypatch.setattr(leiden, "MOST_STEPS", 1)
    request = short("quick", k=k, domains={"readout": "leiden"})
    result = found(named(tissue), request)
    assert 2 < len(result.names) < 40
    (told,) = [x for x in result.provenance["warnings"] if "asked for" in x]
    assert f"{k} domains were asked for" in told
    assert f"found {len(result.names)}. {says}" in told


def test_the_number_is_chosen_for_leiden_too(tissue):
    request = short("quick", k=-1, domains={"readout": "leiden"})
    result = found(named(tissue), request)
    assert len(result.names) == result.provenance["number_of_domains"]["chosen"]


@pytest.mark.parametrize("name", ["gmm", "kmeans"])
def test_latents_of_several_networks_are_all_heard(name):
    values, group = blobs(3)
    random = np.random.default_rng(1)
    turn = np.linalg.qr(random.normal(size=(6, 6)))[0]
    # One network has lost a domain; each has a frame of its own.
    lost = values.copy()
    lost[group == 2] -= 12 * np.eye(3, 6)[2] - 12 * np.eye(3, 6)[1]
    others = tuple(np.float32(one) for one in (values @ turn, lost @ turn.T))
    fit, section, config = asked(values, 3)
    walk = READOUTS[name](
        replace(fit, replicates=others), section, config, 0, RunControl()
    )
    read = run_to_end(walk)
    assert adjusted_rand_score(group, read.labels) == 1.0
    sure = read.posterior.max(axis=1)
    assert sure[group == 0].min() == 1.0
    assert 0.5 < sure[group == 2].mean() < 1.0


def test_an_ensemble_of_the_published_recipe_has_a_confidence(tissue):
    request = short("dlpfc", training={"ensemble": 2, "checkpoints": 2})
    result = found(named(tissue), request)
    assert len(result.names) == 3
    assert 0 <= result.confidence.min() < result.confidence.max() <= 1
    assert result.provenance["training"]["networks"] == 2


def test_without_igraph_leiden_is_refused_before_the_work(tissue, monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    request = short("quick", domains={"readout": "leiden"})
    with pytest.raises(ConfigError, match=r"napari-semst\[leiden\]"):
        found(named(tissue), request)


def blobs(k):
    """Return values of 480 spots in k groups far apart, and their groups."""
    group = np.arange(480) * k // 480
    centres = 12 * np.eye(k, 6)
    return centres[group] + np.random.default_rng(0).normal(size=(480, 6)), group


def asked(values, k):
    values = np.asarray(values, np.float32)
    places = np.column_stack([np.arange(len(values)), np.zeros(len(values))])
    section = SimpleNamespace(
        average=neighbour_average(places, 2), smoothing_rounds=1, n_spots=len(values)
    )
    fit = Fit(values, (View(values, smooth=True),))
    return fit, section, DomainsConfig(n_domains=k, n_starts=3)


def reading(name, values, k, seed=0, control=None):
    fit, section, config = asked(values, k)
    walk = READOUTS[name](fit, section, config, seed, control or RunControl())
    return run_to_end(walk)
