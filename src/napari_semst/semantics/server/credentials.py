"""The key to a server: from the environment into one header, and nowhere else."""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from napari_semst.errors import SemanticsError

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_VARIABLES = ("SEMST_API_KEY", "OPENAI_API_KEY")
# Set to 1, it lets a key travel unencrypted to another machine.
PLAIN_TEXT_VARIABLE = "SEMST_KEY_IN_PLAIN_TEXT"
HIDDEN_KEY = "[key]"
_LONGEST_QUOTE = 300
# What the HTTP library logs of answers may hold what a server echoes.
_LOGGERS = (
    "httpx",
    *(f"httpcore.{n}" for n in ("connection", "http11", "http2", "proxy", "socks")),
)


class ApiKey:
    """A key, or none; never shown.

    Parameters
    ----------
    value
        The key; empty for none.
    variable
        Where it was found.
    """

    __slots__ = ("_value", "variable")

    def __init__(self, value: str, variable: str = "") -> None:
        self._value, self.variable = value, variable

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"ApiKey({HIDDEN_KEY if self._value else 'none'})"

    def __reduce__(self) -> str:
        # Never into a pickle either.
        raise TypeError("A key is not passed on.")

    def headers(self) -> dict[str, str]:
        """Return the header that carries the key, if there is one."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def hide(self, text: str) -> str:
        """Return a text without the key, plain or as Python and JSON quote it."""
        if not self._value:
            return text
        python, quoted = repr(self._value.encode())[2:-1], json.dumps(self._value)
        forms = {self._value, python, quoted[1:-1]}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, HIDDEN_KEY)
        return text

    def quoted(self, text: str) -> str:
        """Return what a server said: without the key, one short printable line."""
        line = " ".join(self.hide(text).split())
        line = "".join(letter for letter in line if letter.isprintable())
        cut = len(line) > _LONGEST_QUOTE
        return line[:_LONGEST_QUOTE] + ("..." if cut else "")

    @contextmanager
    def kept_from_logs(self) -> Iterator[None]:
        """Hide the key in what the HTTP library logs."""

        def hide(entry: logging.LogRecord) -> bool:
            # Made final here: the parts of a record may hold the key in bytes.
            entry.msg, entry.args = self.hide(entry.getMessage()), ()
            return True

        loggers = [logging.getLogger(name) for name in _LOGGERS] if self else []
        for logger in loggers:
            logger.addFilter(hide)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(hide)


def plain_text_allowed() -> bool:
    """Return whether the user lets a key travel unencrypted to another machine."""
    return os.environ.get(PLAIN_TEXT_VARIABLE, "").strip() == "1"


def key_from_environment(*, encrypted: bool) -> ApiKey:
    """Return the key of ``SEMST_API_KEY``, else of ``OPENAI_API_KEY``, else none.

    ``SEMST_API_KEY`` set to nothing means that no key is sent, whatever the other.
    ``OPENAI_API_KEY`` was set for others: it is never sent in plain text.

    Parameters
    ----------
    encrypted
        Whether what is sent can be read by nobody on the way.

    Raises
    ------
    SemanticsError
        If the key cannot be sent in a header; it is not shown.
    """
    known = KEY_VARIABLES if encrypted else KEY_VARIABLES[:1]
    variable = next((name for name in known if name in os.environ), None)
    key = os.environ[variable].strip() if variable else ""
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SemanticsError(
            f"Expected a key of plain characters without spaces in {variable}; found "
            "others. Set it again."
        )
    return ApiKey(key, variable or "")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A checked address: ``url`` without the endpoint, and its ``host`` with port."""

    url: str
    host: str
    is_local: bool
    is_encrypted: bool


def parse_address(url: str) -> ServerAddress:
    """Return the parts of a server's address.

    Raises
    ------
    SemanticsError
        If it is no http or https address, or holds more than a place; it is not
        repeated, as it may hold a password.
    """
    example = "Give one such as http://localhost:8000/v1"
    url = url.strip().rstrip("/").removesuffix("/embeddings").rstrip("/")
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        parts, name, port = urlsplit(""), "", None
    if parts.scheme not in ("http", "https") or not name or not url.isprintable():
        raise SemanticsError(
            "Expected the address of a server that begins with http:// or https://; "
            f"got {'another' if url else 'none'}. {example}."
        )
    if "@" in parts.netloc or "?" in url or "#" in url or " " in url:
        raise SemanticsError(
            f"Expected an address of {name} without name, password or query; got one "
            f"with more. {example}, and a key in SEMST_API_KEY."
        )
    host = name if port is None else f"{name}:{port}"
    return ServerAddress(url, host, _is_local(name), parts.scheme == "https")


def _is_local(name: str) -> bool:
    """Return whether a host is this machine: by number, as 127.evil.org is none."""
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
