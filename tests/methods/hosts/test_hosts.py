"""Every host from a prepared section to a latent, with and without semantics."""

from __future__ import annotations

import tracemalloc
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_semst.config.method_registry import METHODS
from napari_semst.core.device import choose_device
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import ConfigError
from napari_semst.methods.hosts.fit import _smoothed, host_of
from napari_semst.methods.hosts.objective import HostObjective, refuse_own_state
from napari_semst.methods.resolve import resolve
from napari_semst.methods.spec import method_spec
from napari_semst.prepare.components import neighbour_average
from napari_semst.prepare.section import prepare_section
from napari_semst.training.batching import StepSize
from napari_semst.training.loop import train
from tests.conftest import banded_tissue
from tests.small import short
from tests.training.test_resume import Held, ended_after

HOSTS = tuple(name for name, place in METHODS.items() if ".hosts." in place)
FUSIONS = ("fsm", "concatenation", "addition", "cross-attention")
CPU = torch.device("cpu")
WHOLE, SAMPLED = StepSize(0, 1), StepSize(64, 2)


def section_of(tissue, config):
    return run_to_end(
        prepare_section(
            tissue.X,
            tissue.var_names.to_numpy(dtype=str),
            tissue.obsm["spatial"],
            config.prepare,
            RunControl(),
        )
    )


def semantics_of(n_spots):
    random = np.random.default_rng(0)
    return random.normal(size=(n_spots, 8)).astype(np.float32)


def settings(name, **stages):
    # Narrow layers: how a host is trained does not depend on its widths.
    stages["model"] = {"method": name, "hidden": 16, **stages.get("model", {})}
    return resolve(short(**stages))


def fitted(tissue, name, vectors=None, control=None, **stages):
    config = settings(name, **stages)
    steps = method_spec(name).load_fit()(
        section_of(tissue, config),
        vectors,
        config,
        choose_device("cpu"),
        control or RunControl(),
    )
    return run_to_end(steps)


@cache
def read_by(name):
    """Return the section of the tissue and the inputs of a host, read once."""
    config = settings(name)
    section = section_of(banded_tissue(), config)
    return section, host_of(name).read(section, config)


def objective(name, semantics=None, size=WHOLE, seed=0, **stages):
    config = settings(name, **stages)
    section, inputs = read_by(name)
    tiles = np.array_split(np.arange(section.n_spots), 8)
    torch.manual_seed(seed)
    made = HostObjective(
        host_of(name), inputs, semantics, config, CPU, size, section.average, tiles
    )
    return made, config


def trained(made, config, control=None):
    record = run_to_end(train(made, config.training, control or RunControl()))
    return record, run_to_end(made.encode_all(RunControl())).clustered


@pytest.mark.parametrize("name", HOSTS)
def test_a_run_gives_views_and_the_same_bits_again(tissue, name):
    one = fitted(tissue, name, training={"epochs": 6, "learning_rate": 5e-3})
    torch.manual_seed(99)
    again = fitted(tissue, name, training={"epochs": 6, "learning_rate": 5e-3})
    assert np.array_equal(one.latent, again.latent)
    assert np.isfinite(one.latent).all()
    assert len(one.latent) == tissue.n_obs
    assert one.modulation is None
    assert len(one.views) == method_spec(name).n_views
    losses = one.record.losses
    assert np.mean(losses["loss"][-2:]) < np.mean(losses["loss"][:2])
    for epoch, total in enumerate(losses["loss"]):
        terms = [v[epoch] for n, v in losses.items() if n != "loss"]
        assert total == pytest.approx(sum(terms), rel=1e-5)
    other, config = objective(name, seed=1)
    assert not np.array_equal(trained(other, config)[1], one.latent)


@pytest.mark.parametrize("name", HOSTS)
def test_untrained_semantics_leaves_a_host_as_it_is(tissue, name):
    alone, _ = objective(name)
    want = run_to_end(alone.encode_all(RunControl())).clustered
    for fusion in FUSIONS:
        semantics, model = semantics_of(tissue.n_obs), {"fusion": fusion}
        fused, _ = objective(name, semantics, model=model)
        made = run_to_end(fused.encode_all(RunControl()))
        assert np.array_equal(made.clustered, want), fusion
        assert not made.modulation.scale.any()
        assert not made.modulation.shift.any()


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("size", [WHOLE, SAMPLED], ids=["whole", "sampled"])
def test_frozen_semantics_leaves_training_as_it_is(tissue, name, size):
    latents = []
    for semantics in (None, semantics_of(tissue.n_obs)):
        made, config = objective(name, semantics, size)
        if semantics is not None:
            made.network.fusion.requires_grad_(False)
        latents.append(trained(made, config)[1])
    assert np.array_equal(*latents)


@pytest.mark.parametrize("name", HOSTS)
def test_semantics_is_learnt_and_told(tissue, name):
    training = {"epochs": 4, "learning_rate": 1e-2}
    fit = fitted(tissue, name, semantics_of(tissue.n_obs), training=training)
    moved = fit.modulation
    assert moved.strength.shape == (tissue.n_obs,)
    assert moved.scale.any()
    assert moved.shift.any()


@pytest.mark.parametrize("name", HOSTS)
def test_samples_learn_and_all_spots_are_encoded(tissue, name):
    training = {"batch_spots": 96, "batch_parts": 2, "epochs": 2}
    fit = fitted(tissue, name, training=training)
    assert fit.notes["step"].startswith("96 spots")
    assert fit.latent.shape[0] == tissue.n_obs
    assert np.isfinite(fit.record.losses["loss"]).all()


# A plain one, one with buffers and clusters that begin halfway, one that draws spots.
@pytest.mark.parametrize("name", ["stagate", "sedr", "dusted"])
def test_a_training_that_was_ended_goes_on_to_the_same_bits(tissue, name):
    store = Held()
    want, config = objective(name, training={"epochs": 4})
    run_to_end(train(want, config.training, RunControl()))
    ended, _ = objective(name, training={"epochs": 4})
    ended_after(ended, 3, store, config.training)
    again, _ = objective(name, training={"epochs": 4})
    record = run_to_end(train(again, config.training, RunControl(store)))
    assert record.resumed_after == 3
    for key, value in want.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[key]), key


def test_what_is_learnt_is_shown_without_changing_it(tissue):
    for size in (WHOLE, SAMPLED):
        shown, config = objective("stagate", size=size)
        control = RunControl()
        control.snapshot_every(0.0)
        steps = list(train(shown, config.training, control))
        assert steps[0].latent.shape == (tissue.n_obs, config.model.latent)
        unseen, _ = objective("stagate", size=size)
        run_to_end(train(unseen, config.training, RunControl()))
        for one, other in zip(
            shown.network.parameters(), unseen.network.parameters(), strict=True
        ):
            assert torch.equal(one, other)


def test_a_penalty_on_the_size_of_modulation_is_there_where_asked_for(tissue):
    semantics, model = semantics_of(tissue.n_obs), {"weight_modulation": 10.0}
    made, _ = objective("graphst", semantics, model=model)
    torch.nn.init.normal_(made.network.fusion.factors[-1].weight)
    scale, shift = made.network.fusion.modulation(torch.as_tensor(semantics))
    want = 10 * (scale.square().mean() + shift.square().mean())
    torch.testing.assert_close(made.step_losses(0)["modulation"], want)
    plain, _ = objective("graphst", semantics, model={"weight_modulation": 0.0})
    assert "modulation" not in plain.step_losses(0)


def test_meaning_is_averaged_over_neighbours_as_often_as_asked(tissue):
    semantics, training = semantics_of(tissue.n_obs), {"epochs": 4}

    def latent(vectors, rounds):
        stages = {"semantics": {"smoothing_rounds": rounds}, "training": training}
        return fitted(tissue, "graphst", vectors, **stages).latent

    section = section_of(tissue, settings("graphst"))
    assert section.smoothing_rounds == 1
    twice = section.average @ (section.average @ semantics)
    assert np.array_equal(latent(semantics, 2), latent(twice, 0))
    assert np.array_equal(latent(semantics, -1), latent(semantics, 1))
    assert not np.array_equal(latent(semantics, 0), latent(semantics, 1))
    assert semantics.tobytes() == semantics_of(tissue.n_obs).tobytes()


def test_averaged_vectors_are_held_once_beside_those_that_were_given(monkeypatch):
    monkeypatch.setattr("napari_semst.prepare.components._WHOLE_VALUES", 0)
    random = np.random.default_rng(0)
    vectors = random.normal(size=(5000, 200)).astype(np.float32)
    places = random.uniform(size=(5000, 2))
    average, given = neighbour_average(places, 6), vectors.copy()
    config = settings("graphst", semantics={"smoothing_rounds": 3})
    tracemalloc.start()
    found = _smoothed(vectors, SimpleNamespace(average=average), config, RunControl())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    columns = vectors.nbytes * 10 / vectors.shape[1]
    assert most < vectors.nbytes + 3 * columns
    np.testing.assert_array_equal(vectors, given)
    once = average @ (average @ (average @ vectors))
    np.testing.assert_allclose(found, once, atol=1e-6)


@pytest.mark.parametrize(("processes", "parts"), [("2", 1), ("1", 4), ("2", 4)])
def test_numbers_of_their_own_are_not_shared_out(monkeypatch, processes, parts):
    monkeypatch.setenv("WORLD_SIZE", processes)
    refuse_own_state("linear", torch.nn.Linear(2, 2), parts)
    keeps = torch.nn.BatchNorm1d(2)
    if processes == "2" and parts > 1:
        with pytest.raises(ConfigError, match="without torchrun"):
            refuse_own_state("keeps", keeps, parts)
    else:
        refuse_own_state("keeps", keeps, parts)
