"""Events, and the switch that ends a run."""

from __future__ import annotations

import threading

import pytest

from napari_semst.errors import Cancelled, SemstError
from napari_semst.progress import STAGES, Progress, RunControl, exhaust


def test_a_fresh_control_lets_everything_pass():
    control = RunControl()
    assert not control.cancelled
    assert not control.stopping
    control.check()


def test_cancelling_is_for_good():
    control = RunControl()
    control.cancel()
    control.cancel()
    for _ in range(2):
        with pytest.raises(Cancelled, match="nothing was changed"):
            control.check()


def test_stopping_early_is_no_cancelling():
    control = RunControl()
    control.stop_early()
    control.check()
    assert control.stopping
    assert not control.cancelled


def test_another_thread_can_cancel():
    control = RunControl()
    thread = threading.Thread(target=control.cancel)
    thread.start()
    thread.join()
    assert control.cancelled


def test_cancelled_is_caught_with_the_projects_errors():
    assert issubclass(Cancelled, SemstError)


def test_exhaust_runs_to_the_end_and_returns_the_result():
    seen = []

    def steps():
        for step in range(3):
            seen.append(step)
            yield Progress("train", step, 3)
        return "result"

    assert exhaust(steps()) == "result"
    assert seen == [0, 1, 2]


def test_exhaust_lets_faults_through_and_cleans_up():
    cleaned = []

    def steps():
        try:
            yield Progress("train")
            raise KeyError("fault")
        finally:
            cleaned.append(True)

    with pytest.raises(KeyError, match="fault"):
        exhaust(steps())
    assert cleaned == [True]


def test_events_cannot_be_changed_and_share_nothing():
    event = Progress(STAGES[0])
    with pytest.raises(AttributeError):
        event.step = 2
    assert event.metrics is not Progress(STAGES[0]).metrics
    assert (event.step, event.steps, event.message) == (0, 0, "")
