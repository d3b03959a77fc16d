"""A file of JSON lines that a killed process leaves whole."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from napari_semst.core.json_text import parse_json
from napari_semst.errors import SaveError
from napari_semst.semantics.server.credentials import (
    HIDDEN_KEY,
    KEY_VARIABLES,
    ApiKey,
)

# Shorter ones are words such as "none", which local servers are given.
_LEAST_KEY = 8
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_IN_QUERY = re.compile(r"(?i)([?&][\w-]*(?:key|token|secret|password)=)[^&\s\"']+")


class JournalFile:
    """Appends lines to a journal, each in one call of the system.

    What goes wrong once the run has begun is remembered, and ends nothing.

    Parameters
    ----------
    path
        A new file, or a journal that is added to.

    Raises
    ------
    SaveError
        If it is something else than a journal, or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self.failure: OSError | None = None
        torn = _check_journal(self.path)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            self._handle = os.open(self.path, flags, 0o666)
            if torn:  # by a machine that went down: its line stays alone
                os.write(self._handle, b"\n")
        except OSError as error:
            raise SaveError(_refused(self.path, error)) from error

    def __call__(self, line: dict[str, Any]) -> None:
        """Append a line; it is on its way to the disk when this returns."""
        text = json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
        data = text.encode("utf-8", errors="replace")
        try:
            while data:
                data = data[os.write(self._handle, data) :]
        except OSError as error:
            self.failure = self.failure or error

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def without_secrets(value: Any) -> Any:
    """Return plain values whose texts hold no key, and addresses no password."""
    if isinstance(value, dict):
        return {name: without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value]
    if not isinstance(value, str):
        return value
    for variable in KEY_VARIABLES:
        key = os.environ.get(variable, "").strip()
        if len(key) >= _LEAST_KEY:
            value = ApiKey(key).hide(value)
    without_names = _IN_ADDRESS.sub(HIDDEN_KEY, value)
    return _IN_QUERY.sub(rf"\1{HIDDEN_KEY}", without_names)


def _check_journal(path: Path) -> bool:
    """Return whether the last line of a journal is torn; refuse other files."""
    try:
        if not path.exists():
            return False
        with path.open("rb") as content:
            first = content.readline(1_000_000)
            if not first:
                return False
            content.seek(-1, os.SEEK_END)
            torn = content.read(1) != b"\n"
    except OSError as error:
        raise SaveError(_refused(path, error)) from error
    try:
        line = parse_json(first)
    except ValueError:
        line = None
    if isinstance(line, dict) and {"time", "event", "run"} <= line.keys():
        return torn
    raise SaveError(
        f"Expected a new file or a journal at {path}, to which lines are added; found "
        "something else. Choose another name."
    )


def _refused(path: Path, error: OSError) -> str:
    return (
        f"Expected a journal at {path}; it cannot be written: "
        f"{error.strerror or error}. Choose another place."
    )
