"""A comparison from its plan to its results, gone on with where it was left."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.bench.cell import BenchCells, LeftOut, plan_cells
from napari_semst.bench.dask import settle_on_dask
from napari_semst.bench.here import Limits, settle_here
from napari_semst.bench.inputs import NamedDigests, read_facts
from napari_semst.bench.process import CellOutcome
from napari_semst.bench.results import Finished, tidy_results, write_results
from napari_semst.bench.store import CellStore
from napari_semst.core.progress import NOTED, Progress, RunControl
from napari_semst.errors import Cancelled
from napari_semst.io.export.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from napari_semst.bench.cell import BenchCell
    from napari_semst.bench.inputs import FileFacts
    from napari_semst.bench.plan import BenchPlan

STAGE = "compare"
PLAN = "plan.json"


@dataclass(frozen=True)
class BenchResult:
    """What a comparison came to.

    Parameters
    ----------
    table
        `napari_semst.bench.results.tidy_results`.
    done, skipped
        Cells done now, and those that were there.
    failed
        Cells that failed, each in words, with the reason.
    left_out
        What files do not allow.
    written
        Files that were written.
    """

    table: pd.DataFrame
    done: int
    skipped: int
    failed: tuple[tuple[str, str], ...]
    left_out: tuple[LeftOut, ...]
    written: tuple[Path, ...]


@dataclass(frozen=True)
class PreparedBench:
    """What there is to do.

    Parameters
    ----------
    plan, facts, cells
        The plan, what is known of its files, and its cells.
    store
        Where finished cells are.
    waiting
        Cells that are not finished.
    """

    plan: BenchPlan
    facts: Mapping[str, FileFacts]
    cells: BenchCells
    store: CellStore
    waiting: tuple[BenchCell, ...]

    @property
    def needs(self) -> dict[str, float]:
        """Bytes that every waiting cell will hold, by its key."""
        from napari_semst.pipeline.forecast import memory_needed

        known = {facts.name: facts for facts in self.facts.values()}
        return {
            cell.key: memory_needed(
                known[cell.file].n_spots, known[cell.file].n_counts, cell.config
            )
            for cell in self.waiting
        }

    def seconds(self) -> float:
        """Return about how many seconds of one core the waiting cells take."""
        from napari_semst.pipeline.forecast import forecast

        known = {facts.name: facts for facts in self.facts.values()}
        told: dict[tuple[str, str], float] = {}
        total = 0.0
        for cell in self.waiting:
            own, kind = known[cell.file], (cell.file, cell.settings_hash)
            if kind not in told:
                genes = cell.config.prepare.n_top_genes
                told[kind] = forecast(
                    own.n_spots, genes, own.n_counts, cell.config
                ).seconds
            total += told[kind]
        return total


def prepare_bench(
    plan: BenchPlan, folder: str | Path, control: RunControl
) -> Generator[Progress, None, PreparedBench]:
    """Read the files of a plan once, and find out what is finished.

    Raises
    ------
    SemstError
        If a file cannot be read or lacks its annotation, settings do not go together,
        or the folder cannot be made.
    """
    store = CellStore(folder)
    facts = yield from read_facts(plan, control)
    cells = plan_cells(plan, facts, NamedDigests())
    yield Progress("read", 0, 0, "Looking for finished cells")
    waiting = tuple(cell for cell in cells.cells if not store.finished(cell))
    return PreparedBench(plan, facts, cells, store, waiting)


def run_bench(
    prepared: PreparedBench,
    control: RunControl,
    limits: Limits | None = None,
    client: Any = None,
) -> Generator[Progress, None, BenchResult]:
    """Do what is not finished, and write the results of all that is.

    Parameters
    ----------
    limits
        How many cells are done at one time on this machine.
    client
        A ``distributed.Client`` whose workers do the cells; `None` does them here.

    Yields
    ------
    progress
        Events of the stage ``compare``, steps are cells; what fails is noted.

    Raises
    ------
    Cancelled
        If it was cancelled: finished cells and the results of them are kept.
    SaveError
        If something cannot be written.
    """
    prepared.store.make()
    _write_plan(prepared)
    whole, waiting = len(prepared.cells.cells), len(prepared.waiting)
    skipped = whole - waiting
    yield Progress(STAGE, skipped, whole, f"{waiting} cells to do, {skipped} there")
    outcomes: list[CellOutcome] = []
    folder, limits = prepared.store.folder, limits or Limits()
    steps = (
        settle_here(prepared.waiting, prepared.needs, folder, limits, control)
        if client is None
        else settle_on_dask(prepared.waiting, folder, client, control)
    )
    try:
        with closing(steps):
            for said in steps:
                if isinstance(said, CellOutcome):
                    outcomes.append(said)
                yield _event(said, skipped + len(outcomes), whole)
    except Cancelled as error:
        write_now(prepared, outcomes)
        raise Cancelled(
            f"The comparison was cancelled; {skipped + _done(outcomes)} of {whole} "
            "cells are finished and kept. The same again goes on from there."
        ) from error
    yield Progress("write", 0, 0, "Writing the results")
    return write_now(prepared, outcomes)


def write_now(
    prepared: PreparedBench, outcomes: Sequence[CellOutcome] = ()
) -> BenchResult:
    """Write the results of all cells of a plan that are finished."""
    finished = Finished(prepared.store, prepared.cells)
    table = tidy_results(finished, prepared.plan.readouts)
    written = write_results(table, prepared.store.folder)
    failed = [(str(one.cell), one.message) for one in outcomes if one.message]
    return BenchResult(
        table,
        _done(outcomes),
        len(prepared.cells.cells) - len(prepared.waiting),
        tuple(failed),
        prepared.cells.left_out,
        tuple(written),
    )


def _done(outcomes: Sequence[CellOutcome]) -> int:
    return sum(one.status == "done" for one in outcomes)


def _event(
    said: CellOutcome | tuple[BenchCell, dict[str, Any]] | None, done: int, whole: int
) -> Progress:
    if said is None:
        return Progress(STAGE, done, whole)
    if isinstance(said, CellOutcome):
        text = f"{said.cell}: {said.message or said.status}"
        notice = NOTED if said.status == "failed" else ""
        return Progress(STAGE, done, whole, text, notice=notice)
    cell, words = said
    if words["notice"]:
        text = f"{cell}: {words['message']}"
        return Progress(STAGE, done, whole, text, notice=words["notice"])
    share = f" {words['step']}/{words['steps']}" if words["steps"] > 1 else ""
    return Progress(STAGE, done, whole, f"{cell}: {words['stage']}{share}")


def _write_plan(prepared: PreparedBench) -> None:
    """Write what is compared, so that the folder says it itself."""
    values = prepared.plan.to_dict()
    for file in values["files"]:
        file["path"] = prepared.facts[file["path"]].source
    text = json.dumps(values, indent=2).encode()
    write_atomically(
        prepared.store.folder / PLAN,
        lambda temporary: _write_bytes(temporary, text),
        lambda temporary: None,
        overwrite=True,
        suffix=".json",
    )


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
