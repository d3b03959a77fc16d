"""Many texts to one server: in batches, several at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from napari_semst.semantics.base import CancelCheck, check_cancelled
from napari_semst.semantics.server.client import TooManyTexts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Ask = Callable[[Sequence[str], CancelCheck], NDArray[np.float32]]


class BatchedRequests:
    """Asks for the vectors of texts, and passes them on as they come in.

    Parameters
    ----------
    ask
        Returns one vector per text, or raises `TooManyTexts`.
    texts
        Each of them once.
    batch
        Texts in one request at first; halved for all that follow where refused.
    came
        Called with the position of a text, and the vectors from there on; by one
        thread at a time.
    """

    def __init__(
        self,
        ask: Ask,
        texts: Sequence[str],
        batch: int,
        came: Callable[[int, NDArray[np.float32]], None],
        cancelled: CancelCheck | None,
    ) -> None:
        self.batch = batch
        self._ask, self._texts, self._came = ask, texts, came
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._next = 0
        self._failures: list[BaseException] = []

    def run(self, connections: int) -> None:
        """Ask for all texts; the first failure ends all requests."""
        n_workers = max(1, min(connections, -(-len(self._texts) // self.batch)))
        with ThreadPoolExecutor(n_workers, "semst server") as pool:
            for _ in range(n_workers):
                pool.submit(self._work)
        if self._failures:
            raise self._failures[0]

    def _ending(self) -> bool:
        asked = self._cancelled is not None and self._cancelled()
        return asked or bool(self._failures)

    def _work(self) -> None:
        try:
            while True:
                with self._lock:
                    start = self._next
                    stop = min(start + self.batch, len(self._texts))
                    self._next = stop
                if start == stop:
                    return
                self._fill(start, stop)
        except BaseException as error:  # noqa: BLE001 - raised again by run
            with self._lock:
                self._failures.append(error)

    def _fill(self, start: int, stop: int) -> None:
        """Ask for some texts; in halves where they are too many."""
        check_cancelled(self._ending)
        try:
            vectors = self._ask(self._texts[start:stop], self._ending)
        except TooManyTexts:
            half = (stop - start + 1) // 2
            with self._lock:
                self.batch = min(self.batch, half)
            for begin in range(start, stop, half):
                self._fill(begin, min(begin + half, stop))
            return
        with self._lock:
            self._came(start, vectors)
