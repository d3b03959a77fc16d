"""A comparison from its plan to its results, gone on with where it was left."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.bench.dask import settle_on_dask
from napari_semst.bench.destinations import PLAN, keeps_plan
from napari_semst.bench.here import Limits, settle_here
from napari_semst.bench.process import CellOutcome
from napari_semst.bench.report import write_bench_report
from napari_semst.bench.results import Finished, tidy_results, write_results
from napari_semst.core.progress import NOTED, PRIVACY, Progress, RunControl
from napari_semst.errors import Cancelled
from napari_semst.io.export.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import pandas as pd

    from napari_semst.bench.cell import BenchCell, LeftOut
    from napari_semst.bench.prepared import PreparedBench

STAGE = "compare"


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
    """Write the results of all cells of a plan that are finished.

    Parameters
    ----------
    outcomes
        What became of those that were done now.

    Raises
    ------
    SaveError
        If something cannot be written.
    """
    prepared.store.make()
    finished = Finished(prepared.store, prepared.cells)
    table = tidy_results(finished, prepared.plan.readouts, prepared.plan.oracle)
    failed = [(str(one.cell), one.message) for one in outcomes if one.message]
    written = write_results(table, prepared.store.folder)
    written.append(write_bench_report(prepared, finished, failed))
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
    if words["notice"] == PRIVACY:  # said once for all cells
        return Progress(STAGE, done, whole, words["message"], notice=PRIVACY)
    if words["notice"] == NOTED:
        text = f"{cell}: {words['message']}"
        return Progress(STAGE, done, whole, text, notice=NOTED)
    share = f" {words['step']}/{words['steps']}" if words["steps"] > 1 else ""
    return Progress(STAGE, done, whole, f"{cell}: {words['stage']}{share}")


def _write_plan(prepared: PreparedBench) -> None:
    """Write what is compared, so that the folder says it itself.

    A plan that is read from there stays as it is.
    """
    if keeps_plan(prepared.store.folder, prepared.plan_file):
        return
    text = json.dumps(prepared.plan_values(), indent=2).encode()
    write_atomically(
        prepared.store.folder / PLAN,
        lambda temporary: _write_bytes(temporary, text),
        lambda temporary: None,
        overwrite=True,
        suffix=".json",
    )


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
