"""The training loop on a problem whose answer is known."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from napari_semst.config import TrainingConfig
from napari_semst.core.device import memory_errors_explained
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled, DeviceError, TrainingError
from napari_semst.training.adam import Adam
from napari_semst.training.loop import train
from napari_semst.training.record import TrainingRecord

CONFIG = TrainingConfig(epochs=40, learning_rate=0.1, weight_decay=0.0)


class Parabola:
    """Two weighted terms whose sum is least at 3."""

    def __init__(self, poison=()):
        self.place = torch.nn.Parameter(torch.zeros(1))
        self.poison = dict(poison)
        self.epochs = []

    def parameter_groups(self):
        return [{"params": [self.place]}]

    n_parts = 1

    def current_latent(self):
        return self.place.detach().numpy().copy()[:, None]

    def step_losses(self, epoch, part):
        self.epochs.append(epoch)
        found = self.poison.get(epoch)
        if isinstance(found, Exception):
            raise found
        near = (self.place - 3).square().sum() * (1 if found is None else found)
        return {"near": near, "half": 0.5 * near}


def walk(model, config=CONFIG, control=None, at=None, act=None):
    """Return events and record; act on the control after the event of epoch ``at``."""
    control = control or RunControl()
    steps, events = train(model, config, control), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value
        if len(events) == at:
            act(control)


def test_the_loss_falls_to_the_answer():
    model = Parabola()
    _, record = walk(model, dataclasses.replace(CONFIG, epochs=200))
    assert record.losses["loss"][-1] < 1e-3 * record.losses["loss"][0]
    assert model.place.item() == pytest.approx(3, abs=0.1)


def test_what_is_learnt_is_shown_to_whoever_asks():
    events, _ = walk(Parabola())
    assert all(event.latent is None for event in events)
    control = RunControl()
    control.snapshot_every(0.0)
    events, _ = walk(Parabola(), control=control)
    assert events[0].latent.shape == (1, 1)


def test_the_record_holds_every_term_of_every_epoch():
    events, record = walk(model := Parabola())
    assert model.epochs == list(range(40))
    assert record.epochs == len(events) == 40
    assert not record.stopped_early
    assert set(record.losses) == {"loss", "near", "half"}
    for loss, near, half in zip(*record.losses.values(), strict=True):
        assert loss == pytest.approx(near + half)
    assert record.losses["near"][0] == 9.0
    assert [event.step for event in events] == list(range(1, 41))
    assert {(event.stage, event.steps) for event in events} == {("train", 40)}
    assert [event.metrics["loss"] for event in events] == record.losses["loss"]


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.05), ("constant", 1.0)])
def test_the_learning_rate_follows_its_schedule(monkeypatch, schedule, last):
    rates, adam_step = [], Adam.step

    def noted(self, *args, **kwargs):
        rates.append(self.groups[0]["lr"])
        return adam_step(self, *args, **kwargs)

    monkeypatch.setattr(Adam, "step", noted)
    walk(Parabola(), dataclasses.replace(CONFIG, schedule=schedule))
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.1 * last, rel=0.05)
    assert rates == sorted(rates, reverse=True)
    middle = 0.1 * (1 + last) / 2
    assert rates[20] == pytest.approx(middle)


def test_weight_decay_reaches_the_optimiser():
    model = Parabola()
    config = dataclasses.replace(CONFIG, epochs=300, weight_decay=3.0)
    walk(model, config)
    # d/dx of 1.5 (x - 3)^2 + 1.5 x^2 is zero halfway.
    assert model.place.item() == pytest.approx(1.5, abs=0.1)


def test_long_gradients_are_cut_to_the_length_that_is_allowed(monkeypatch):
    lengths, adam_step = [], Adam.step

    def noted(self, *args, **kwargs):
        lengths.append(self.groups[0]["params"][0].grad.norm().item())
        return adam_step(self, *args, **kwargs)

    monkeypatch.setattr(Adam, "step", noted)
    walk(Parabola())
    free, lengths[:] = lengths[0], []
    walk(Parabola(), dataclasses.replace(CONFIG, largest_gradient=0.5))
    assert free > 1
    assert max(lengths) == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
@pytest.mark.parametrize("epoch", [0, 5])
def test_a_loss_that_is_no_number_ends_training(factor, epoch):
    model = Parabola({epoch: factor})
    with pytest.raises(TrainingError, match=rf"at epoch {epoch + 1} it is (nan|inf)"):
        run_to_end(train(model, CONFIG, RunControl()))
    assert len(model.epochs) == epoch + 1


def test_a_full_device_is_told_in_words():
    full = torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")
    steps = train(Parabola({2: full}), CONFIG, RunControl())
    wanted = r"out of memory.*device 'cpu'"
    with pytest.raises(DeviceError, match=wanted) as caught, memory_errors_explained():
        run_to_end(steps)
    assert "\n" not in str(caught.value)


def test_other_faults_are_not_dressed_up():
    with pytest.raises(ZeroDivisionError):
        run_to_end(train(Parabola({0: ZeroDivisionError()}), CONFIG, RunControl()))


@pytest.mark.parametrize("at", [1, 39])
def test_cancel_ends_it_before_the_next_epoch(at):
    model = Parabola()
    with pytest.raises(Cancelled):
        walk(model, at=at, act=RunControl.cancel)
    assert len(model.epochs) == at


def test_cancelled_before_it_began():
    control, model = RunControl(), Parabola()
    control.cancel()
    with pytest.raises(Cancelled):
        walk(model, control=control)
    assert not model.epochs


@pytest.mark.parametrize("at", [1, 7, 39])
def test_stopping_early_keeps_the_epochs_done(at):
    model = Parabola()
    events, record = walk(model, at=at, act=RunControl.stop_early)
    assert record.stopped_early
    assert record.epochs == len(events) == len(model.epochs) == at


def test_stopping_after_the_last_epoch_changes_nothing():
    _, record = walk(Parabola(), at=40, act=RunControl.stop_early)
    assert (record.epochs, record.stopped_early) == (40, False)


def test_stopped_before_it_began():
    control = RunControl()
    control.stop_early()
    events, record = walk(Parabola(), control=control)
    assert (events, record.epochs, record.stopped_early) == ([], 0, True)


def test_an_empty_record_has_no_epochs():
    assert TrainingRecord().epochs == 0
