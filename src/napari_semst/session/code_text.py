"""Pieces of Python as text: values, calls and imports, within a width."""

from __future__ import annotations

from pathlib import PurePath
from textwrap import indent
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH = 88
TAB = "    "
# Of a text that is told on several lines.
_PIECE = 72


def literal(value: Any) -> str:
    """Return a plain value as code: long texts and tables on several lines."""
    if isinstance(value, str) and len(repr(value)) > _PIECE:
        pieces = [value[at : at + _PIECE] for at in range(0, len(value), _PIECE)]
        return "(\n" + "\n".join(TAB + repr(piece) for piece in pieces) + "\n)"
    text = repr(value)
    if len(text) <= _PIECE or not isinstance(value, dict | list):
        return text
    if isinstance(value, dict):
        inside = [f"{key!r}: {literal(one)}" for key, one in value.items()]
        return _bracketed("{", inside, "}")
    return _bracketed("[", [literal(one) for one in value], "]")


def call(opening: str, arguments: Sequence[str], closing: str = ")") -> str:
    """Return a call, an argument a line where it is too long for one.

    Parameters
    ----------
    opening
        All before the arguments, with the bracket.
    """
    line = f"{opening}{', '.join(arguments)}{closing}"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    return _bracketed(opening, arguments, closing)


def keywords(given: dict[str, Any], usual: Iterable[tuple[str, Any]] = ()) -> list[str]:
    """Return arguments by name; those that are as usual are left out."""
    # Names come from files of anybody: what is none would be code.
    if wrong := [name for name in given if not name.isidentifier()]:
        raise ValueError(wrong[0][:40])
    left_out = list(usual)
    return [
        f"{name}={literal(value)}"
        for name, value in given.items()
        if (name, value) not in left_out
    ]


def import_lines(names: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines that import names from modules: pairs of module and name."""
    homes: dict[str, list[str]] = {}
    for home, name in sorted(names):
        homes.setdefault(home, []).append(name)
    lines = []
    for home, inside in homes.items():
        line = f"from {home} import {', '.join(inside)}"
        if len(line) > WIDTH:
            line = _bracketed(f"from {home} import (", inside, ")")
        lines.append(line)
    return lines


class OutputFiles:
    """Names of the files that a session writes: one for each, which no other has.

    Parameters
    ----------
    kept
        Names that are not to be given: of files in between.
    """

    def __init__(self, kept: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in kept}
        self._names: dict[str, str] = {}

    @property
    def any(self) -> bool:
        """Whether a file is written."""
        return bool(self._names)

    def name(self, path: str) -> tuple[str, bool]:
        """Return the name for a path, and whether that was written before.

        Parameters
        ----------
        path
            Where the file was written to. Of another folder's file of the same name it
            is told apart by a number.
        """
        known = self._names.get(path)
        if known is not None:
            return known, True
        name = PurePath(path.replace("\\", "/")).name
        stem, dot, ending = name.partition(".")
        number = 2
        while name.lower() in self._taken:
            name, number = f"{stem}-{number}{dot}{ending}", number + 1
        self._taken.add(name.lower())
        self._names[path] = name
        return name, False


def comment(text: str) -> str:
    """Return a text as a comment; line ends in it begin another."""
    return "\n".join(f"# {line}" for line in text.splitlines() or [""])


def _bracketed(opening: str, inside: Sequence[str], closing: str) -> str:
    lines = "".join(indent(one, TAB) + ",\n" for one in inside)
    return f"{opening}\n{lines}{closing}"
