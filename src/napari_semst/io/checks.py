"""Plain words for what can go wrong with a file."""

from __future__ import annotations

import errno
import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_semst.errors import InputError, SemstError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MEGABYTE = 2**20
# Of a table whose columns are read one by one, some milliseconds each.
MOST_COLUMNS = 20_000


@contextmanager
def translate_errors(
    path: Path,
    what: str,
    words: Callable[[Path, str, BaseException], str] | None = None,
    kind: type[SemstError] = InputError,
) -> Iterator[None]:
    """Turn whatever a library raises inside the block into an error for users.

    Warnings of the libraries are held back: what matters to users is noted by us.

    Parameters
    ----------
    path, what
        The file, and what it should be, as a user says it.
    words
        What to say of an error, by default `error_message`.
    kind
        Of the error that is raised.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SemstError:
        raise
    # Readers of damaged files raise nearly any type: this is the one place where all
    # are translated.
    except Exception as error:
        raise kind((words or error_message)(path, what, error)) from error


def error_message(path: Path, what: str, error: BaseException) -> str:
    """Return the sentence for an error met while reading a file."""
    number = getattr(error, "errno", None)
    text = str(error).lower()
    if isinstance(error, PermissionError) or number in (errno.EACCES, errno.EPERM):
        return (
            f"Expected to be allowed to read {what} at {path}; permission denied. "
            "Change its permissions or copy it to a folder of yours."
        )
    if isinstance(error, FileNotFoundError):
        return f"Expected {what} at {path}; there is none. Check the path."
    if isinstance(error, MemoryError):
        return (
            f"Expected {what} at {path} to fit into memory; it does not. Close other "
            "programs, or open a part of it."
        )
    if isinstance(error, EOFError) or "truncated" in text or "end of file" in text:
        return (
            f"Expected {what} at {path} to be whole; it is cut short. Copy or "
            "download it again."
        )
    return (
        f"Expected {what} at {path}; it could not be read: {_first_line(error)}. "
        "It may be damaged: copy or download it again."
    )


def check_file(path: Path, what: str, *, at_most: int | None = None) -> Path:
    """Return the path if a non-empty file that may be read stands there.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, as a user says it ("the positions file").
    at_most
        Largest size in bytes that such a file plausibly has.

    Raises
    ------
    InputError
        If it is missing, a folder, empty, not readable or too large.
    """
    if not path.exists():
        raise InputError(f"Expected {what} at {path}; there is none. Check the path.")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise InputError(f"Expected {what} to be a file; {path} is {kind}.")
    size = path.stat().st_size
    if size == 0:
        raise InputError(
            f"Expected {what} at {path} to hold data; the file is empty. Copy or "
            "download it again."
        )
    if at_most is not None and size > at_most:
        raise InputError(
            f"Expected {what} to be at most {at_most // MEGABYTE} MB; {path} has "
            f"{size // MEGABYTE} MB. It is probably another file."
        )
    if not os.access(path, os.R_OK):
        raise InputError(error_message(path, what, PermissionError()))
    return path


def check_columns(
    n_columns: int, what: str, kind: type[SemstError] = InputError
) -> None:
    """Refuse a table of so many columns that it is none of spots or of vectors.

    Parameters
    ----------
    n_columns
        How many it has.
    what
        The table, as a user says it.
    kind
        Of the error that is raised.
    """
    if n_columns > MOST_COLUMNS:
        raise kind(
            f"Expected at most {MOST_COLUMNS:,} columns in {what}; found "
            f"{n_columns:,}. It is probably another table: counts have a file, or a "
            "matrix, of their own."
        )


def abbreviate(names: Sequence[object], most: int = 8) -> str:
    """Return names as text, the rest counted: ``a, b, c and 12 more``."""
    if not names:
        return "none"
    shown = ", ".join(str(name) for name in names[:most])
    more = len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(".")
