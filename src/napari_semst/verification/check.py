"""What a verification found, one check after the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["holds", "differs", "unknown", "note"]
HOLDS: State = "holds"
DIFFERS: State = "differs"
UNKNOWN: State = "unknown"
NOTE: State = "note"

SCHEMA = 1
"""Rises where a field is taken away or means another thing; fields may be added."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a result says of itself, and whether it is so.

    Parameters
    ----------
    name
        What was checked.
    state
        ``holds``; ``differs``; ``unknown``: it could not be told; or ``note``:
        something to know that makes the result neither true nor false.
    text
        What was found, in one sentence.
    """

    name: str
    state: State
    text: str


def number_in_words(number: object) -> str:
    """Return a recorded number for people, also where a result holds none there."""
    return f"{number:,}" if isinstance(number, int) else f"{number!r}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What is true of what a saved result says of itself.

    Parameters
    ----------
    result
        The path of the result, or empty for a tissue in memory.
    run
        Name of the run that was verified.
    checks
        In the order in which they were made.
    """

    result: str
    run: str
    checks: tuple[Check, ...]

    @property
    def state(self) -> State:
        """``differs`` if something does, else ``unknown`` if something is, or holds."""
        states = {check.state for check in self.checks}
        return next((state for state in (DIFFERS, UNKNOWN) if state in states), HOLDS)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON; ``schema.json`` describes them."""
        from napari_semst.pipeline.provenance import versions

        return {
            "schema": SCHEMA,
            "program": versions()["napari-semst"],
            "result": self.result,
            "run": self.run,
            "state": self.state,
            "checks": [asdict(check) for check in self.checks],
        }
