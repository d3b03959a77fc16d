"""The logic of the dock without its widgets: starts runs, drops stale answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import create_worker

from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled
from napari_semst.keys import check_run_name
from napari_semst.pipeline.provenance import STOPPED_EARLY
from napari_semst.session.actions import Action
from napari_semst.session.lasting import lasting_overrides
from napari_semst.session.log import record_action
from napari_semst.session.standing import standing_of
from napari_semst.viewer.colourings import runs
from napari_semst.widgets.find import job as work
from napari_semst.widgets.find.job import Job, JobAnswer, JobFailure, JobUpdate
from napari_semst.widgets.shared.errors import error_report

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.config import Request


class FindController(QObject):
    """Run jobs one at a time, newest wins, and write results to the tissue.

    The tissue is written to in one place only, after a run has succeeded. A job that
    was cancelled or replaced changes nothing, whenever its answer arrives.
    """

    started = Signal(object)  # Job
    updated = Signal(object)  # Update
    succeeded = Signal(object)  # Answer, its result already in the tissue
    failed = Signal(object, str)  # the exception, its traceback
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._job: Job | None = None
        self._control: RunControl | None = None
        self._worker: Any = None
        # How images lay when the job began, which the record of the session has.
        self._aligned: Any = None

    @property
    def job(self) -> Job | None:
        """The job under way, or None."""
        return self._job

    @property
    def stopping(self) -> bool:
        """Whether the job under way was asked to stop early."""
        return self._control is not None and self._control.stopping

    def snapshot_every(self, seconds: float | None) -> None:
        """Ask the job under way for domains while it trains; `None` asks no more."""
        if self._control is not None:
            self._control.snapshot_every(seconds)

    def start(self, tissue: AnnData, request: Request, run: str) -> Job:
        """Start a job; one that is under way is cancelled first.

        Raises
        ------
        ConfigError
            If the run's name cannot be part of a column's name.
        """
        check_run_name(run)
        self.cancel()
        self._number += 1
        self._job = Job(self._number, tissue, request, run)
        self._aligned = standing_of(tissue)["aligned"]
        self._control = RunControl()
        self._worker = create_worker(work.run_job, self._job, self._control)
        self._worker.yielded.connect(self._on_yielded)
        self._worker.returned.connect(self._on_returned)
        self.started.emit(self._job)
        self._worker.start()
        return self._job

    def stop_early(self) -> None:
        """End training at its next epoch and keep what was learnt."""
        if self._control is not None:
            self._control.stop_early()

    def cancel(self) -> None:
        """Discard the job under way; its tissue stays as it was."""
        if self._job is None:
            return
        self._release()
        self.cancelled.emit()

    def shutdown(self) -> None:
        """Discard the job under way without a word; for a dock that goes away."""
        self._release()

    def _release(self) -> None:
        """Let go of the job and ask its thread to end.

        Messages that are already on their way still arrive; their number is old.
        """
        if self._control is not None:
            self._control.cancel()
        if self._worker is not None:
            self._worker.quit()
        self._job = self._control = self._worker = None

    def _on_yielded(self, update: JobUpdate) -> None:
        if self._job is not None and update.job == self._job.number:
            self.updated.emit(update)

    def _on_returned(self, answer: JobAnswer | JobFailure) -> None:
        if self._job is None or answer.job.number != self._job.number:
            return
        self._job = self._control = self._worker = None
        if isinstance(answer, JobAnswer):
            answer = self._attach(answer)
        if isinstance(answer, JobAnswer):
            self.succeeded.emit(answer)
        elif isinstance(answer.error, Cancelled):
            self.cancelled.emit()
        else:
            self.failed.emit(answer.error, answer.details)

    def _attach(self, answer: JobAnswer) -> JobAnswer | JobFailure:
        """Write the result to the tissue: the one place where it is changed."""
        from napari_semst.pipeline.run import attach

        job = answer.job
        try:
            attach(job.tissue, answer.result, run=job.run, inplace=True)
        except Exception as error:  # noqa: BLE001  every error goes to the card
            return JobFailure(job, error, error_report(error))
        warnings = "\n".join(answer.result.provenance.get("warnings", ()))
        given = {
            "preset": job.request.preset,
            "overrides": lasting_overrides(job.request.overrides),
            "run": job.run,
            "stopped_early": STOPPED_EARLY in warnings,
            "moved": standing_of(job.tissue)["aligned"] != self._aligned,
        }
        record_action(job.tissue, Action("run", given))
        return answer


def free_run_name(tissue: AnnData) -> str:
    """Return a name that no run of the tissue has: ``default``, ``run-2``, ..."""
    taken = set(runs(tissue))
    if "default" not in taken:
        return "default"
    number = 2
    while f"run-{number}" in taken:
        number += 1
    return f"run-{number}"


def time_left(seconds: float | None) -> str:
    """Return an estimate as ``0:32 left``, or '' where there is none."""
    if seconds is None:
        return ""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    clock = f"{minutes}:{whole % 60:02d}"
    return f"{hours}:{minutes:02d}:{whole % 60:02d} left" if hours else f"{clock} left"
