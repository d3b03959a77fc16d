"""One run, as it goes to the worker thread and comes back; no widget is known here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_semst.config import AUTO_DOMAINS
from napari_semst.core.progress import Progress, RunControl
from napari_semst.errors import DeviceError, SemstError, TrainingError
from napari_semst.methods.spec import method_spec
from napari_semst.widgets.shared.errors import error_report

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Request
    from napari_semst.pipeline.run import DomainResult

SECONDS_BETWEEN_UPDATES = 0.2
"""The window is told of a stage at most five times a second, however fast it goes."""

SECONDS_BETWEEN_LOOKS = 3.0
"""Domains are shown while training at most so often."""

# Shown while the number of domains is still to be chosen.
_DOMAINS_SHOWN = 8
# Where each stage stands on the bar; most of a run is training.
_SHARES = {
    "read": (0.0, 0.02),
    "prepare": (0.02, 0.06),
    "morphology": (0.06, 0.14),
    "describe": (0.14, 0.20),
    "train": (0.20, 0.92),
    "assign": (0.92, 0.99),
    "attach": (0.99, 1.0),
}
# Of runs that compare expression with the image.
_COMPARING = {"train": (0.20, 0.86), "discordance": (0.86, 0.92)}


@dataclass(frozen=True)
class Job:
    """What is asked of the worker.

    Parameters
    ----------
    number
        Rises by one with every job, so that answers to an older one are told apart.
    tissue
        The section; the worker reads it and never writes to it.
    run
        Name under which the result is kept.
    """

    number: int
    tissue: AnnData
    request: Request
    run: str


@dataclass(frozen=True, slots=True)
class JobUpdate:
    """One message from the worker while it runs.

    Parameters
    ----------
    job
        Number of the job.
    progress
        The pipeline's own event.
    fraction
        Share of the whole run that is done, 0 to 1.
    seconds_left
        Estimate for the stage under way, or None where nothing can be said.
    cuda_devices
        CUDA devices found, as ``(name for torch, name for people)``.
    losses
        Epoch and loss of every training step since the last message.
    domains
        Provisional domain of every spot, where the training was looked at.
    """

    job: int
    progress: Progress
    fraction: float
    seconds_left: float | None = None
    cuda_devices: tuple[tuple[str, str], ...] = ()
    losses: tuple[tuple[int, float], ...] = ()
    domains: NDArray[np.int32] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class JobAnswer:
    """What the worker found."""

    job: Job
    result: DomainResult
    seconds: float


@dataclass(frozen=True)
class JobFailure:
    """What went wrong in the worker, as a value.

    The worker's own error signal would not do: it says not whose error it is, and it
    stays silent about `RuntimeError`, which is what torch raises.
    """

    job: Job
    error: Exception
    details: str


class JobClock:
    """Estimate the time left in a stage from its own speed so far."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stage = ("", 0)
        self._start: tuple[float, int] | None = None

    def seconds_left(self, progress: Progress) -> float | None:
        """Return the seconds that the stage still takes, or None if unknown."""
        now = self._now()
        # A stage may have parts that count other things.
        stage = (progress.stage, progress.steps)
        if stage != self._stage:
            self._stage, self._start = stage, None
        if self._start is None:
            # The first step warms up and is slow: the count begins after it.
            if progress.step > 0:
                self._start = (now, progress.step)
            return None
        start, first = self._start
        done = progress.step - first
        if not progress.steps or done <= 0:
            return None
        return (now - start) / done * max(progress.steps - progress.step, 0)


def fraction_done(progress: Progress, *, compares: bool = False) -> float:
    """Return the share of a whole run that is done at a progress event, 0 to 1.

    Parameters
    ----------
    compares
        Whether the run compares expression with the image after training.
    """
    shares = {**_SHARES, **_COMPARING} if compares else _SHARES
    low, high = shares.get(progress.stage, (0.0, 1.0))
    inside = progress.step / progress.steps if progress.steps else 0.0
    return low + (high - low) * min(max(inside, 0.0), 1.0)


def cuda_devices() -> tuple[tuple[str, str], ...]:
    """Return the CUDA devices that torch finds; imports torch, so not for the GUI."""
    import torch

    if not torch.cuda.is_available():
        return ()
    count = torch.cuda.device_count()
    return tuple((f"cuda:{i}", torch.cuda.get_device_name(i)) for i in range(count))


def pipeline_steps(
    job: Job, control: RunControl
) -> Generator[Progress, None, DomainResult]:
    """Walk the pipeline for a job, once it is known that the result can be saved.

    Raises
    ------
    SaveError
        Before the work, if something in the section fits into no file.
    """
    from napari_semst.io.export.trial import try_writing
    from napari_semst.pipeline.run import find_domains

    mended = try_writing(job.tissue)
    result = yield from find_domains(job.tissue, job.request, control)
    result.provenance["warnings"] += mended
    return result


def run_job(
    job: Job,
    control: RunControl,
    steps: Callable[[Job, RunControl], Generator[Progress, None, DomainResult]]
    | None = None,
) -> Generator[JobUpdate, None, JobAnswer | JobFailure]:
    """Run a job, yield updates, few of each stage, and return how it ended.

    No exception leaves it; see `JobFailure`.
    """
    started = time.monotonic()
    yield JobUpdate(job.number, Progress("read", message="Starting"), 0.0)
    try:
        result = yield from _updates(job, control, steps or pipeline_steps)
        control.check()
    except Exception as error:  # noqa: BLE001  every error must reach the dock
        ours = as_semst_error(error) if isinstance(error, RuntimeError) else error
        return JobFailure(job, ours, error_report(error))
    return JobAnswer(job, result, time.monotonic() - started)


def _updates(
    job: Job,
    control: RunControl,
    steps: Callable[[Job, RunControl], Generator[Progress, None, DomainResult]],
) -> Generator[JobUpdate, None, DomainResult]:
    """Yield the pipeline's events, thinned out, and return its result."""
    from napari_semst.domains.provisional import ProvisionalDomains

    devices = cuda_devices()
    clock, last, highest, stage = JobClock(), 0.0, 0.0, ""
    provisional = ProvisionalDomains(domains_shown(job.request))
    compares = compares_with_image(job.request)
    losses: list[tuple[int, float]] = []
    generator = steps(job, control)
    try:
        while True:
            control.check()
            try:
                progress = next(generator)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            left = clock.seconds_left(progress)
            highest = max(highest, fraction_done(progress, compares=compares))
            if "loss" in progress.metrics:
                losses.append((progress.step, progress.metrics["loss"]))
            labels = None
            if progress.latent is not None:
                labels = provisional.labels(progress.latent)
                # It is large, and may not outlive the step.
                progress = replace(progress, latent=None)
            # A new stage is always told: it changes what can be done.
            new = progress.stage != stage or labels is not None
            if new or time.monotonic() - last >= SECONDS_BETWEEN_UPDATES:
                last, stage = time.monotonic(), progress.stage
                told, losses = tuple(losses), []
                yield JobUpdate(
                    job.number, progress, highest, left, devices, told, labels
                )
    finally:
        generator.close()


def compares_with_image(request: Request) -> bool:
    """Return whether a run compares expression with the image after training."""
    from napari_semst.methods.resolve import resolve

    return method_spec(resolve(request).model.method).discordance


def domains_shown(request: Request) -> int:
    """Return how many provisional domains are shown while a request is trained."""
    wanted = request.overrides.get("domains", {}).get("n_domains", AUTO_DOMAINS)
    return int(wanted) if wanted > 0 else _DOMAINS_SHOWN


def as_semst_error(error: RuntimeError) -> SemstError:
    """Return a runtime error of torch as one that the user can act on."""
    text = str(error).strip() or type(error).__name__
    first = text.splitlines()[0]
    if "out of memory" in text.lower():
        return DeviceError(
            "Expected the device to hold the section; its memory ran out. Choose the "
            f"CPU under Device, or close what else uses the GPU. ({first})"
        )
    return TrainingError(
        f"Expected the run to go through; the computation failed: {first}"
    )
