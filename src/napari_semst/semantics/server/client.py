"""One embedding server: asked politely, and every answer checked."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_semst.errors import SemanticsError
from napari_semst.semantics.base import CancelCheck, check_cancelled
from napari_semst.semantics.server.answer import (
    InvalidAnswer,
    is_cut_off,
    max_answer_bytes,
    parse_body,
    parse_retry_after,
    parse_vectors,
    server_message,
)
from napari_semst.semantics.server.credentials import (
    PLAIN_TEXT_VARIABLE,
    ApiKey,
    key_from_environment,
    parse_address,
    plain_text_allowed,
)
from napari_semst.semantics.server.http_request import (
    GZIP,
    AnswerPacked,
    AnswerTimeout,
    AnswerTooLong,
    HttpRequest,
)
from napari_semst.semantics.server.key_consent import consent_refusal, may_receive_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx
    from numpy.typing import NDArray

RETRIES = 5
FIRST_PAUSE = 1.0  # seconds, doubled at each attempt
LONGEST_PAUSE = 300.0  # seconds; who asks for more is not waited for
# Times the time-out of a silence: a server that drips is never silent.
WHOLE_ANSWER = 3
_PAUSE_SLICE = 0.5  # seconds between two looks whether to cancel
PROBE = "MBP, PLP1, MOBP"
_AGAIN = {408, 425, 429, 500, 502, 503, 504, 529}
_LIMIT = re.compile(
    r"too many|batch.?size|number of (?:inputs|texts)|max\w*\W[^.]{0,40}(?:input|batch)"
    r"|at most \d+ (?:input|text)",
    re.IGNORECASE,
)


class TooManyTexts(Exception):  # noqa: N818 - a request to ask for less
    """The server takes fewer texts in one request."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a server answered to one text.

    Parameters
    ----------
    url, host
        Where it was asked.
    model
        As the server calls it, else as it was asked for.
    dimension
        Numbers of a vector.
    norm
        Length of the vector; 1 where the server normalises.
    seconds
        Time of the answer.
    """

    url: str
    host: str
    model: str
    dimension: int
    norm: float
    seconds: float


class Endpoint:
    """An open connection to ``POST {url}/embeddings``; to be used in a ``with``.

    Parameters
    ----------
    url
        Address up to ``/v1``, http or https.
    model
        Model to ask for; empty: the server's own.
    timeout
        Seconds of silence after which a request is repeated; an answer that is not
        complete after `WHOLE_ANSWER` times as long counts as none.
    wait
        Waits that many seconds between attempts.
    """

    def __init__(
        self,
        url: str,
        model: str = "",
        timeout: float = 60.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = parse_address(url)
        self.model = model
        self.dimension: int | None = None
        self.probed: NDArray[np.float32] | None = None
        self._answers_as = ""
        self._timeout, self._wait = timeout, wait
        self._key = ApiKey("")
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Open the connection; with the key, if it may go there."""
        import httpx

        self._key = key_from_environment(encrypted=self.address.is_encrypted)
        if self.key_is_exposed and not plain_text_allowed():
            self._key = ApiKey("")
            raise SemanticsError(
                f"Expected an address with https for a key; {self.address.host} is "
                "another machine, and with http everybody on the way can read the "
                "key. Nothing was sent. Use https or a tunnel to this machine; set "
                "SEMST_API_KEY to nothing if the server wants none; or set "
                f"{PLAIN_TEXT_VARIABLE}=1 to send it all the same."
            )
        if self._key and not may_receive_key(self.address, self._key.variable):
            variable, self._key = self._key.variable, ApiKey("")
            raise SemanticsError(consent_refusal(self.address, variable))
        with ExitStack() as opened:
            opened.enter_context(self._key.kept_from_logs())
            self._client = opened.enter_context(
                httpx.Client(
                    headers={
                        "Accept-Encoding": GZIP,
                        **self._key.headers(),
                    },
                    timeout=self._timeout,
                    # The key and the genes go to the address given, nowhere else.
                    follow_redirects=False,
                    trust_env=not self.address.is_local,
                )
            )
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._key = ApiKey("")

    @property
    def key_is_exposed(self) -> bool:
        """Whether a key travels in plain text to another machine."""
        plain = not self.address.is_encrypted and not self.address.is_local
        return bool(self._key) and plain

    def probe(self, cancelled: CancelCheck | None = None) -> Probe:
        """Ask for one harmless text; keep its vector and the dimension.

        Raises
        ------
        SemanticsError
            If the server cannot be reached, refuses, or answers something else.
        """
        start = time.perf_counter()
        vectors = self.ask([PROBE], cancelled, first=True)
        seconds = time.perf_counter() - start
        self.probed = vectors[0]
        norm = float(np.linalg.norm(vectors[0].astype(np.float64)))
        return Probe(
            self.address.url,
            self.address.host,
            self._answers_as or self.model or "the server's own",
            vectors.shape[1],
            norm,
            seconds,
        )

    def ask(
        self,
        texts: Sequence[str],
        cancelled: CancelCheck | None = None,
        *,
        first: bool = False,
    ) -> NDArray[np.float32]:
        """Return one vector per text, ``(n_texts, n_dimensions)``.

        Busy or failing servers, cut connections and time-outs are asked again, up to
        `RETRIES` times, after pauses that double or that the server names.

        Parameters
        ----------
        texts
            Not empty.
        cancelled
            Asked all the time, also while an answer comes in.
        first
            Do not ask again where nobody listens.

        Raises
        ------
        TooManyTexts
            If the server takes fewer in one request.
        SemanticsError
            If it refuses, does not answer, or answers something else.
        Cancelled
            If `cancelled` returned True.
        """
        import httpx

        for attempt in range(RETRIES + 1):
            check_cancelled(cancelled)
            pause = FIRST_PAUSE * 2**attempt
            try:
                answer = self._answer(texts, cancelled)
            except AnswerTimeout:
                trouble = f"its answer was not complete after {self._within:g} s"
            except httpx.RequestError as error:
                trouble = self._failed(error)
                unheard = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if first and unheard:
                    break
            else:
                cut = answer.is_success and is_cut_off(answer)
                if answer.is_success and not cut:
                    return self._vectors(answer, len(texts))
                trouble = "its answer was cut off"
                if not cut:
                    trouble = self._trouble(answer, len(texts))
                pause = max(pause, self._asked_pause(answer))
            if attempt < RETRIES:
                self._pause(pause, cancelled)
        tried = "" if attempt == 0 else f" {attempt + 1} times"
        # The cause is not chained: what a server says may hold the key.
        raise SemanticsError(
            f"Expected embeddings from {self.address.host}; asked{tried}, and "
            f"{trouble}. Check that the server runs, its address and its load."
        ) from None

    @property
    def _within(self) -> float:
        """Seconds for a whole answer."""
        return WHOLE_ANSWER * self._timeout

    def _answer(
        self, texts: Sequence[str], cancelled: CancelCheck | None
    ) -> httpx.Response:
        """Return what the server answers to one request, whatever it is."""
        body: dict[str, Any] = {"input": list(texts), "encoding_format": "float"}
        if self.model:
            body["model"] = self.model
        longest = max_answer_bytes(len(texts), self.dimension)
        request = HttpRequest(
            self._client, f"{self.address.url}/embeddings", body, longest, self._key
        )
        try:
            return request.answer(self._within, cancelled)
        except AnswerTooLong:
            raise SemanticsError(
                f"Expected an answer of at most {longest / 1e6:,.1f} MB to "
                f"{len(texts)} texts from {self.address.host}; found a longer one. "
                "Check that it is an embedding server with OpenAI's interface."
            ) from None
        except AnswerPacked as packed:
            raise SemanticsError(
                f"Expected an answer from {self.address.host} that is not packed, or "
                f"once with {GZIP}; found one packed with "
                f"{self._key.quoted(str(packed))!r}, and unpacked nothing. Check what "
                "stands between this machine and the server."
            ) from None

    def _failed(self, error: httpx.RequestError) -> str:
        """Return what happened to a request without an answer."""
        import httpx

        if isinstance(error, httpx.TimeoutException):
            return f"there was no answer within {self._timeout:g} s"
        reason = self._key.quoted(str(error) or type(error).__name__)
        return f"the connection failed: {reason}"

    def _pause(self, seconds: float, cancelled: CancelCheck | None) -> None:
        while seconds > 0:
            check_cancelled(cancelled)
            self._wait(min(seconds, _PAUSE_SLICE))
            seconds -= _PAUSE_SLICE

    def _asked_pause(self, answer: httpx.Response) -> float:
        """Return the seconds a server asks to wait, 0 if it does not."""
        asked = parse_retry_after(answer.headers.get("Retry-After", ""))
        if asked > LONGEST_PAUSE:
            raise SemanticsError(
                f"Expected embeddings from {self.address.host}; it answered "
                f"{answer.status_code} and asks to come back in {asked:.0f} s. Try "
                "again later."
            )
        return asked

    def _trouble(self, answer: httpx.Response, n_texts: int) -> str:
        """Return what a failed answer says; raise where asking again is no use."""
        status, words = answer.status_code, self._key.quoted(server_message(answer))
        reason = f"it answered {status}" + (f": {words}" if words else "")
        over = status == 413 or (status in (400, 422) and _LIMIT.search(words))
        if over and n_texts > 1:
            raise TooManyTexts(words)
        if status in _AGAIN:
            return reason
        advice = "Check the address and the model's name"
        if over:
            advice = "It takes no text of this length: list fewer genes"
        elif answer.is_redirect:
            # Not followed: the key and the genes are for the address given.
            place = self._key.quoted(answer.headers.get("Location", "elsewhere"))
            reason = f"it answered {status} and points to {place}"
            advice = "If that is the right one, give it as the address"
        elif status in (401, 403):
            advice = "Set the key in the environment, SEMST_API_KEY"
        elif status == 404:
            advice = "Its address should end before /embeddings, mostly in /v1; else "
            advice += "the model has another name"
        raise SemanticsError(
            f"Expected embeddings from {self.address.host}; {reason}. {advice}."
        )

    def _vectors(self, answer: httpx.Response, n_texts: int) -> NDArray[np.float32]:
        """Return the vectors of an answer in the order of the texts, checked."""
        try:
            body = parse_body(answer)
            vectors = parse_vectors(body["data"], n_texts)
            if self.dimension not in (None, vectors.shape[1]):
                raise InvalidAnswer(
                    f"{self.dimension} dimensions, as before", str(vectors.shape[1])
                )
        except InvalidAnswer as unfit:
            raise SemanticsError(
                f"Expected {unfit.expected} from {self.address.host}; found "
                f"{self._key.quoted(unfit.found)}. Check that it is an embedding "
                "server with OpenAI's interface, and its model."
            ) from None
        if self.dimension is None:
            self.dimension = vectors.shape[1]
            named = body.get("model")
            self._answers_as = self._key.quoted(named) if isinstance(named, str) else ""
        return vectors
