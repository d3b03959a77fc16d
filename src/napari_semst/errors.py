"""Errors that reach users: what was expected, what was found, what to do."""

from __future__ import annotations


class SemstError(Exception):
    """A problem that the user can understand and act on."""


class InputError(SemstError):
    """The file, folder or table given is not what can be read."""


class CountsError(InputError):
    """The expression matrix does not hold raw counts."""


class ConfigError(SemstError):
    """A setting is unknown or out of range."""


class SemanticsError(SemstError):
    """Gene semantics could not be made from the source chosen."""


class DeviceError(SemstError):
    """The compute device asked for is not there or ran out of memory."""


class TrainingError(SemstError):
    """Training could not go on."""


class SaveError(SemstError):
    """A result could not be written and read back."""


class Cancelled(SemstError):  # noqa: N818 - an ending, not a fault
    """The user cancelled; nothing was changed."""


class ShareDone(SemstError):  # noqa: N818 - an ending, not a fault
    """One of several processes did its share; the first one goes on alone."""


def one_of(name: str, value: object, accepted: object) -> str:
    """Return the sentence for a value outside its accepted set."""
    choices = ", ".join(repr(a) for a in accepted)  # type: ignore[attr-defined]
    return f"Expected {name} to be one of {choices}; got {value!r}."
