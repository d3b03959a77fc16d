"""Jobs off the window's thread: short ones, and those that tell how far they are."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import create_worker

from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled
from napari_semst.widgets.shared.errors import error_report

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_semst.core.progress import Progress

SECONDS_BETWEEN_EVENTS = 0.25
"""The window is told of a job's progress at most so often."""


class BackgroundTask(QObject):
    """Call a function in a worker thread; the newest call is the one that counts.

    Parameters
    ----------
    function
        What is called; it must not touch widgets or layers.
    """

    done = Signal(object)
    failed = Signal(object, str)

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function
        self._number = 0
        self._awaited: int | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._awaited is not None

    def start(self, *arguments: Any) -> None:
        """Call the function with these arguments; an older call's answer is dropped."""
        self._number += 1
        self._awaited = self._number
        worker = create_worker(_call, self._number, self._function, arguments)
        worker.returned.connect(self._on_returned)
        worker.start()

    def drop(self) -> None:
        """Drop the answer that is awaited; the call itself runs to its end."""
        self._awaited = None

    def _on_returned(self, answer: tuple[int, Any, Exception | None, str]) -> None:
        number, value, error, details = answer
        if number != self._awaited:
            return
        self._awaited = None
        if error is None:
            self.done.emit(value)
        else:
            self.failed.emit(error, details)


def _call(
    number: int, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Generator[None, None, tuple[int, Any, Exception | None, str]]:
    """Return the call's number and value, or its error with the traceback."""
    yield
    try:
        return number, function(*arguments), None, ""
    except Exception as error:  # noqa: BLE001  every error must reach the dock
        return number, None, error, error_report(error)


class SteppedTask(QObject):
    """Walk steps in a worker thread, with progress; the newest call alone counts.

    Parameters
    ----------
    steps_of
        Given the arguments of `start` and a `RunControl`, it returns the steps; they
        must not touch widgets or layers.
    """

    progressed = Signal(object)  # Progress
    done = Signal(object)  # what the steps returned
    failed = Signal(object, str)

    def __init__(
        self,
        steps_of: Callable[..., Generator[Progress, None, Any]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._steps_of = steps_of
        self._control: RunControl | None = None
        self._number = 0

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._control is not None

    def start(self, *arguments: Any) -> None:
        """Walk the steps of these arguments; older ones are given up."""
        self.stop()
        self._number += 1
        self._control = RunControl()
        worker = create_worker(
            _walk, self._number, self._steps_of, arguments, self._control
        )
        # Not a method of the task: while it is destroyed it has none any more.
        self.destroyed.connect(self._control.cancel)
        worker.yielded.connect(self._on_progress)
        worker.returned.connect(self._on_returned)
        worker.start()

    def stop(self) -> None:
        """Give up what is being worked out; nothing is told of it any more."""
        if self._control is not None:
            self._control.cancel()
            self._control = None

    def _on_progress(self, update: tuple[int, Progress]) -> None:
        number, progress = update
        if number == self._number and self.busy:
            self.progressed.emit(progress)

    def _on_returned(self, answer: tuple[int, Any, str]) -> None:
        number, outcome, details = answer
        if number != self._number or not self.busy:
            return
        self._control = None
        if not isinstance(outcome, Exception):
            self.done.emit(outcome)
        elif not isinstance(outcome, Cancelled):
            self.failed.emit(outcome, details)


def _walk(
    number: int,
    steps_of: Callable[..., Generator[Progress, None, Any]],
    arguments: tuple[Any, ...],
    control: RunControl,
) -> Generator[tuple[int, Progress], None, tuple[int, Any, str]]:
    """Yield progress, few a second; return what came of it, or what went wrong."""
    steps = steps_of(*arguments, control)
    outcome, details = yield from told_sparingly(number, steps, control)
    return number, outcome, details


def told_sparingly(
    number: int, steps: Generator[Progress, None, Any], control: RunControl
) -> Generator[tuple[int, Progress], None, tuple[Any, str]]:
    """Walk steps in a worker; yield few events a second, each with the job's number.

    Returns
    -------
    outcome, details
        What the steps returned and nothing; or the error that ended them, and its
        traceback.
    """
    last = 0.0
    try:
        # Closed where it is cancelled, not whenever nobody holds it any more.
        with closing(steps):
            while True:
                control.check()
                try:
                    event = next(steps)
                except StopIteration as end:
                    return end.value, ""
                if time.monotonic() - last >= SECONDS_BETWEEN_EVENTS:
                    last = time.monotonic()
                    yield number, event
    except Exception as error:  # noqa: BLE001  every error must reach the dock
        return error, error_report(error)
