"""One question to a server, in a thread of its own, its answer bounded."""

from __future__ import annotations

import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

from napari_semst.semantics.base import CancelCheck, check_cancelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import httpx

    from napari_semst.semantics.server.credentials import ApiKey

# Asked for, and the only packing that is unpacked.
GZIP = "gzip"
_NOT_PACKED = ("", "identity")
_LOOK_SECONDS = 0.1  # between two looks whether to go on waiting
# What is read here is not packed any more.
_OF_THE_WAY = {"content-encoding", "content-length", "transfer-encoding"}


class AnswerTimeout(Exception):  # noqa: N818 - reported in another error
    """The answer was not complete in time."""


class AnswerTooLong(Exception):  # noqa: N818 - reported in another error
    """The answer is longer than any that was expected."""


class AnswerPacked(Exception):  # noqa: N818 - reported in another error
    """The answer is packed in a way that was not asked for; its text is which."""


class HttpRequest:
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
        key: ApiKey,
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
        AnswerTimeout, AnswerTooLong
            If the answer takes longer, or is longer, than it may.
        AnswerPacked
            If it is packed in another way than `GZIP`, or more than once.
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
                    raise AnswerTimeout
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
            coding = streamed.headers.get("Content-Encoding", "").strip().lower()
            # Not unpacked by the library: it knows no limit, and obeys any list.
            for part in unpack(streamed.iter_raw(), coding, self._longest):
                content += part
                if len(content) > self._longest:
                    raise AnswerTooLong
                if self._left.is_set():
                    raise AnswerTimeout
            headers = [
                (name, value)
                for name, value in streamed.headers.multi_items()
                if name.lower() not in _OF_THE_WAY
            ]
            return httpx.Response(
                streamed.status_code, headers=headers, content=bytes(content)
            )


def unpack(parts: Iterable[bytes], coding: str, longest: int) -> Iterator[bytes]:
    """Yield the bytes of an answer, unpacked, in parts of bounded length.

    Parameters
    ----------
    parts
        The bytes as they came.
    coding
        What the server says it did to them.
    longest
        Bytes, unpacked, of one part at most; above it `AnswerTooLong`.

    Raises
    ------
    AnswerPacked
        If `coding` is anything but none or one `GZIP`.
    AnswerTooLong
        If a part unpacks to more than it may.
    httpx.DecodingError
        If the bytes are damaged.
    """
    import httpx

    if coding in _NOT_PACKED:
        yield from parts
        return
    if coding not in (GZIP, f"x-{GZIP}"):
        raise AnswerPacked(coding)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for part in parts:
        try:
            yield unpacker.decompress(part, longest + 1)
        except zlib.error as error:
            raise httpx.DecodingError(f"it cannot be unpacked ({error})") from error
        if unpacker.unconsumed_tail:
            raise AnswerTooLong
