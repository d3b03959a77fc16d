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


def file_name(path: str, taken: set[str]) -> str:
    """Return a file's name, with a number where it is taken, and take it."""
    name = PurePath(path.replace("\\", "/")).name
    stem, dot, ending = name.partition(".")
    number = 2
    while name.lower() in taken:
        name, number = f"{stem}-{number}{dot}{ending}", number + 1
    taken.add(name.lower())
    return name


def comment(text: str) -> str:
    """Return a text as a comment; line ends in it begin another."""
    return "\n".join(f"# {line}" for line in text.splitlines() or [""])


def _bracketed(opening: str, inside: Sequence[str], closing: str) -> str:
    lines = "".join(indent(one, TAB) + ",\n" for one in inside)
    return f"{opening}\n{lines}{closing}"
