from __future__ import annotations

import pytest

from napari_semst.config import Request
from napari_semst.core.progress import STAGES, Progress, RunControl
from napari_semst.errors import Cancelled, DeviceError, TrainingError
from napari_semst.widgets.find import job as work
from napari_semst.widgets.find import texts
from napari_semst.widgets.find.controller import time_left
from napari_semst.widgets.find.run_box import progress_line
from napari_semst.widgets.shared.errors import describe_error


def run(steps, control=None):
    """Drive a job to its end; return its updates and its answer."""
    job = work.Job(1, None, Request(), "default")
    generator = work.run_job(job, control or RunControl(), steps)
    updates = []
    while True:
        try:
            updates.append(next(generator))
        except StopIteration as end:
            return updates, end.value


def training(epochs, error=None):
    def steps(job, control):
        for epoch in range(1, epochs + 1):
            yield Progress("train", epoch, epochs)
        if error is not None:
            raise error
        return "result"

    return steps


def test_answer_carries_job_and_result():
    _, answer = run(training(3))
    assert isinstance(answer, work.JobAnswer)
    assert (answer.job.number, answer.result) == (1, "result")


def test_updates_are_thinned_to_five_a_second(monkeypatch):
    now = iter(i * 0.01 for i in range(10**6))
    monkeypatch.setattr(work.time, "monotonic", lambda: next(now))
    updates, answer = run(training(1000))
    seconds = answer.seconds
    assert 3 < len(updates) <= seconds * 5 + 1


def test_every_new_stage_is_told_at_once(monkeypatch):
    monkeypatch.setattr(work, "SECONDS_BETWEEN_UPDATES", 1000.0)

    def steps(job, control):
        yield Progress("train", 1, 2)
        yield Progress("train", 2, 2)
        yield Progress("assign", 1, 1)

    stages = [update.progress.stage for update in run(steps)[0]]
    assert stages == ["read", "train", "assign"]


def test_a_run_leaves_the_threads_of_the_viewer_alone():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run(training(1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_fraction_never_falls(monkeypatch):
    monkeypatch.setattr(work, "SECONDS_BETWEEN_UPDATES", 0.0)

    def steps(job, control):
        yield Progress("train", 5, 10)
        yield Progress("prepare", 1, 2)
        yield Progress("assign", 1, 1)

    fractions = [update.fraction for update in run(steps)[0]]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("CUDA out of memory. Tried to allocate 2 GiB", DeviceError),
        ("mat1 and mat2 shapes cannot be multiplied", TrainingError),
    ],
)
def test_runtime_errors_come_out_as_ours(message, kind):
    """The worker would swallow a RuntimeError, so none may leave the generator."""
    _, failure = run(training(1, RuntimeError(message)))
    assert isinstance(failure, work.JobFailure)
    assert type(failure.error) is kind
    assert message in str(failure.error)
    assert "RuntimeError" in failure.details


def test_cancelled_job_ends_in_cancelled():
    control = RunControl()
    control.cancel()
    _, failure = run(training(5), control)
    assert isinstance(failure.error, Cancelled)


def test_cancel_closes_the_pipeline():
    control, closed = RunControl(), []

    def steps(job, control):
        try:
            while True:
                control.cancel()
                yield Progress("train", 1, 0)
        finally:
            closed.append(True)

    run(steps, control)
    assert closed == [True]


def test_clock_knows_the_time_left_from_its_own_speed():
    """The first epoch, slow because everything warms up, is left out."""
    now = iter([0.0, 30.0, 32.0, 38.0])
    clock = work.JobClock(lambda: next(now))
    assert clock.seconds_left(Progress("train", 0, 10)) is None
    assert clock.seconds_left(Progress("train", 1, 10)) is None
    assert clock.seconds_left(Progress("train", 2, 10)) == pytest.approx(16.0)
    assert clock.seconds_left(Progress("train", 5, 10)) == pytest.approx(10.0)


def test_clock_begins_anew_where_a_stage_counts_other_things():
    now = iter([0.0, 1.0, 2.0, 3.0])
    clock = work.JobClock(lambda: next(now))
    clock.seconds_left(Progress("discordance", 100, 240))
    clock.seconds_left(Progress("discordance", 240, 240))
    assert clock.seconds_left(Progress("discordance", 10, 200)) is None
    assert clock.seconds_left(Progress("discordance", 20, 200)) == pytest.approx(18.0)


def test_the_bar_leaves_room_for_the_comparison_with_the_image():
    trained = Progress("train", 5, 5)
    halfway = Progress("discordance", 1, 2)
    alone = work.fraction_done(trained)
    before = work.fraction_done(trained, compares=True)
    assert before < work.fraction_done(halfway, compares=True) < alone
    guided = Request("image-guided").with_settings("domains", n_domains=3)
    assert work.compares_with_image(guided)
    assert not work.compares_with_image(Request())


def test_every_stage_of_a_run_has_a_name():
    assert {*STAGES} - {"explain", "write", "compare"} == set(texts.STAGE_NAMES)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0:00 left"), (32.4, "0:32 left"), (3725, "1:02:05 left")],
)
def test_time_left_reads_as_a_clock(seconds, text):
    assert time_left(seconds) == text


def test_progress_line():
    progress = Progress("train", 12, 100, metrics={"loss": 1.23449})
    expected = "Training - epoch 12/100 - loss 1.234 - 0:32 left"
    assert progress_line(progress, 32) == expected
    assert progress_line(Progress("prepare", message="Graphs")) == "Preparing - Graphs"


def test_errors_are_explained_in_plain_words():
    assert describe_error(DeviceError("No GPU."))[0] == "The device cannot be used"
    title, text = describe_error(KeyError("colour"))
    assert "unexpected" in title
    assert "colour" in text
