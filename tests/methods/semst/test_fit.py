"""The methods on a prepared section."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_semst.config import Request
from napari_semst.config.method_registry import METHODS
from napari_semst.core.device import choose_device
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import ConfigError, TrainingError
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst.full_batch import FullBatchObjective
from napari_semst.methods.semst.inputs import from_components
from napari_semst.methods.spec import method_spec
from napari_semst.prepare.components import smooth_over_neighbours
from napari_semst.prepare.section import prepare_section
from tests.small import short


@pytest.fixture
def semantics(tissue):
    random = np.random.default_rng(0)
    return random.normal(size=(tissue.n_obs, 8)).astype(np.float32)


@pytest.fixture
def prepared(tissue):
    def prepare(config):
        return run_to_end(
            prepare_section(
                tissue.X,
                tissue.var_names.to_numpy(dtype=str),
                tissue.obsm["spatial"],
                config.prepare,
                RunControl(),
            )
        )

    return prepare


def fitted(prepared, semantics, preset="auto", **stages):
    config = resolve(short(preset, **stages))
    section = prepared(config)
    steps = method_spec(config.model.method).load_fit()(
        section, semantics, config, choose_device("cpu"), RunControl()
    )
    return run_to_end(steps), section, config


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_latent_and_views(prepared, semantics, name):
    fit, section, _ = fitted(prepared, semantics, model={"method": name})
    assert fit.latent.shape[0] == section.n_spots
    assert fit.latent.dtype == np.float32
    for view in fit.views:
        assert view.values.shape[0] == section.n_spots
        assert np.isfinite(view.values).all()


def test_unknown_methods_are_refused():
    with pytest.raises(
        ConfigError, match=r"'semst', 'quick', 'image-guided', .*; got 'magic'"
    ):
        method_spec("magic")


def test_quick_is_smoothed_components(prepared, semantics):
    fit, section, _ = fitted(prepared, semantics, "quick")
    root = section.components(0).root
    want = smooth_over_neighbours(
        root[:, :15], section.average, section.smoothing_rounds
    )
    assert np.array_equal(fit.latent, want)
    assert fit.modulation is None
    assert fit.record.epochs == 0


@pytest.mark.parametrize("preset", ["auto", "dlpfc"])
def test_the_loss_falls(prepared, semantics, preset):
    training = {"epochs": 25, "decoded_spots": 0}
    fit, _, _ = fitted(prepared, semantics, preset, training=training)
    curve = fit.record.losses["loss"]
    assert len(curve) == 25
    assert curve[-1] < 0.95 * curve[0]
    for epoch, total in enumerate(curve):
        terms = [v[epoch] for n, v in fit.record.losses.items() if n != "loss"]
        assert total == pytest.approx(sum(terms), rel=1e-5)


def test_weights_scale_their_terms(prepared, semantics):
    one, ten = (
        fitted(
            prepared,
            semantics,
            "dlpfc",
            model={"weight_spatial": weight, "weight_correlation": weight},
            training={"epochs": 1},
        )[0].record.losses
        for weight in (0.1, 1.0)
    )
    for name in ("spatial", "correlation"):
        assert ten[name][0] == pytest.approx(10 * one[name][0], rel=1e-4)
    assert ten["zinb"] == one["zinb"]


def test_the_modulation_weight_keeps_modulation_small(prepared, semantics):
    strength = []
    for weight in (0.0, 100.0):
        fit, _, _ = fitted(
            prepared,
            semantics,
            model={"weight_modulation": weight},
            training={"epochs": 15},
        )
        assert ("modulation" in fit.record.losses) == (weight > 0)
        strength.append(float(fit.modulation.strength.mean()))
    assert strength[1] < strength[0]


def test_the_base_is_what_the_latent_starts_from(prepared, semantics):
    """A rate of almost nothing leaves smoothed components."""
    training = {"epochs": 1, "learning_rate": 1e-12, "average_last": 0.0}
    fit, section, config = fitted(prepared, semantics, training=training)
    root = section.components(0).root
    width = config.model.latent
    scaled = root / root[:, :30][:, 0].std()
    want = smooth_over_neighbours(
        scaled[:, :width], section.average, section.smoothing_rounds
    )
    want = want / want[:, 0].std()
    np.testing.assert_allclose(fit.latent, want, atol=1e-4)


def test_fewer_components_than_the_latent_is_wide(tissue, prepared, semantics):
    fit, _, _ = fitted(
        prepared, semantics, prepare={"n_components": 3, "n_top_genes": 20}
    )
    assert fit.latent.shape == (tissue.n_obs, 15)
    assert np.isfinite(fit.latent).all()


def problem_of(prepared, semantics, **stages):
    config = resolve(short(**stages))
    section = prepared(config)
    torch.manual_seed(0)
    place = torch.device("cpu")
    return FullBatchObjective(from_components(section, semantics, config), place)


def test_latents_of_the_last_epochs_are_averaged(prepared, semantics):
    training = {"epochs": 10, "average_last": 0.3}
    problem = problem_of(prepared, semantics, training=training)
    latents = []
    for epoch in range(10):
        with torch.no_grad():
            latents.append(problem.encode().latent.clone())
        problem.step_losses(epoch)
        with torch.no_grad():
            for parameter in problem.network.parameters():
                parameter.add_(0.01)
    with torch.no_grad():
        latents.append(problem.encode().latent)
    have, _ = run_to_end(problem.encode_all(RunControl()))
    # The three last epochs, as they were when trained, and what came of them.
    np.testing.assert_allclose(
        have, torch.stack(latents[7:]).mean(0).numpy(), rtol=1e-4, atol=1e-5
    )


def test_without_averaging_the_last_state_is_the_latent(prepared, semantics):
    problem = problem_of(prepared, semantics, training={"average_last": 0.0})
    problem.step_losses(0)
    latent, encoded = run_to_end(problem.encode_all(RunControl()))
    np.testing.assert_array_equal(latent, encoded.latent.numpy())


def test_steps_reconstruct_spots_drawn_anew(prepared, semantics):
    problem = problem_of(prepared, semantics, training={"decoded_spots": 20})
    drawn = [problem._target(epoch)[1].tolist() for epoch in (0, 1, 0)]
    assert all(len(set(rows)) == 20 for rows in drawn)
    assert drawn[0] == drawn[2] != drawn[1]


def test_the_learning_rate_can_be_too_high(prepared, semantics):
    training = {"epochs": 200, "learning_rate": 1e30}
    with pytest.raises(TrainingError, match="Lower the learning rate"):
        fitted(prepared, semantics, "dlpfc", training=training)


def test_no_preset_of_a_method_needs_semantics(prepared):
    for preset in ("auto", "quick", "starmap"):
        assert fitted(prepared, None, preset)[0].modulation is None


def test_the_request_decides_the_device(tissue):
    assert resolve(Request()).training.device == "auto"
