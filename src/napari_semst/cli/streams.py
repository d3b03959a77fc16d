"""Standard output that may be full or closed while the work goes on."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Exit codes, beside 0 and 2 (refused) and 1 (unexpected).
NOT_SAID = 3
INTERRUPTED = 130
TERMINATED = 143
# For what must be closed; compiled code may not let go sooner.
_SECONDS_TO_END = 1.5
# What is still to be said where compiled code does not let go.
_LAST_WORDS: list[Callable[[], None]] = []


class GuardedOutput:
    """A text stream that remembers that it cannot be written to, and then is silent.

    A result is as good where nobody hears of it: no work is given up for that.

    Parameters
    ----------
    stream
        The stream to write to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, unless an earlier attempt failed."""
        if self.failure is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush, unless an earlier attempt failed."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.failure = error
        # What is buffered would be tried again, and fail, when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    @property
    def is_closed_by_reader(self) -> bool:
        """Whether a reader such as ``head`` has had enough."""
        return self.failure is not None and self.failure.errno == errno.EPIPE


def guard_output() -> GuardedOutput:
    """Put a guard over standard output and return it."""
    # Python has no stream where the shell closed it.
    stream: TextIO | None = sys.stdout
    guard = GuardedOutput(stream or open(os.devnull, "w"))  # noqa: SIM115
    if stream is None:
        guard.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout = guard
    return guard


def end_on_request() -> None:
    """Let a request to end (SIGTERM) close what is open, and then end for certain.

    Python's own handler waits for compiled code to come back, a window's loop for
    instance. So a thread is told by the system at once, and ends what has not ended.
    """

    def end(*_: object) -> None:
        # A second request is not waited for.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.exit(TERMINATED)

    if os.name == "nt":  # nobody sends one there
        return
    told, teller = os.pipe()
    os.set_blocking(teller, False)
    signal.set_wakeup_fd(teller, warn_on_full_buffer=False)
    threading.Thread(target=_end_for_certain, args=(told,), daemon=True).start()
    signal.signal(signal.SIGTERM, end)


def _end_for_certain(told: int) -> None:
    """Wait for a request to end, then for what it closes, and end."""
    while received := os.read(told, 1):
        if received[0] == signal.SIGTERM:
            time.sleep(_SECONDS_TO_END)
            for say in _LAST_WORDS:
                with suppress(Exception):
                    say()
            os._exit(TERMINATED)


@contextmanager
def last_words(say: Callable[[], None]) -> Iterator[None]:
    """Call a function before the process is ended for certain, from another thread."""
    _LAST_WORDS.append(say)
    try:
        yield
    finally:
        _LAST_WORDS.remove(say)
