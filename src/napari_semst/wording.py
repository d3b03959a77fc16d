"""Sentences for everyone: what to do is said in the words of the reader's own tool.

The library does not know who reads an error or a note: somebody at a shell, a Python
script, or somebody before a window. A `Way` holds the words of each, a `Worded` text
shows Python's, as Python itself prints errors, and shell and window ask for theirs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Way:
    """How something is done, said for each reader.

    Parameters
    ----------
    shell
        With the options of ``semst``.
    python
        With arguments and settings.
    window
        With what the docks show; empty where they have no way.
    """

    shell: str
    python: str
    window: str


class Worded(str):
    """A text of which parts depend on who reads it.

    It is the text for Python; copies in files and tables, which anybody may read, are
    plain strings of that.

    Parameters
    ----------
    *parts
        Texts and ways, put together without anything between them.
    """

    __slots__ = ("parts",)
    parts: tuple[str | Way, ...]

    def __new__(cls, *parts: str | Way) -> Worded:
        """Put the text for Python together."""
        flat: list[str | Way] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, Worded) else [part])
        made = super().__new__(
            cls, "".join(x.python if isinstance(x, Way) else x for x in flat)
        )
        made.parts = tuple(flat)
        return made

    def __getnewargs__(self) -> tuple[str | Way, ...]:  # type: ignore[override]
        """Return what it is made of again, where processes hand it on."""
        return self.parts


def message(said: str | BaseException) -> str:
    """Return the text of an error, with its ways, or a text itself."""
    if isinstance(said, str):
        return said
    first = said.args[0] if len(said.args) == 1 else None
    return first if isinstance(first, Worded) else str(said)


def for_shell(said: str | BaseException) -> str:
    """Return a text, or that of an error, for somebody at a shell."""
    text = message(said)
    if not isinstance(text, Worded):
        return text
    return "".join(x.shell if isinstance(x, Way) else x for x in text.parts)


def for_window(said: str | BaseException) -> str:
    """Return a text, or that of an error, for somebody before the docks."""
    text = message(said)
    if not isinstance(text, Worded):
        return text
    return "".join(x.window if isinstance(x, Way) else x for x in text.parts)
