"""What a setting tells of itself: its help line, what it accepts, its option."""

from __future__ import annotations

from dataclasses import field
from types import MappingProxyType
from typing import Any


def setting(  # type: ignore[no-untyped-def]
    default: Any,
    help: str,  # noqa: A002
    choices: tuple[Any, ...] = (),
    low: Any = None,
    high: Any = None,
    *,
    flags: tuple[str, ...] = (),
    shell_help: str = "",
    file: bool = False,
):
    """Return a dataclass field that knows its help line and accepted values.

    Parameters
    ----------
    flags
        Names of the command line's option; empty: the setting's own.
    shell_help
        Help line of that option, with its choices for ``{choices}``; empty: ``help``.
    file
        Whether the value is the path of a file.
    """
    meta = {
        "help": help,
        "choices": choices,
        "low": low,
        "high": high,
        "flags": flags,
        "shell_help": shell_help,
        "file": file,
    }
    return field(default=default, metadata=MappingProxyType(meta))
