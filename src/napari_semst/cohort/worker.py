"""What a Dask worker does with one section of a cohort."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_semst.cohort.task import SectionTask
from napari_semst.core.progress import Progress, RunControl
from napari_semst.core.threads import idle_politely

if TYPE_CHECKING:
    from collections.abc import Iterator

idle_politely()

# Torch's random numbers and the numbers of threads belong to the process: two sections
# at once in one worker would change each other's domains.
_ONE_AT_A_TIME = threading.Lock()
_SECONDS_BETWEEN_EVENTS = 1.0


def run_on_worker(plain: dict[str, Any], topic: str) -> dict[str, Any]:
    """Do one section inside a Dask worker.

    Input and result stand on disk; what comes back is a short account.

    Parameters
    ----------
    plain
        A `SectionTask` as a dictionary.
    topic
        Dask topic that hears of the progress.

    Raises
    ------
    Cancelled
        If nobody waits for the section any more; nothing is written then.
    """
    from distributed import get_worker

    from napari_semst.cohort.section import run_cohort_section

    task, worker = SectionTask(**plain), get_worker()
    control = RunControl()
    told = _TopicReporter(task.name, topic, worker, control)
    with _ONE_AT_A_TIME, worker_threads(worker.state.nthreads):
        told.look()
        control.check()
        write = told.write if task.journal else None
        return run_cohort_section(task, told, control, write).to_dict()


@contextmanager
def worker_threads(n_threads: int) -> Iterator[None]:
    """Give a section the threads that its worker was given, and no more.

    Dask lets each worker's torch and BLAS begin with one thread, for a worker that
    does as many tasks at once as it has threads; ours does one.
    """
    import numba
    import torch

    from napari_semst.core.threads import threads_limited

    most: Any = numba.config
    allowed = max(1, min(n_threads, most.NUMBA_NUM_THREADS))
    # Numba first: its threads start when it is first asked, and OpenMP's number, which
    # torch shares, is set to all cores then.
    before = numba.get_num_threads(), torch.get_num_threads()
    torch.set_num_threads(allowed)
    numba.set_num_threads(allowed)
    try:
        with threads_limited(allowed):
            yield
    finally:
        numba.set_num_threads(before[0])
        torch.set_num_threads(before[1])


class _TopicReporter:
    """Tell a topic of the progress, not too often, and notice when nobody waits."""

    def __init__(self, name: str, topic: str, worker: Any, control: RunControl) -> None:
        self._name, self._topic = name, topic
        self._worker, self._control = worker, control
        self._key = worker.get_current_task()
        self._stage, self._last = "", 0.0

    def __call__(self, event: Progress) -> None:
        self.look()
        now = time.monotonic()
        soon = now - self._last < _SECONDS_BETWEEN_EVENTS
        if event.stage == self._stage and soon and not event.notice:
            return
        self._stage, self._last = event.stage, now
        said = {
            "section": self._name,
            "stage": event.stage,
            "step": int(event.step),
            "steps": int(event.steps),
            "message": event.message if event.notice else "",
            "notice": event.notice,
            "worker": str(self._worker.address),
        }
        self._worker.log_event(self._topic, said)

    def write(self, line: dict[str, Any]) -> None:
        """Send a line of the journal to who started the cohort."""
        self._worker.log_event(self._topic, {"section": self._name, "line": line})

    def look(self) -> None:
        """Cancel the run once the scheduler has given up the task."""
        # Dask cannot stop a thread: the run has to ask.
        if is_given_up(self._worker, self._key):
            self._control.cancel()


def is_given_up(worker: Any, key: str) -> bool:
    """Return whether the scheduler has given up a task that a worker does."""
    known = worker.state.tasks.get(key)
    return known is None or known.state == "cancelled"
