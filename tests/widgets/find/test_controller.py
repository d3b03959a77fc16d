from __future__ import annotations

import sys

import pytest

from napari_semst import keys
from napari_semst.config import Request
from napari_semst.errors import ConfigError, InputError
from napari_semst.io.manual_alignment import Adjustment, adjust
from napari_semst.session.actions import Action
from napari_semst.session.log import record_action, session_actions
from napari_semst.widgets.find.controller import FindController, free_run_name

REQUEST = Request().with_settings("domains", n_domains=3)


@pytest.fixture
def controller(qapp):
    return FindController()


@pytest.fixture
def heard(controller):
    """Everything that the controller said, by signal."""
    said = {name: [] for name in ("updated", "succeeded", "failed", "cancelled")}
    controller.updated.connect(said["updated"].append)
    controller.succeeded.connect(said["succeeded"].append)

    def on_failed(error, details):
        said["failed"].append((error, details))

    def on_cancelled():
        said["cancelled"].append(True)

    controller.failed.connect(on_failed)
    controller.cancelled.connect(on_cancelled)
    # The functions must live as long as the connection.
    said["slots"] = [on_failed, on_cancelled]
    return said


def test_success_attaches_to_the_tissue(qtbot, controller, heard, pipeline, tissue):
    controller.start(tissue, REQUEST, "default")
    qtbot.waitUntil(lambda: bool(heard["succeeded"]), timeout=60_000)
    assert tissue.obs["semst_domain"].nunique() == 3
    assert controller.job is None
    assert not heard["failed"]


def test_a_run_is_recorded_as_it_was_asked_for(
    qtbot, controller, heard, pipeline, tissue, tmp_path, monkeypatch
):
    (tmp_path / "vectors.npz").touch()
    monkeypatch.chdir(tmp_path)
    secret = {"url": "https://me:password@host/v1", "table": "vectors.npz"}
    request = REQUEST.with_settings("semantics", **secret)
    tissue.uns["spatial"] = {"one": {"images": {}, "scalefactors": {}}}
    for moved in (True, False):
        heard["succeeded"].clear()
        controller.start(tissue, request, "default")
        if moved:
            adjust(tissue, "one", Adjustment(shift_x=3.0))
            record_action(tissue, Action("align", {"library": "one"}))
        qtbot.waitUntil(lambda: bool(heard["succeeded"]), timeout=60_000)
        *_, done = session_actions(tissue)
        assert done.given["moved"] == moved
    assert done.given["overrides"]["semantics"] == {
        "table": str(tmp_path / "vectors.npz")
    }
    assert "password" not in tissue.uns[keys.SESSION]


def test_cancel_leaves_the_tissue_as_it_was(qtbot, controller, heard, pipeline, tissue):
    pipeline.epochs, pipeline.seconds_per_epoch = 1000, 0.02
    before = tissue.copy()
    controller.start(tissue, REQUEST, "default")
    qtbot.waitUntil(lambda: len(heard["updated"]) > 1, timeout=60_000)
    controller.cancel()
    # Between two events only the control can end a long step.
    assert pipeline.control.cancelled
    qtbot.waitUntil(lambda: pipeline.ended == 1, timeout=60_000)
    qtbot.wait(50)
    assert heard["cancelled"] == [True]
    assert not heard["succeeded"]
    assert list(tissue.obs) == list(before.obs)
    assert set(tissue.uns) == set(before.uns)


def test_stop_early_keeps_the_present_state(qtbot, controller, heard, pipeline, tissue):
    pipeline.epochs, pipeline.seconds_per_epoch = 1000, 0.02
    controller.start(tissue, REQUEST, "default")
    qtbot.waitUntil(lambda: len(heard["updated"]) > 1, timeout=60_000)
    controller.stop_early()
    qtbot.waitUntil(lambda: bool(heard["succeeded"]), timeout=60_000)
    assert 0 < heard["succeeded"][0].result.provenance["epochs"] < 1000
    assert "semst_domain" in tissue.obs


def test_answers_to_an_older_job_are_dropped(
    qtbot, controller, heard, pipeline, tissue
):
    """An answer that was already on its way when a new job began changes nothing."""
    from napari_semst.widgets.find.job import JobAnswer, JobFailure

    controller.start(tissue, REQUEST, "first")
    first = controller.job
    controller.start(tissue, REQUEST, "second")
    controller._on_returned(JobFailure(first, InputError("old"), ""))
    controller._on_returned(JobAnswer(first, None, 1.0))
    qtbot.waitUntil(lambda: bool(heard["succeeded"]), timeout=60_000)
    qtbot.waitUntil(lambda: pipeline.ended >= 1, timeout=60_000)
    assert not heard["failed"]
    assert [answer.job.run for answer in heard["succeeded"]] == ["second"]
    assert "semst_domain_first" not in tissue.obs


@pytest.mark.parametrize(
    "error", [InputError("No counts."), ValueError("odd"), RuntimeError("torch")]
)
def test_every_error_reaches_the_user(
    qtbot, controller, heard, pipeline, tissue, error
):
    pipeline.error = error
    controller.start(tissue, REQUEST, "default")
    qtbot.waitUntil(lambda: bool(heard["failed"]), timeout=60_000)
    shown, details = heard["failed"][0]
    assert str(error) in str(shown)
    assert "Traceback" in details
    assert "semst_domain" not in tissue.obs
    assert controller.job is None


def test_error_while_attaching_reaches_the_user(
    qtbot, controller, heard, pipeline, tissue, monkeypatch
):
    def broken(*arguments, **named):
        raise InputError("The section changed during the run.")

    monkeypatch.setattr(sys.modules["napari_semst.pipeline.run"], "attach", broken)
    controller.start(tissue, REQUEST, "default")
    qtbot.waitUntil(lambda: bool(heard["failed"]), timeout=60_000)
    assert not heard["succeeded"]


def test_run_name_is_checked_before_anything_starts(controller, tissue):
    with pytest.raises(ConfigError, match="run name"):
        controller.start(tissue, REQUEST, "a/b")
    assert controller.job is None


def test_free_run_names(tissue):
    assert free_run_name(tissue) == "default"
    tissue.obs["semst_domain_default"] = "1"
    tissue.obs["semst_domain_run-2"] = "1"
    assert free_run_name(tissue) == "run-3"
