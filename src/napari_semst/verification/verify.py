"""Re-check what a saved result says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.core.progress import Progress, RunControl, run_to_end
from napari_semst.verification.check import Check, Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from anndata import AnnData

    from napari_semst.verification.saved import SavedRun


def verify_result(
    result: AnnData | str | Path,
    *,
    run: str | None = None,
    inputs: Sequence[str | Path] = (),
    rerun: bool = False,
    table: str = "semst",
    on_progress: Callable[[Progress], None] | None = None,
) -> Verification:
    """Check that what a result says of itself is true; nothing is written.

    Its labels, the other values of its run, what it tells of itself and the counts in
    it are compared with the hashes that were taken when it was made; the files that it
    was made from with theirs. `verifying` is the same as a generator, which can be
    cancelled.

    Parameters
    ----------
    result
        A file or store with results, or a tissue.
    run
        Name of the run; the latest where `None`.
    inputs
        Where files that the run read are now, if they are not where they were: by
        name, else in their order.
    rerun
        Whether to run again, with the recorded settings, and compare labels.
    table
        Of a SpatialData store: the table of results.
    on_progress
        Called with every progress event.

    Returns
    -------
    verification
        Every check, and what they come to.

    Raises
    ------
    InputError
        If there is no such result or run.
    ConfigError
        If more inputs are given than the run read.
    """
    steps = verifying(result, run=run, inputs=inputs, rerun=rerun, table=table)
    return run_to_end(steps, on_progress)


def verifying(
    result: AnnData | str | Path,
    control: RunControl | None = None,
    *,
    run: str | None = None,
    inputs: Sequence[str | Path] = (),
    rerun: bool = False,
    table: str = "semst",
) -> Generator[Progress, None, Verification]:
    """Do the same as `verify_result`, step by step.

    Parameters
    ----------
    control
        Cancels it from another thread.
    result, run, inputs, rerun, table
        As for `verify_result`.
    """
    from napari_semst.verification.saved import saved_run

    control = control or RunControl()
    yield Progress("read", 0, 0, "Reading the result")
    saved = saved_run(result, run, table)
    control.check()
    given = [Path(one).expanduser() for one in inputs]
    checks = yield from _checks(saved, given, control, rerun=rerun)
    return Verification(saved.path, saved.run, tuple(checks))


def _checks(
    saved: SavedRun, given: Sequence[Path], control: RunControl, *, rerun: bool
) -> Generator[Progress, None, list[Check]]:
    from napari_semst.verification.contents import own_contents
    from napari_semst.verification.given_files import check_files
    from napari_semst.verification.inside import check_inside, check_versions
    from napari_semst.verification.repeat import check_repeat

    found = check_inside(saved)
    own = yield from own_contents(saved, control)
    found.append(own.check)
    files = yield from check_files(saved, given, control, read_anyway=rerun)
    found += [*files.checks, *check_versions(saved)]
    if rerun:
        found.append((yield from check_repeat(saved, files, own, control)))
    return found
