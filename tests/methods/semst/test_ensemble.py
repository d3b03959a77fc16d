"""Several networks on the same inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_semst.config import TrainingConfig
from napari_semst.core.device import choose_device
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst.full_batch import checkpoint_epochs
from napari_semst.methods.semst.inputs import from_components
from napari_semst.methods.semst.training import member_seed, train_members
from napari_semst.methods.spec import method_spec
from napari_semst.prepare.section import prepare_section
from tests.small import short


@pytest.fixture
def steps(tissue):
    """Return a function that begins a training with some settings."""
    semantics = np.random.default_rng(0).normal(size=(tissue.n_obs, 8))

    def begin(preset="auto", control=None, **training):
        config = resolve(short(preset, training=training))
        section = run_to_end(
            prepare_section(
                tissue.X,
                tissue.var_names.to_numpy(dtype=str),
                tissue.obsm["spatial"],
                config.prepare,
                RunControl(),
            )
        )
        return method_spec("semst").load_fit()(
            section,
            semantics.astype(np.float32),
            config,
            choose_device("cpu"),
            control or RunControl(),
        )

    def inputs(**training):
        config = resolve(short(training=training))
        section = run_to_end(
            prepare_section(
                tissue.X,
                tissue.var_names.to_numpy(dtype=str),
                tissue.obsm["spatial"],
                config.prepare,
                RunControl(),
            )
        )
        return from_components(section, semantics.astype(np.float32), config)

    begin.inputs = inputs
    return begin


def test_an_ensemble_is_the_mean_of_runs_from_its_seeds(steps):
    together = run_to_end(steps(ensemble=3, seed=5))
    seeds = [member_seed(5, number) for number in range(3)]
    assert seeds[0] == 5
    assert len(set(seeds)) == 3
    alone = [run_to_end(steps(seed=5))]
    inputs = steps.inputs(seed=5)
    latents = []
    for seed in seeds:
        config = replace(
            inputs.config, training=replace(inputs.config.training, seed=seed)
        )
        (one,) = run_to_end(
            train_members(
                replace(inputs, config=config), torch.device("cpu"), RunControl()
            )
        )
        latents.append(one.latent)
    np.testing.assert_allclose(together.latent, np.mean(latents, axis=0), atol=1e-5)
    assert np.abs(latents[0] - latents[1]).max() > 1e-6
    assert together.notes["networks"] == 3
    assert len(set(together.notes["last_losses"])) == 3
    assert together.notes["last_losses"][0] == alone[0].notes["last_losses"][0]
    # Views other than the latent are those of the section.
    for one, other in zip(together.views[:-1], alone[0].views[:-1], strict=True):
        assert np.array_equal(one.values, other.values)
    # Alpha is the first network's; strengths are means.
    assert np.array_equal(together.modulation.scale, alone[0].modulation.scale)
    assert not np.array_equal(
        together.modulation.strength, alone[0].modulation.strength
    )


def test_an_ensemble_of_one_is_a_plain_run(steps):
    one, plain = run_to_end(steps(ensemble=1)), run_to_end(steps())
    assert np.array_equal(one.latent, plain.latent)
    assert one.replicates == ()


def test_progress_is_told_as_of_one_long_training(steps):
    events = [e for e in steps(ensemble=2, epochs=6) if "loss" in e.metrics]
    assert [event.step for event in events] == list(range(1, 13))
    assert {event.steps for event in events} == {12}
    assert "2 of 2" in events[-1].message


def test_after_an_early_stop_no_further_network_begins(steps):
    control = RunControl()
    run = steps(control=control, ensemble=3, epochs=6)
    for event in run:
        if event.metrics:
            control.stop_early()
            break
    fit = run_to_end(run)
    assert fit.notes["networks"] == 1
    assert fit.record.stopped_early


def test_late_checkpoints_of_the_published_recipe_are_heard(steps):
    fit = run_to_end(steps("dlpfc", ensemble=2, checkpoints=3, epochs=10))
    assert len(fit.replicates) == 5
    assert len({one.tobytes() for one in (fit.latent, *fit.replicates)}) == 6
    assert sum(not view.smooth for view in fit.views) == 6


def test_checkpoints_are_late_and_evenly_apart():
    training = TrainingConfig(epochs=100, checkpoints=3, average_last=0.0)
    assert checkpoint_epochs(training) == {90, 80}
    assert not checkpoint_epochs(TrainingConfig(epochs=100, checkpoints=3))
    one = TrainingConfig(epochs=100, checkpoints=1, average_last=0.0)
    assert not checkpoint_epochs(one)
