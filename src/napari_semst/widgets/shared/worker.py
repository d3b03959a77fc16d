"""Jobs off the window's thread: short ones, and those that tell how far they are."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import create_worker

from napari_semst.widgets.shared.errors import error_report

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_semst.core.progress import Progress, RunControl

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
