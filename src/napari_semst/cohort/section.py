"""One section of a cohort: done, or skipped because its result is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.cohort.task import SectionOutcome, SectionTask
from napari_semst.core.progress import (
    Progress,
    RunControl,
    run_to_end,
    with_callback,
)
from napari_semst.errors import Cancelled, ConfigError, SaveError, SemstError
from napari_semst.wording import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_semst.pipeline.journal import Journal


def run_cohort_section(
    task: SectionTask,
    listener: Callable[[Progress], None],
    control: RunControl | None = None,
    write: Callable[[dict[str, Any]], None] | None = None,
) -> SectionOutcome:
    """Do one section; whatever goes wrong with it is its outcome.

    Parameters
    ----------
    write
        Takes the lines of a journal of the section.

    Raises
    ------
    Cancelled
        If it was cancelled; nothing is written then.
    """
    from napari_semst.pipeline.journal import Journal

    try:
        with Journal.to(write, section=task.name) as journal:
            outcome = _done_or_skipped(task, listener, control, journal)
            journal.ended(outcome.status)
            return outcome
    except Cancelled:
        raise
    except SemstError as error:
        return SectionOutcome.of(task, "failed", message=message(error))
    # One section's fault must not cost the others.
    except Exception as error:  # noqa: BLE001
        text = (
            f"unexpected {type(error).__name__}: {error}. Run this section alone with "
            "--debug and report what it says."
        )
        return SectionOutcome.of(task, "failed", message=text)


def remove_leftovers(result: Path) -> None:
    """Remove what processes that were killed while writing left beside a result.

    Only to be called once the section is settled and nobody writes it any more.
    """
    for left in result.parent.glob(f".{_literal(result.name)}.*.tmp"):
        left.unlink(missing_ok=True)


def _literal(name: str) -> str:
    from glob import escape

    return escape(name)


def _done_or_skipped(
    task: SectionTask,
    listener: Callable[[Progress], None],
    control: RunControl | None,
    journal: Journal,
) -> SectionOutcome:
    from napari_semst.cohort.fingerprint import input_fingerprint
    from napari_semst.config import Request
    from napari_semst.pipeline.job import find_and_save

    _check_version(task)
    listener(Progress("read", 0, 0, "Reading"))
    control = control or RunControl()
    steps = with_callback(input_fingerprint(task, control), listener)
    record = run_to_end(steps)
    if Path(task.result).exists() and not task.overwrite:
        return _skipped(task, record)
    try:
        account = find_and_save(
            [Path(task.source)],
            Request.from_toml(task.request),
            task.run,
            _scoring(task),
            _files(task),
            through=lambda steps: with_callback(steps, listener),
            control=control,
            notes=record,
            journal=journal,
        )
    except SaveError:
        # One that was taken for dead may have finished the same section meanwhile.
        if task.overwrite or not Path(task.result).exists():
            raise
        return _skipped(task, record)
    return SectionOutcome.of(task, "done", account)


def _check_version(task: SectionTask) -> None:
    from napari_semst.pipeline.provenance import versions

    here = versions()["napari-semst"]
    if here != task.version:
        raise ConfigError(
            f"Expected napari-semst {task.version} on the worker, as where the cohort "
            f"was started; found {here}. Install the same version there."
        )


def _skipped(task: SectionTask, record: dict[str, Any]) -> SectionOutcome:
    """Return the account of the result that is there, if it is the one wanted."""
    from napari_semst.cohort.fingerprint import INPUT, recorded_run, why_outdated

    recorded = recorded_run(Path(task.result), task.run)
    why = why_outdated(task)
    if not why and recorded is not None:
        if recorded[INPUT]["sha256"] == record[INPUT]["sha256"]:
            account = _account(task, recorded)
            return SectionOutcome.of(
                task,
                "skipped",
                account,
                "its result is there: same input, settings and version",
            )
        why = "the input has changed since"
    raise SaveError(
        f"Expected the result at {task.result} to be of this input and these settings; "
        f"it is not: {why}. Choose another folder, or allow it to be overwritten."
    )


def _account(task: SectionTask, recorded: dict[str, Any]) -> dict[str, Any]:
    """Return the account of a result on disk; its counts are not read."""
    import h5py
    from anndata import AnnData
    from anndata.io import read_elem

    from napari_semst import keys
    from napari_semst.pipeline.provenance import CONTENT
    from napari_semst.pipeline.result import DomainResult
    from napari_semst.pipeline.summary import run_summary

    with h5py.File(task.result, "r") as file:
        obs, obsm = read_elem(file["obs"]), read_elem(file["obsm"])
        n_genes = len(read_elem(file["var"]))
    # Files whose counts were never held keep features that are no genes.
    n_genes = int(recorded.get(CONTENT, {}).get("n_genes", n_genes))
    labels = obs[keys.of_run(keys.DOMAIN, task.run)].cat
    result = DomainResult(
        labels.codes.to_numpy().astype("int32"),
        tuple(map(str, labels.categories)),
        obsm[keys.LATENT],
        provenance=recorded,
    )
    settings = recorded["config"]["prepare"]
    scores = _scoring(task).scores(
        AnnData(obs=obs, obsm=obsm),
        result.codes,
        settings["coordinates"],
        settings.get("section_key", ""),
    )
    account = run_summary([Path(task.source)], n_genes, result, scores, [task.result])
    # Of this process, which did not make it.
    return {**account, "peak_memory_mb": None}


def _scoring(task: SectionTask) -> Any:
    from napari_semst.pipeline.job import Scoring

    return Scoring(task.truth, task.drop_unannotated)


def _files(task: SectionTask) -> Any:
    from napari_semst.pipeline.job import RunOutputs

    kept = Path(task.checkpoint) if task.checkpoint else None
    return RunOutputs(Path(task.result), None, None, task.overwrite, checkpoint=kept)
