"""``semst run`` on several sections: what it shows, and what it says at the end."""

from __future__ import annotations

import json
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_semst.cohort.api import run_cohort
from napari_semst.cohort.task import SectionOutcome, SectionTask
from napari_semst.core.progress import NOTED, PRIVACY
from napari_semst.errors import ConfigError
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_semst.core.progress import Progress
    from napari_semst.pipeline.journal import Journal

_COLUMNS = ("ari", "nmi", "acc", "chaos", "pas")


def refuse_single_files(**options: object) -> None:
    """Raise `ConfigError` where one file is named for many sections."""
    for name, value in options.items():
        if value is not None:
            raise ConfigError(
                f"Expected --{name.replace('_', '-')} with one section only; got "
                "several, or --output-dir or --dask. Results are named after the "
                "sections and saved in --output-dir."
            )


def run_sections(
    tasks: Sequence[SectionTask],
    address: str | None,
    journal: Journal,
    *,
    keep_going: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Do the sections, here or over Dask, and say what became of each.

    Raises
    ------
    SemstError
        If there is no Dask scheduler at the address.
    typer.Exit
        With 1 if a section failed.
    """
    with scheduler_client(address, quiet) as client:
        outcomes = _done(
            tasks, client, journal, keep_going=keep_going, as_json=as_json, quiet=quiet
        )
    if any(outcome.status in ("failed", "not run") for outcome in outcomes):
        journal.ended("failed")
        raise typer.Exit(1)


def _done(
    tasks: Sequence[SectionTask],
    client: Any,
    journal: Journal,
    *,
    keep_going: bool,
    as_json: bool,
    quiet: bool,
) -> list[SectionOutcome]:
    outcomes: list[SectionOutcome] = []
    try:
        with (
            _Board(len(tasks), quiet=quiet) as board,
            closing(
                run_cohort(
                    tasks, client, board.hear, keep_going=keep_going, journal=journal
                )
            ) as steps,
        ):
            for outcome in steps:
                outcomes.append(outcome)
                board.settle(outcome)
    finally:
        # Also after Ctrl-C: what is done is done.
        outcomes = _in_order(tasks, outcomes)
        typer.echo(_json(outcomes) if as_json else "\n".join(table(outcomes)))
    return outcomes


def table(outcomes: Sequence[SectionOutcome]) -> list[str]:
    """Return the lines that say what became of a cohort, one per section."""
    scores = [_scores(outcome) for outcome in outcomes]
    columns = [c for c in _COLUMNS if any(c in found for found in scores)]
    head = ["section", "", "spots", "domains", "seconds", *columns]
    rows = [head]
    for outcome, found in zip(outcomes, scores, strict=True):
        known = outcome.account
        facts = ["", "", ""]
        if known is not None:
            seconds = f"{sum(known['seconds'].values()):.0f}"
            facts = [str(known["n_spots"]), str(known["n_domains"]), seconds]
        cells = [f"{found[c]:.3f}" if c in found else "" for c in columns]
        rows.append([outcome.name, outcome.status, *facts, *cells])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    said: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.message:
            said.setdefault(
                f"{outcome.status}: {for_shell(outcome.message)}", []
            ).append(outcome.name)
        for warning in (outcome.account or {}).get("warnings", ()):
            said.setdefault(f"note: {warning}", []).append(outcome.name)
    lines += [f"{', '.join(names)}: {text}" for text, names in said.items()]
    return [*lines, _totals(outcomes)]


def _totals(outcomes: Sequence[SectionOutcome]) -> str:
    counts = _counts(outcomes)
    folder = Path(outcomes[0].result).parent
    said = ", ".join(
        f"{number} {status}" for status, number in counts.items() if number
    )
    return f"{len(outcomes)} sections: {said}. Results: {folder}"


def _counts(outcomes: Sequence[SectionOutcome]) -> dict[str, int]:
    statuses = [outcome.status for outcome in outcomes]
    return {s: statuses.count(s) for s in ("done", "skipped", "failed", "not run")}


def _scores(outcome: SectionOutcome) -> dict[str, float]:
    known = outcome.account or {}
    return {**known.get("scores", {}), **known.get("spatial_scores", {})}


def _json(outcomes: Sequence[SectionOutcome]) -> str:
    sections = [outcome.to_dict() for outcome in outcomes]
    return json.dumps({"counts": _counts(outcomes), "sections": sections}, indent=2)


def _in_order(
    tasks: Sequence[SectionTask], outcomes: Sequence[SectionOutcome]
) -> list[SectionOutcome]:
    by_name = {outcome.name: outcome for outcome in outcomes}
    left = "interrupted; run the same again, what is done is skipped"
    return [
        by_name.get(task.name) or SectionOutcome.of(task, "not run", message=left)
        for task in tasks
    ]


@contextmanager
def scheduler_client(address: str | None, quiet: bool) -> Iterator[Any]:
    """Connect to a scheduler where one is named, and leave it at the end."""
    if address is None:
        yield None
        return
    from napari_semst.cohort.dask import connect, count_workers

    client = connect(address)
    try:
        if not count_workers(client) and not quiet:
            typer.echo(
                f"The scheduler at {address} has no workers yet; waiting for one "
                f"(`dask worker {address}`).",
                err=True,
            )
        yield client
    finally:
        client.close()


class _Board:
    """One line of counts on a terminal, and one line for each section settled."""

    def __init__(self, n_sections: int, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bars

        self._console = Console(stderr=True, soft_wrap=True, quiet=quiet)
        self._bars = Bars(
            TextColumn("Sections"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
            transient=True,
        )
        self._total, self._failed = n_sections, 0
        self._settled: set[str] = set()
        self._announced: set[str] = set()
        self._running: dict[str, str] = {}
        # Over Dask, progress is heard in a thread of the client's.
        self._lock = threading.Lock()

    def __enter__(self) -> _Board:
        self._bars.start()
        self._task = self._bars.add_task("", total=self._total, note="")
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def hear(self, section: str, event: Progress) -> None:
        """Show how far a section is."""
        with self._lock:
            self._announce(section, event)
            if section in self._settled:  # an event that came late
                return
            share = f" {event.step}/{event.steps}" if event.steps > 1 else ""
            self._running.pop(section, None)  # the one heard last is shown last
            self._running[section] = f"{section}: {event.stage}{share}"
            self._draw()

    def settle(self, outcome: SectionOutcome) -> None:
        """Say what became of a section."""
        with self._lock:
            self._running.pop(outcome.name, None)
            self._settled.add(outcome.name)
            self._failed += outcome.status == "failed"
            count = f"{len(self._settled)} of {self._total}"
            line = f"{count}  {outcome.name}: {outcome.status}"
            known = outcome.account
            if outcome.message:
                line += f": {for_shell(outcome.message)}"
            elif known is not None:
                seconds = sum(known["seconds"].values())
                line += f": {known['n_domains']} domains in {seconds:.0f} s"
            self._console.print(line, markup=False, highlight=False)
            self._draw()

    def _announce(self, section: str, event: Progress) -> None:
        """Leave a notice on the error stream; what is sent is said once for all."""
        if event.notice == PRIVACY and event.message not in self._announced:
            self._announced.add(event.message)
            typer.echo(event.message, err=True)
        elif event.notice == NOTED:
            typer.echo(f"{section}: {event.message}", err=True)
        elif event.notice and event.notice != PRIVACY:
            line = f"{section}: {event.message}"
            self._console.print(line, markup=False, highlight=False)

    def _draw(self) -> None:
        settled = len(self._settled)
        waiting = self._total - settled - len(self._running)
        last = next(reversed(self._running.values()), "")
        note = f"{len(self._running)} running, {waiting} waiting, {self._failed} failed"
        self._bars.update(
            self._task, completed=settled, note=f"{note}  {last}".rstrip()
        )
