"""Progress events, and the switch that stops a run from outside."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from napari_semst.core.threads import carried_limits
from napari_semst.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.core.state_store import StateStore

Returned = TypeVar("Returned")

_POLL_SECONDS = 0.2
# Looking at what is learnt may take this share of the time at most.
_SNAPSHOT_SHARE = 0.1
FORESEEN, PRIVACY, NOTED = "foreseen", "privacy", "noted"
STAGES = (
    "read",
    "prepare",
    "morphology",
    "describe",
    "train",
    "discordance",
    "assign",
    "attach",
    "explain",
    "write",
    "compare",
)


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a run, as the dock, the command line and scripts see it.

    Parameters
    ----------
    stage
        One of `STAGES`.
    step, steps
        Steps done and steps in all; ``steps`` is 0 where the total is unknown.
    message
        One short line for people.
    metrics
        Named figures, for instance ``{"loss": 1.2}``.
    latent
        What is learnt of the spots so far, averaged over neighbours,
        ``(n_spots, width)``, where the run's control asked for it.
    notice
        Whether the message is to stay where people see it: `FORESEEN` for what the
        next step takes, `PRIVACY` for what is about to leave the process, `NOTED` for
        what happened to the run; else empty.
    """

    stage: str
    step: int = 0
    steps: int = 0
    message: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    latent: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    notice: str = ""


class LatentNow(Protocol):
    """A way to the latent of a network that is being trained."""

    def __call__(self, *, averaged: bool = True) -> NDArray[np.float32]:
        """Return the latent as it is now, ``(n_spots, width)``.

        Parameters
        ----------
        averaged
            Whether over neighbours, for people to look at.
        """
        ...


class RunControl:
    """Ask a running pipeline, from any thread, to cancel or to stop early.

    Cancelling discards everything; stopping early ends training at once and keeps
    the present state of the model.

    Parameters
    ----------
    states
        Where trainings keep their state, to go on from after the process was killed;
        `None` keeps none.
    """

    def __init__(self, states: StateStore | None = None) -> None:
        self.states = states
        self._cancel = threading.Event()
        self._stop = threading.Event()
        self._snapshot_every: float | None = None
        self._next_snapshot = 0.0

    def cancel(self) -> None:
        """Discard the run at its next step."""
        self._cancel.set()

    def stop_early(self) -> None:
        """End training at its next epoch and keep what was learnt."""
        self._stop.set()

    def snapshot_every(self, seconds: float | None) -> None:
        """Ask for what is learnt so far, again and again; the result stays the same.

        Parameters
        ----------
        seconds
            Time between two looks at least; `None` asks no more.
        """
        self._snapshot_every = seconds

    # Their names until 0.1, which scripts may have: this one, and `look` below.
    look_every = snapshot_every

    @property
    def watched(self) -> bool:
        """Whether what is learnt so far is asked for."""
        return self._snapshot_every is not None

    def snapshot(self, at: LatentNow) -> NDArray[np.float32] | None:
        """Return what is learnt so far if it is asked for now, else `None`.

        Parameters
        ----------
        at
            Returns the latent; the longer it takes, the rarer it is called.
        """
        started = time.monotonic()
        if self._snapshot_every is None or started < self._next_snapshot:
            return None
        latent = at()
        ended = time.monotonic()
        pause = max(self._snapshot_every, (ended - started) / _SNAPSHOT_SHARE)
        self._next_snapshot = ended + pause
        return latent

    look = snapshot

    @property
    def cancelled(self) -> bool:
        """Whether the run is to be discarded."""
        return self._cancel.is_set()

    @property
    def stopping(self) -> bool:
        """Whether training is to end at its next epoch."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the run is to be discarded."""
        if self.cancelled:
            raise Cancelled("The run was cancelled; nothing was changed.")


class CancelOnly(RunControl):
    """Passes on a cancel alone: for steps that are done after an early stop too."""

    def __init__(self, control: RunControl) -> None:
        super().__init__()
        self._cancel = control._cancel


@dataclass(frozen=True, slots=True)
class _Report:
    """What a `ThreadReporter` said, and whether it was heard."""

    step: int
    steps: int
    message: str
    notice: str = ""
    heard: threading.Event = field(default_factory=threading.Event)


class ThreadReporter:
    """What work in a thread tells of itself: steps done and, if it likes, in words."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._step = (0, 0)
        self.events: queue.SimpleQueue[_Report | None] = queue.SimpleQueue()
        self.left = threading.Event()

    def __call__(self, done: int, in_all: int) -> None:
        """Tell of steps done."""
        self._step = (done, in_all)
        self.events.put(_Report(done, in_all, self._message))

    def say(self, message: str) -> None:
        """Say what is going on, in place of the message so far."""
        self._message = message
        self.events.put(_Report(*self._step, message))

    def announce(self, message: str, kind: str = FORESEEN) -> None:
        """Say something of a kind, `FORESEEN` or `PRIVACY`, and go on once it is heard.

        Raises
        ------
        Cancelled
            If nobody listens any more.
        """
        self._message = message
        told = _Report(*self._step, message, kind, threading.Event())
        self.events.put(told)
        while not told.heard.wait(_POLL_SECONDS):
            if self.left.is_set():
                raise Cancelled("The run was left; nothing was changed.")


def run_in_thread(
    stage: str,
    message: str,
    work: Callable[[ThreadReporter], Returned],
    control: RunControl,
) -> Generator[Progress, None, Returned]:
    """Run work in a thread of its own, and yield an event for every step it tells.

    For work that reports by calling a function, and for long calls that report
    nothing: whoever iterates can repaint, and cancelling is heard at once. Work that
    does not ask for it then goes on in its thread until it is done, to no effect.

    Parameters
    ----------
    work
        Is given a `ThreadReporter`, to be called with (steps done, steps in all).
    """
    teller = ThreadReporter(message)
    outcome: list[Returned] = []
    failure: list[BaseException] = []

    limits = carried_limits()

    def run() -> None:
        try:
            with limits():
                outcome.append(work(teller))
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            failure.append(error)
        finally:
            teller.events.put(None)

    context = copy_context()
    worker = threading.Thread(
        target=context.run, args=(run,), name=f"semst {stage}", daemon=True
    )
    yield Progress(stage, 0, 0, message)
    worker.start()
    try:
        while True:
            control.check()
            try:
                said = teller.events.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if said is None:
                break
            yield Progress(
                stage, said.step, said.steps, said.message, notice=said.notice
            )
            control.check()
            said.heard.set()
    finally:
        teller.left.set()
    worker.join()
    if failure:
        raise failure[0]
    return outcome[0]


def passed_on(
    steps: Generator[Progress, None, Returned], change: Callable[[Progress], Progress]
) -> Generator[Progress, None, Returned]:
    """Pass a generator's events on, each as it is changed."""
    # Closed with this one: a garbage collector may come later.
    with closing(steps):
        while True:
            try:
                event = next(steps)
            except StopIteration as end:
                result: Returned = end.value
                return result
            yield change(event)


def with_callback(
    steps: Generator[Progress, None, Returned], listener: Callable[[Progress], None]
) -> Generator[Progress, None, Returned]:
    """Pass a generator's events on, telling each to a listener first."""

    def tell(event: Progress) -> Progress:
        listener(event)
        return event

    return passed_on(steps, tell)


def run_to_end(
    steps: Generator[Progress, None, Returned],
    listener: Callable[[Progress], None] | None = None,
) -> Returned:
    """Run a progress generator to its end, telling a listener; return its result."""
    if listener is not None:
        steps = with_callback(steps, listener)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def duration_in_words(seconds: float) -> str:
    """Return for instance ``42 s``, ``5 min``, ``2.5 h`` or ``4 days``."""
    hours = seconds / 3600
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if hours < 1.5:
        return f"{round(seconds / 60)} min"
    if hours < 72:
        return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"
    return f"{hours / 24:,.0f} days"
