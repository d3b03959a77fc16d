"""One request to a server, which can be given up at any moment."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from napari_semst.semantics.base import CancelCheck, check_cancelled

if TYPE_CHECKING:
    import httpx

    from napari_semst.semantics.server.credentials import Secret

_LOOK_SECONDS = 0.1  # between two looks whether to go on waiting
# What is read here is not packed any more.
_OF_THE_WAY = {"content-encoding", "content-length", "transfer-encoding"}


class TooLate(Exception):  # noqa: N818 - told in an error of its own
    """The answer was not complete in time."""


class TooLong(Exception):  # noqa: N818 - told in an error of its own
    """The answer is longer than any that was expected."""


class Request:
    """A question under way in a thread of its own.

    A thread cannot be stopped while it waits for a name, a connection or the next byte.
    So another one waits for it, and leaves it behind where it takes too long; it then
    ends by itself, at its next byte or time-out.

    Parameters
    ----------
    client
        An open connection.
    url
        Where the question goes.
    body
        What is asked, as JSON.
    longest
        Bytes of the answer, unpacked, above which it is not read on.
    key
        Hidden in what is logged, for as long as the thread lives.
    """

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        body: dict[str, Any],
        longest: int,
        key: Secret,
    ) -> None:
        self._client, self._url, self._body = client, url, body
        self._longest, self._key = longest, key
        self._answer: httpx.Response | None = None
        self._failure: BaseException | None = None
        self._done, self._left = threading.Event(), threading.Event()

    def answer(self, within: float, cancelled: CancelCheck | None) -> httpx.Response:
        """Return the complete answer.

        Parameters
        ----------
        within
            Seconds, from the first try to connect to the last byte.
        cancelled
            Asked ten times a second.

        Raises
        ------
        TooLate, TooLong
            If the answer takes longer, or is longer, than it may.
        httpx.RequestError
            If there is none.
        Cancelled
            If `cancelled` returned True.
        """
        ends = time.monotonic() + within
        threading.Thread(target=self._run, name="semst request", daemon=True).start()
        try:
            while not self._done.wait(_LOOK_SECONDS):
                check_cancelled(cancelled)
                if time.monotonic() > ends:
                    raise TooLate
        finally:
            self._left.set()
        if self._failure is not None:
            raise self._failure
        assert self._answer is not None
        return self._answer

    def _run(self) -> None:
        try:
            with self._key.kept_from_logs():
                self._answer = self._read()
        except BaseException as error:  # noqa: BLE001 - raised again by answer
            self._failure = error
        finally:
            self._done.set()

    def _read(self) -> httpx.Response:
        import httpx

        content = bytearray()
        with self._client.stream("POST", self._url, json=self._body) as streamed:
            for part in streamed.iter_bytes():
                content += part
                if len(content) > self._longest:
                    raise TooLong
                if self._left.is_set():
                    raise TooLate
            headers = [
                (name, value)
                for name, value in streamed.headers.multi_items()
                if name.lower() not in _OF_THE_WAY
            ]
            return httpx.Response(
                streamed.status_code, headers=headers, content=bytes(content)
            )
