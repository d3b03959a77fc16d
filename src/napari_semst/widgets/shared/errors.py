"""Errors in plain words, as the docks tell them."""

from __future__ import annotations

import traceback

from napari_semst import errors
from napari_semst.wording import for_window

_TITLES: tuple[tuple[type[Exception], str], ...] = (
    (errors.CountsError, "No raw counts"),
    (errors.InputError, "This section cannot be used"),
    (errors.ConfigError, "A setting is not accepted"),
    (errors.SemanticsError, "No gene semantics"),
    (errors.DeviceError, "The device cannot be used"),
    (errors.TrainingError, "The computation failed"),
    (errors.SaveError, "Not saved"),
)
UNEXPECTED = "Something unexpected went wrong"
UNEXPECTED_HELP = (
    "Nothing was changed. If it happens again, please report it with the details."
)


def describe_error(error: Exception) -> tuple[str, str]:
    """Return a title and a text for an error, in plain words."""
    if isinstance(error, errors.SemstError):
        for kind, title in _TITLES:
            if isinstance(error, kind):
                return title, for_window(error)
        return "It did not work", for_window(error)
    if isinstance(error, MemoryError):
        return (
            "Memory ran out",
            "Expected enough memory for this section. Close other programs, or choose "
            "the recipe 'quick'.",
        )
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return UNEXPECTED, f"{first}\n{UNEXPECTED_HELP}"


def error_report(error: Exception) -> str:
    """Return the technical report of an error, with its traceback."""
    return "".join(traceback.format_exception(error))
