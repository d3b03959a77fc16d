"""What an embedding server answers, checked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import httpx
    from numpy.typing import NDArray


# Of any model known today the widest vector has a quarter of that.
_WIDEST = 32_768
# A number as JSON has it, with a line and an indentation of its own.
_NUMBER_BYTES = 64
_REST_BYTES = 1_000_000


def max_answer_bytes(n_texts: int, dimension: int | None) -> int:
    """Return the length of an answer above which it cannot be a right one.

    Parameters
    ----------
    dimension
        Numbers of a vector, `None` where not known yet.
    """
    per_text = _NUMBER_BYTES * (dimension or _WIDEST) + 1024
    return n_texts * per_text + _REST_BYTES


class InvalidAnswer(Exception):  # noqa: N818 - reported in another error
    """An answer that holds something else than was expected."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found


def is_cut_off(answer: httpx.Response) -> bool:
    """Return whether an answer begins as a JSON object and does not end as one."""
    if not answer.text.lstrip().startswith("{"):
        return False
    try:
        answer.json()
    except (ValueError, RecursionError):
        return True
    return False


def parse_body(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON of an answer; `InvalidAnswer` without a list ``data``."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict) and isinstance(body.get("data"), list):
        return body
    raise InvalidAnswer("JSON with a list 'data'", answer.text or "nothing")


def parse_vectors(entries: list[Any], n_texts: int) -> NDArray[np.float32]:
    """Return the vectors of an answer, ``(n_texts, n_dimensions)``, in the order sent.

    Parameters
    ----------
    entries
        Its ``data``: ``index`` and ``embedding`` of each text, in any order.

    Raises
    ------
    Unfit
        If there is not one vector of finite numbers for every text.
    """
    if len(entries) != n_texts:
        raise InvalidAnswer(f"{n_texts} vectors", str(len(entries)))
    by_index = {
        entry["index"]: entry.get("embedding")
        for entry in entries
        if isinstance(entry, dict) and type(entry.get("index")) is int
    }
    if sorted(by_index) != list(range(n_texts)):
        raise InvalidAnswer(f"vectors of index 0 to {n_texts - 1}", "other indices")
    try:
        values = np.asarray([by_index[i] for i in range(n_texts)])
    except ValueError as error:
        raise InvalidAnswer("vectors of one dimension", "several") from error
    if values.ndim == 3:
        raise InvalidAnswer(
            "one vector per text", "one per token; switch pooling on in the server"
        )
    # A null among numbers makes an array of objects.
    if values.ndim != 2 or not values.shape[1] or values.dtype.kind not in "fi":
        raise InvalidAnswer("vectors of numbers", f"something else ({values.dtype})")
    with np.errstate(over="ignore"):  # overflow is reported below
        vectors: NDArray[np.float32] = values.astype(np.float32)
    bad = int((~np.isfinite(vectors)).any(axis=1).sum())
    if bad:
        raise InvalidAnswer(
            "finite numbers", f"NaN or infinity in {bad} of {n_texts} vectors"
        )
    if not vectors.any(axis=1).all():
        raise InvalidAnswer("vectors that say something", "zeros")
    # Texts are sent once each: what says the same of all says nothing.
    if n_texts > 1 and (vectors == vectors[0]).all():
        raise InvalidAnswer("another vector for another text", "the same for all")
    return vectors


def parse_retry_after(value: str) -> float:
    """Return the seconds of a Retry-After header, 0 where it says nothing."""
    value = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def server_message(answer: httpx.Response) -> str:
    """Return the message of a failed answer, wherever the server puts it."""
    try:
        body: Any = answer.json()
    except (ValueError, RecursionError):
        return answer.text
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and name in body:
            body = body[name]
    return body if isinstance(body, str) else str(answer.text)
