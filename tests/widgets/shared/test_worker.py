"""Steps that are walked in a worker: few events, an outcome, an end in any case."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace

import pytest

from napari_semst.core.progress import Progress, RunControl
from napari_semst.errors import Cancelled
from napari_semst.widgets.shared import worker
from napari_semst.widgets.shared.worker import (
    SECONDS_BETWEEN_EVENTS,
    SteppedTask,
    told_sparingly,
)


def walked(steps, control=None, after=lambda number: None):
    """Return the events that were passed on, and the outcome."""
    told, passed = told_sparingly(7, steps, control or RunControl()), []
    while True:
        try:
            passed.append(next(told))
        except StopIteration as end:
            return passed, end.value
        after(len(passed))


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves when it is told to."""
    now = [100.0]
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def counting(clock, seconds, ended):
    """Yield ten events, each after some seconds, and note the end."""
    try:
        for number in range(10):
            clock[0] += seconds
            yield Progress("explain", number, 10)
        return "all"
    finally:
        ended.append(True)


@pytest.mark.parametrize(("share", "n_passed"), [(1.0, 10), (0.5, 5), (0.1, 1)])
def test_few_events_are_passed_on_and_the_value_at_the_end(clock, share, n_passed):
    ended = []
    steps = counting(clock, share * SECONDS_BETWEEN_EVENTS, ended)
    passed, outcome = walked(steps)
    assert len(passed) == n_passed
    assert {number for number, _ in passed} == {7}
    assert outcome == ("all", "")
    assert ended


def test_an_error_is_the_outcome_with_its_traceback(clock):
    def failing():
        yield Progress("explain", 0, 1)
        raise ValueError("no such gene")

    passed, (outcome, details) = walked(failing())
    assert len(passed) == 1
    assert isinstance(outcome, ValueError)
    assert "no such gene" in details


def test_cancelled_steps_are_closed(clock):
    control, ended = RunControl(), []
    steps = counting(clock, 1.0, ended)
    passed, (outcome, _) = walked(steps, control, lambda number: control.cancel())
    assert len(passed) == 1
    assert isinstance(outcome, Cancelled)
    assert ended


class Held:
    """Steps that go on when they are let."""

    def __init__(self):
        self.go, self.begun, self.ended = Event(), Event(), Event()

    def steps(self, value, control):
        try:
            yield Progress("explain", 0, 1, f"at {value}")
            self.begun.set()
            while not self.go.wait(0.01):
                control.check()
            if isinstance(value, Exception):
                raise value
            return value
        finally:
            self.ended.set()


class Heard:
    """A task, and what it told."""

    def __init__(self, steps_of):
        self.task, self.told = SteppedTask(steps_of), []
        self.task.progressed.connect(lambda event: self.told.append(event.message))
        self.task.done.connect(self.told.append)
        self.task.failed.connect(lambda error, details: self.told.append(str(error)))


def test_a_task_tells_progress_and_what_came_of_it(qtbot):
    held = Held()
    heard = Heard(held.steps)
    heard.task.start("first")
    assert heard.task.busy
    held.go.set()
    qtbot.waitUntil(lambda: not heard.task.busy)
    assert heard.told == ["at first", "first"]


def test_a_task_tells_why_it_failed(qtbot):
    held = Held()
    heard = Heard(held.steps)
    held.go.set()
    heard.task.start(ValueError("no such gene"))
    qtbot.waitUntil(lambda: not heard.task.busy)
    assert heard.told[-1] == "no such gene"


def test_a_task_that_was_stopped_tells_nothing_more(qtbot):
    held = Held()
    heard = Heard(held.steps)
    heard.task.start("first")
    qtbot.waitUntil(held.begun.is_set)
    heard.task.stop()
    assert not heard.task.busy
    qtbot.waitUntil(held.ended.is_set)
    qtbot.wait(20)
    assert "first" not in heard.told


def test_only_the_newest_call_of_a_task_is_answered(qtbot):
    first, second = Held(), Held()
    heard = Heard(lambda held, value, control: held.steps(value, control))
    heard.task.start(first, "first")
    qtbot.waitUntil(first.begun.is_set)
    heard.task.start(second, "second")
    for held in (first, second):
        held.go.set()
    qtbot.waitUntil(lambda: not heard.task.busy)
    assert first.ended.is_set()
    assert "second" in heard.told
    assert "first" not in heard.told


def test_a_task_that_is_destroyed_ends_its_steps(qtbot):
    held = Held()
    task = SteppedTask(held.steps)
    task.start("first")
    qtbot.waitUntil(held.begun.is_set)
    task.deleteLater()
    del task
    qtbot.waitUntil(held.ended.is_set)
