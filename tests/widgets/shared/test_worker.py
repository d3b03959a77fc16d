"""Steps that are walked in a worker: few events, an outcome, an end in any case."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_semst.core.progress import Progress, RunControl
from napari_semst.errors import Cancelled
from napari_semst.widgets.shared import worker
from napari_semst.widgets.shared.worker import SECONDS_BETWEEN_EVENTS, told_sparingly


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
