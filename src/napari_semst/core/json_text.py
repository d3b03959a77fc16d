"""JSON of files that anybody may have written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_semst.core.memory import GIB, HARMLESS, memory_allowed

if TYPE_CHECKING:
    from pathlib import Path

# Metadata of a store of many thousand arrays has some of these.
_LARGEST_FILE = HARMLESS
# Bytes that Python takes: a list or a table of names, and what stands in one.
_NEST_BYTES, _ENTRY_BYTES = 120, 60


def parse_json(text: str | bytes) -> Any:
    """Return the value that a text holds, as `json.loads` does.

    Raises
    ------
    ValueError
        If it is no JSON, nested too deeply to be read, or would take more memory than
        there is.
    """
    _check_memory(text)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json(path: Path) -> Any:
    """Return the value that a small file holds.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no file, larger than metadata are, or `parse_json` refuses it.
    """
    if not path.is_file():
        raise ValueError("it is no ordinary file")
    with path.open("rb") as file:
        text = file.read(_LARGEST_FILE + 1)
    if len(text) > _LARGEST_FILE:
        raise ValueError(f"it holds more than {_LARGEST_FILE // 2**20} MB")
    return parse_json(text)


def _check_memory(text: str | bytes) -> None:
    """Refuse a text whose values would not fit: short ones become far larger."""
    if len(text) < HARMLESS // 8:
        return
    marks = (b"[", b"{", b",") if isinstance(text, bytes) else ("[", "{", ",")
    n_lists, n_tables, n_entries = (text.count(mark) for mark in marks)  # type: ignore[arg-type]
    needed = len(text) + _NEST_BYTES * (n_lists + n_tables) + _ENTRY_BYTES * n_entries
    if needed > memory_allowed():
        raise ValueError(
            f"its values would take about {needed / GIB:.1f} GiB of memory, and "
            f"{memory_allowed() / GIB:.1f} GiB are there"
        )
