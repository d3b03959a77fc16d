"""Steps that read a sample of the section and all neighbours of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from napari_semst.config import Request, TrainingConfig
from napari_semst.core.device import choose_device
from napari_semst.core.process_group import Group
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst import minibatch
from napari_semst.methods.semst import training as semst_training
from napari_semst.methods.semst.full_batch import FullBatchObjective
from napari_semst.methods.semst.inputs import from_components, from_expression
from napari_semst.methods.semst.minibatch import MinibatchObjective
from napari_semst.methods.spec import method_spec
from napari_semst.nn.losses import SpatialPairs, edges, spatial_loss
from napari_semst.pipeline.run import find_domains
from napari_semst.prepare.graphs import nearest_graph
from napari_semst.prepare.section import prepare_section
from napari_semst.sample import simulated_cortex
from napari_semst.training.batching import BATCH_SPOTS, WHOLE_SPOTS, batch_spots
from napari_semst.training.loop import train
from tests.small import short

CPU = torch.device("cpu")
BUILDERS = {"auto": from_components, "dlpfc": from_expression}


def inputs_of(tissue, preset="auto", **stages):
    config = resolve(short(preset, **stages))
    section = run_to_end(
        prepare_section(
            tissue.X,
            tissue.var_names.to_numpy(dtype=str),
            tissue.obsm["spatial"],
            config.prepare,
            RunControl(),
        )
    )
    random = np.random.default_rng(0)
    semantics = random.normal(size=(tissue.n_obs, 8)).astype(np.float32)
    return BUILDERS[preset](section, semantics, config)


def both(tissue, preset, batch=20, **stages):
    """Return the two kinds of problem with the same, non-silent weights."""
    inputs = inputs_of(tissue, preset, **stages)
    torch.manual_seed(0)
    whole = FullBatchObjective(inputs, CPU)
    sampled = MinibatchObjective(inputs, CPU, batch, 4)
    with torch.no_grad():
        for parameter in whole.network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    sampled.network.load_state_dict(whole.network.state_dict())
    return whole, sampled


@pytest.mark.parametrize("preset", BUILDERS)
def test_sampled_spots_are_encoded_as_in_the_whole_section(tissue, preset):
    whole, sampled = both(tissue, preset)
    spots = np.array([3, 7, 50, 51, 190])
    with torch.no_grad():
        every, some = whole.encode(), sampled._encode(spots)
    for have, want in zip(some[:4], every[:4], strict=True):
        torch.testing.assert_close(have, want[spots], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(some.modulation.scale, every.modulation.scale[spots])


@pytest.mark.parametrize("preset", BUILDERS)
def test_the_last_pass_encodes_every_spot_exactly(tissue, preset, monkeypatch):
    monkeypatch.setattr(minibatch, "CHUNK_SPOTS", 37)
    whole, sampled = both(tissue, preset, training={"average_last": 0.0})
    want, every = run_to_end(whole.encode_all(RunControl()))
    have, encoded = run_to_end(sampled.encode_all(RunControl()))
    np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoded.before, every.before, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoded.spatial, every.spatial, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(encoded.modulation.shift, every.modulation.shift)


def test_the_last_pass_can_be_cancelled(tissue):
    _, sampled = both(tissue, "auto")
    control = RunControl()
    steps = sampled.encode_all(control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)


def test_samples_give_value_and_gradient_of_the_whole_on_average():
    """Drawn edges are common among drawn spots, as they are not in the section."""
    random = np.random.default_rng(0)
    n_spots, n_draws = 8000, 200
    graph = nearest_graph(random.uniform(size=(n_spots, 2)), 6)
    latent = torch.as_tensor(random.normal(size=(n_spots, 5)) + 0.3)
    smoother = torch.as_tensor((graph @ latent.numpy()) / graph.sum(1)) - latent
    first, second = edges(graph)

    def at(spots, pairs):
        """Return the loss, and how it changes as spots move to their neighbours."""
        own = latent[spots].clone().requires_grad_()
        loss = spatial_loss(own, pairs)
        loss.backward()
        return loss.item(), float((own.grad * smoother[spots]).sum())

    whole = at(np.arange(n_spots), SpatialPairs.of_graph(graph))
    found = []
    for _ in range(n_draws):
        drawn = random.integers(len(first), size=300)
        spots = np.unique(np.concatenate([first[drawn], second[drawn]]))
        ends = (np.searchsorted(spots, ends[drawn]) for ends in (first, second))
        found.append(at(spots, SpatialPairs(*ends, len(spots), n_spots, len(first))))
    mean, error = np.mean(found, 0), np.std(found, 0) / np.sqrt(n_draws)
    assert (error < 0.01 * np.abs(whole)).all()
    assert (np.abs(mean - whole) < 4 * error + 1e-3 * np.abs(whole)).all()


def test_parts_draw_spots_of_their_own_and_the_same_ones_again(tissue):
    _, sampled = both(tissue, "auto", batch=40)
    assert sampled.n_parts == 4
    once, again = (
        [sampled.step_losses(0, part)["zinb"].item() for part in range(4)]
        for _ in range(2)
    )
    assert once == again
    assert len(set(once)) == 4


def test_weights_of_the_last_epochs_are_averaged(tissue):
    _, sampled = both(tissue, "auto", training={"epochs": 10, "average_last": 0.3})
    weights = []
    name = "output.0.weight"
    for epoch in range(10):
        weights.append(sampled.network.state_dict()[name].clone())
        for part in range(sampled.n_parts):
            sampled.step_losses(epoch, part)
        with torch.no_grad():
            for parameter in sampled.network.parameters():
                parameter.add_(0.01)
    weights.append(sampled.network.state_dict()[name].clone())
    run_to_end(sampled.encode_all(RunControl()))
    want = torch.stack(weights[7:]).mean(0)
    torch.testing.assert_close(sampled.network.state_dict()[name], want)


@pytest.mark.parametrize(
    ("asked", "n_spots", "expected"),
    [
        (-1, WHOLE_SPOTS, 0),
        (-1, WHOLE_SPOTS + 1, BATCH_SPOTS),
        (0, 10**6, 0),
        (500, 400, 0),
        (500, 10**6, 500),
    ],
)
def test_size_decides_what_a_step_reads(asked, n_spots, expected):
    assert batch_spots(TrainingConfig(batch_spots=asked), n_spots) == expected


@pytest.mark.run
@pytest.mark.parametrize("preset", BUILDERS)
def test_the_loss_falls(tissue, preset):
    config = resolve(
        short(preset, training={"epochs": 30, "batch_spots": 60, "decoded_spots": 0})
    )
    section = run_to_end(
        prepare_section(
            tissue.X,
            tissue.var_names.to_numpy(dtype=str),
            tissue.obsm["spatial"],
            config.prepare,
            RunControl(),
        )
    )
    steps = method_spec("semst").load_fit()(
        section, None, config, choose_device("cpu"), RunControl()
    )
    fit = run_to_end(steps)
    curve = fit.record.losses["loss"]
    assert np.mean(curve[-5:]) < 0.97 * np.mean(curve[:5])
    assert "drawn anew" in fit.notes["step"]


def fail_now_and_then(monkeypatch, owner, name, fails):
    """Let a function find the GPU full on the calls that ``fails`` picks."""
    plain, calls = getattr(owner, name), []

    def full(self, *args):
        calls.append(args)
        if fails(self, *args):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(self, *args)

    monkeypatch.setattr(owner, name, full)
    return calls


def fitted(tissue, **training):
    inputs = inputs_of(tissue, "auto", training=training)
    return run_to_end(semst_training._trained(inputs, CPU, RunControl()))


def test_a_full_gpu_is_given_smaller_steps_and_the_record_says_so(tissue, monkeypatch):
    fail_now_and_then(monkeypatch, FullBatchObjective, "step_losses", lambda *_: True)
    too_many = lambda problem, *_: problem.n_parts < 8  # noqa: E731
    fail_now_and_then(monkeypatch, MinibatchObjective, "step_losses", too_many)
    problem, record, note = fitted(tissue, epochs=3)
    assert (problem.n_parts, record.epochs) == (8, 3)
    assert note.startswith("4,096 spots drawn anew in 8 parts")
    assert "did not fit into the GPU's memory" in note


def test_a_gpu_too_small_for_any_step_is_told(tissue, monkeypatch):
    for kind in (FullBatchObjective, MinibatchObjective):
        fail_now_and_then(monkeypatch, kind, "step_losses", lambda *_: True)
    with pytest.raises(torch.OutOfMemoryError):
        fitted(tissue, epochs=3)


def test_the_last_pass_shrinks_its_chunks_on_a_full_gpu(tissue, monkeypatch):
    _, sampled = both(tissue, "auto", training={"average_last": 0.0})
    want, _ = run_to_end(sampled.encode_all(RunControl()))
    monkeypatch.setattr(minibatch, "_FEWEST_SPOTS", 16)
    monkeypatch.setattr(minibatch, "CHUNK_SPOTS", 128)

    def large(_, view, spots):
        return spots.stop - spots.start > 50

    calls = fail_now_and_then(monkeypatch, MinibatchObjective, "_mixed", large)
    have, _ = run_to_end(sampled.encode_all(RunControl()))
    np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-6)
    sizes = [spots.stop - spots.start for _, spots in calls]
    assert sizes[:3] == [128, 64, 32]


def test_a_gpu_too_small_for_the_section_itself_is_given_samples(tissue, monkeypatch):
    fail_now_and_then(monkeypatch, FullBatchObjective, "__init__", lambda *_: True)
    problem, _, note = fitted(tissue, epochs=2)
    assert isinstance(problem, MinibatchObjective)
    assert "did not fit" in note


def test_several_processes_do_not_retry_on_their_own(tissue, monkeypatch):
    fail_now_and_then(monkeypatch, FullBatchObjective, "step_losses", lambda *_: True)
    monkeypatch.setattr(semst_training, "current_group", lambda: Group(0, 2))
    monkeypatch.setattr(Group, "check_same", lambda *_: None)
    with pytest.raises(torch.OutOfMemoryError):
        fitted(tissue, epochs=2)


def test_samples_teach_what_the_whole_section_teaches(tissue):
    """Judged by the loss over the whole section, which sampled steps never see."""

    def loss_of(weights):
        whole = FullBatchObjective(inputs, CPU)
        whole.network.load_state_dict(weights)
        with torch.no_grad():
            return sum(whole.step_losses(0).values()).item()

    training = {"epochs": 60, "decoded_spots": 0, "average_last": 0.0}
    inputs = inputs_of(tissue, training=training)
    losses = {}
    for name, n_parts in (("whole", 1), ("sampled", 2)):
        torch.manual_seed(0)
        problem = (
            FullBatchObjective(inputs, CPU)
            if name == "whole"
            else MinibatchObjective(inputs, CPU, 160, n_parts)
        )
        losses["untrained"] = loss_of(problem.network.state_dict())
        run_to_end(train(problem, inputs.config.training, RunControl()))
        losses[name] = loss_of(problem.network.state_dict())
    gained = losses["untrained"] - losses["whole"]
    assert gained > 0.05 * losses["untrained"]
    assert losses["untrained"] - losses["sampled"] > 0.9 * gained


def test_samples_lead_to_the_domains_of_the_whole():
    """The size at which sampling switches on must not show in the result."""
    tissue = simulated_cortex(2400, 700, image=False, hard=True)
    found = [
        run_to_end(
            find_domains(
                tissue,
                Request(
                    overrides={
                        "domains": {"n_domains": 7, "n_starts": 2},
                        "training": {"batch_spots": size},
                    }
                ),
            )
        )
        for size in (0, 1800)
    ]
    assert adjusted_rand_score(found[0].codes, found[1].codes) >= 0.95
    assert found[1].modulation is not None
