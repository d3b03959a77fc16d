"""Many sections with the same settings, one result each: here, or over Dask."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.cohort.plan import plan_cohort
from napari_semst.cohort.task import SectionOutcome, SectionTask
from napari_semst.config import Request, number_of_domains
from napari_semst.pipeline.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from napari_semst.core.progress import Progress

__all__ = ["SectionOutcome", "find_domains_cohort", "run_cohort"]


def find_domains_cohort(
    sources: Iterable[str | Path],
    *,
    n_domains: int | str,
    output_dir: str | Path,
    method: str | None = None,
    preset: str = "auto",
    seed: int = 0,
    overrides: dict[str, dict[str, Any]] | None = None,
    run: str = keys.DEFAULT_RUN,
    truth: str | None = None,
    overwrite: bool = False,
    keep_going: bool = True,
    client: Any = None,
    on_progress: Callable[[str, Progress], None] | None = None,
    journal: str | Path | Callable[[dict[str, Any]], None] | None = None,
    checkpoints: str | Path | bool = False,
) -> list[SectionOutcome]:
    """Find the domains of each of many sections, and save one file for each.

    Sections are independent of each other. Called again, it skips the sections whose
    result is there and was made from the same input, settings and version.

    Parameters
    ----------
    sources
        Files and folders that `napari_semst.read` reads, each a section.
    n_domains
        Number of domains (k), the same for all; ``"auto"`` chooses one for each.
    output_dir
        Folder of the results, ``<name>_semst.h5ad``; it is made if it is not there.
    method, preset, seed, overrides, run
        As for `napari_semst.find_domains`.
    truth
        obs column with an annotation: it is scored, never used.
    overwrite
        Whether results that are there are made again.
    keep_going
        Whether the rest is done after a section has failed.
    client
        A ``distributed.Client``: its workers do the sections. They must see the same
        paths. `None` does them here, one after another.
    on_progress
        Called with the section's name and every progress event; with a client, about
        once a second and from another thread.
    journal
        File to which lines are added, or a function that takes each as a dictionary:
        what happens to the sections and in them.
    checkpoints
        Folder from which killed sections go on; True: beside the results.

    Returns
    -------
    outcomes
        One per section, in the order of ``sources``.

    Raises
    ------
    SemstError
        One of its kinds, before the work: settings, names that clash, inputs that are
        not there, results that are there and of other settings. What goes wrong with
        one section is its outcome.
    """
    from napari_semst.pipeline.job import Scoring

    request = (
        Request(preset, overrides or {})
        .with_settings("domains", n_domains=number_of_domains(n_domains))
        .with_settings("training", seed=seed)
        .with_settings("model", method=method)
    )
    scoring = Scoring(truth, drop_unannotated=False)
    if not isinstance(checkpoints, bool):
        checkpoints = Path(checkpoints)
    tasks = plan_cohort(
        sources, output_dir, request, run=run, scoring=scoring, overwrite=overwrite,
        checkpoints=checkpoints,
    )  # fmt: skip
    listener = on_progress or _nobody
    # Closed at once if interrupted, so that workers do not go on for nobody.
    with (
        Journal.to(journal) as told,
        closing(
            run_cohort(tasks, client, listener, keep_going=keep_going, journal=told)
        ) as steps,
    ):
        by_name = {outcome.name: outcome for outcome in steps}
    return [by_name[task.name] for task in tasks]


def run_cohort(
    tasks: Sequence[SectionTask],
    client: Any,
    listener: Callable[[str, Progress], None],
    *,
    keep_going: bool,
    journal: Journal | None = None,
) -> Generator[SectionOutcome, None, None]:
    """Do the sections of a plan, and yield each outcome as it comes.

    Parameters
    ----------
    client
        A ``distributed.Client``, or `None`.
    listener
        Called with a section's name and its progress.
    keep_going
        Whether the rest is done after a section has failed; if not, it is yielded as
        ``not run``.
    journal
        Told what becomes of each section, and given the lines of its own journal.
    """
    from napari_semst.cohort.dask import run_on_dask
    from napari_semst.cohort.section import remove_leftovers

    journal = journal or Journal.to(None)
    journal.started_cohort(len(tasks), [Path(task.result) for task in tasks])
    write = journal.pass_on if journal.is_kept else None
    steps = (
        run_on_dask(tasks, client, listener, write)
        if client
        else _here(tasks, listener, write)
    )
    left = {task.name: task for task in tasks}
    try:
        for outcome in steps:
            del left[outcome.name]
            remove_leftovers(Path(outcome.result))
            journal.section(
                outcome.name, outcome.status, outcome.result, outcome.message
            )
            yield outcome
            if outcome.status == "failed" and not keep_going:
                break
    finally:
        steps.close()
    for task in left.values():
        yield SectionOutcome.of(task, "not run", message="a section before it failed")


def _here(
    tasks: Sequence[SectionTask],
    listener: Callable[[str, Progress], None],
    write: Callable[[dict[str, Any]], None] | None,
) -> Generator[SectionOutcome, None, None]:
    from functools import partial

    from napari_semst.cohort.section import run_cohort_section

    for task in tasks:
        yield run_cohort_section(task, partial(listener, task.name), write=write)


def _nobody(_: str, __: Progress) -> None:
    """Listen to nothing."""
