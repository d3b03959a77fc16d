"""Events, and the switch that ends a run."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial

import pytest

from napari_semst.core.progress import (
    PRIVACY,
    STAGES,
    Progress,
    RunControl,
    run_in_thread,
    run_to_end,
    with_callback,
)
from napari_semst.core.threads import side_by_side, threads_limited
from napari_semst.errors import Cancelled, SemstError


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

    assert run_to_end(steps()) == "result"
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
        run_to_end(steps())
    assert cleaned == [True]


def test_events_cannot_be_changed_and_share_nothing():
    event = Progress(STAGES[0])
    with pytest.raises(AttributeError):
        event.step = 2
    assert event.metrics is not Progress(STAGES[0]).metrics
    assert (event.step, event.steps, event.message) == (0, 0, "")


def test_work_in_a_thread_tells_its_steps_and_returns():
    def work(tell):
        tell(1, 2)
        tell(2, 2)
        return threading.current_thread() is not threading.main_thread()

    events: list[Progress] = []
    steps = run_in_thread("train", "Working", work, RunControl())
    assert run_to_end(with_callback(steps, events.append)) is True
    assert [(event.step, event.steps) for event in events] == [(0, 0), (1, 2), (2, 2)]
    assert {event.message for event in events} == {"Working"}


def test_a_fault_of_the_work_is_raised_where_it_is_awaited():
    with pytest.raises(ZeroDivisionError):
        run_to_end(run_in_thread("train", "", lambda _: 1 / 0, RunControl()))


def test_cancelling_does_not_wait_for_work_that_tells_nothing():
    control, release = RunControl(), threading.Event()
    steps = run_in_thread("train", "", lambda _: release.wait(60), control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)
    release.set()


def test_work_has_as_many_threads_as_who_awaits_it():
    import torch
    from threadpoolctl import threadpool_info

    def of_openmp(_):
        return {
            i["num_threads"] for i in threadpool_info() if i["user_api"] == "openmp"
        }

    with threads_limited(1):
        assert torch.get_num_threads() == 1
        found = run_to_end(run_in_thread("train", "", of_openmp, RunControl()))
    assert found == {1}


def test_jobs_side_by_side_keep_their_order():
    barrier = threading.Barrier(2, timeout=30)

    def job(number):
        barrier.wait()
        return number

    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert side_by_side([partial(job, number) for number in range(4)]) == [
            0,
            1,
            2,
            3,
        ]
        with threads_limited(1):
            # What may run at once is what was there before the limit.
            assert side_by_side([partial(job, n) for n in range(2)]) == [0, 1]
    finally:
        torch.set_num_threads(before)


FRESH = """
import torch
from napari_semst.config import Request
from napari_semst.pipeline.run import find_domains
from napari_semst.sample import simulated_cortex

tissue = simulated_cortex(200, 600, image=False)
settings = {"domains": {"n_domains": 3}, "training": {"epochs": 3}}
torch.set_num_threads(2)
for event in find_domains(tissue, Request(overrides=settings)):
    if event.stage == "train":
        assert torch.get_num_threads() == 1, event
assert torch.get_num_threads() == 2
"""


@pytest.mark.slow
def test_a_small_section_is_trained_on_one_thread_from_the_first_step():
    """In a process of its own: numba starts its threads once."""
    done = subprocess.run(
        [sys.executable, "-c", FRESH], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_work_goes_on_only_once_a_notice_was_heard():
    done = []

    def work(tell):
        tell.announce("Genes leave.", PRIVACY)
        done.append("sent")

    steps = run_in_thread("describe", "Reading", work, RunControl())
    event = next(event for event in steps if event.notice)
    assert (event.message, event.notice, done) == ("Genes leave.", PRIVACY, [])
    run_to_end(steps)
    assert done == ["sent"]
    steps = run_in_thread("describe", "Reading", work, RunControl())
    next(event for event in steps if event.notice)
    steps.close()
    for thread in threading.enumerate():
        if thread.name == "semst describe":
            thread.join(5)
    assert done == ["sent"]
