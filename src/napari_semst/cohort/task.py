"""One section of a cohort: what is to be done, and what became of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["done", "skipped", "failed", "not run"]


@dataclass(frozen=True, slots=True)
class SectionTask:
    """One section to be done, as plain values that can travel to another machine.

    Parameters
    ----------
    name
        What the section is called, and its result after it.
    source, result
        Absolute paths of the input and of the file to be written.
    request
        Preset and settings as TOML.
    truth
        obs column to score against; `None` for none.
    drop_unannotated
        Whether spots without annotation are left out.
    overwrite
        Whether a result that is there is made again.
    version
        The napari-semst that must do it.
    checkpoint
        Folder of the checkpoint from which it goes on; empty for none.
    journal
        Whether a worker sends the lines of a journal.
    """

    name: str
    source: str
    result: str
    request: str
    run: str
    truth: str | None
    drop_unannotated: bool
    overwrite: bool
    version: str
    checkpoint: str = ""
    journal: bool = False

    @property
    def spots(self) -> str:
        """Which spots are clustered, in words."""
        return f"with {self.truth}" if self.drop_unannotated else "all"

    def to_dict(self) -> dict[str, Any]:
        """Return the task as a dictionary of texts and switches."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SectionOutcome:
    """What became of one section of a cohort.

    Parameters
    ----------
    source, result
        Absolute paths of the input and of the result.
    status
        ``done``, ``skipped`` (the result was there), ``failed`` or ``not run``.
    account
        What ``semst run --json`` prints; `None` where there is no result.
    message
        Why it was skipped, failed or not run; else empty.
    """

    name: str
    source: str
    result: str
    status: Status
    account: dict[str, Any] | None = None
    message: str = ""

    @classmethod
    def of(
        cls,
        task: SectionTask,
        status: Status,
        account: dict[str, Any] | None = None,
        message: str = "",
    ) -> SectionOutcome:
        """Return the outcome of a task."""
        return cls(task.name, task.source, task.result, status, account, message)

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain values, fit for JSON."""
        return asdict(self)
