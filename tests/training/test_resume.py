"""A training that was ended goes on to the bits that it would have had."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from napari_semst.config import TrainingConfig
from napari_semst.core.progress import NOTED, RunControl, run_to_end
from napari_semst.training.loop import train

CONFIG = TrainingConfig(epochs=12, learning_rate=0.1)


class Held:
    """A store in memory that keeps every epoch, as a file would."""

    def __init__(self):
        self.states, self.failure, self.said = {}, "", ""

    def due(self, *, finished):
        return True

    def write(self, name, state):
        if not self.failure:
            self.states[name] = {k: v.clone() for k, v in state.items()}
        return self.failure

    def read(self, name):
        return self.states.get(name), self.said


class Noisy:
    """A problem whose every step draws random numbers and counts in a buffer."""

    n_parts = 3

    def __init__(self):
        # Transposed in memory, as some weights are.
        self.place = torch.nn.Parameter(torch.linspace(0, 1, 6).reshape(3, 2).T)
        self.seen = torch.zeros(2, 3)

    def parameter_groups(self):
        return [{"params": [self.place]}]

    def step_losses(self, epoch, part):
        drawn = torch.randn(2, 3)
        self.seen += drawn
        return {"far": (self.place - drawn).square().sum() * (1 + epoch)}

    def current_latent(self):
        return self.place.detach().numpy()

    def training_state(self):
        return {"place": self.place.data, "seen": self.seen}

    def restore_training(self, state):
        self.place.data.copy_(state["place"])
        self.seen = state["seen"].clone()


class Forgetful(Noisy):
    """The same, but unable to go on."""

    training_state = None


def ended_after(model, epochs, store, config=CONFIG):
    steps = train(model, config, RunControl(store))
    for _ in range(epochs):
        next(steps)
    steps.close()


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("after", [1, 7, 12])
def test_it_goes_on_to_the_same_bits(after, schedule):
    config = dataclasses.replace(CONFIG, schedule=schedule)
    whole = Noisy()
    wanted = run_to_end(train(whole, config, RunControl()))
    store, again, events = Held(), Noisy(), []
    ended_after(Noisy(), after, store, config)
    record = run_to_end(train(again, config, RunControl(store)), events.append)
    assert record.losses == wanted.losses
    assert (record.resumed_after, wanted.resumed_after) == (after, 0)
    assert torch.equal(again.place, whole.place)
    assert torch.equal(again.seen, whole.seen)
    assert [event.step for event in events] == list(range(after, 13))
    assert [event.notice for event in events] == [NOTED] + [""] * (12 - after)
    assert f"after epoch {after} of 12" in events[0].message


def test_keeping_changes_nothing():
    kept, plain = Noisy(), Noisy()
    run_to_end(train(kept, CONFIG, RunControl(Held())))
    run_to_end(train(plain, CONFIG, RunControl()))
    assert torch.equal(kept.place, plain.place)


def test_several_stops_in_a_row_change_nothing():
    whole, store, again = Noisy(), Held(), Noisy()
    wanted = run_to_end(train(whole, CONFIG, RunControl()))
    for _ in range(3):
        # Its first event says where it goes on.
        ended_after(Noisy(), 3, store)
    assert run_to_end(train(again, CONFIG, RunControl(store))).losses == wanted.losses
    assert torch.equal(again.place, whole.place)


def test_what_cannot_go_on_begins_anew():
    store, model = Held(), Forgetful()
    ended_after(Forgetful(), 4, store)
    assert not store.states
    assert run_to_end(train(model, CONFIG, RunControl(store))).resumed_after == 0


def test_what_goes_wrong_with_it_is_told_once_and_ends_nothing():
    store, events = Held(), []
    store.failure, store.said = "No room.", "It is damaged."
    record = run_to_end(train(Noisy(), CONFIG, RunControl(store)), events.append)
    assert record.epochs == 12
    assert [e.message for e in events if e.notice] == ["It is damaged.", "No room."]


def test_an_early_stop_is_not_kept_as_the_end():
    store, control = Held(), RunControl()
    control.states = store
    steps = train(Noisy(), CONFIG, control)
    next(steps)
    control.stop_early()
    with pytest.raises(StopIteration):
        next(steps)
    assert int(store.states["network"]["epochs"]) == 1
