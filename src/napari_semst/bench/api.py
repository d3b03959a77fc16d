"""A comparison in one call, for scripts and notebooks."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.bench.here import Limits
from napari_semst.bench.plan import BenchPlan
from napari_semst.bench.plan_file import read_plan
from napari_semst.bench.prepared import prepare_bench
from napari_semst.bench.run import BenchResult, run_bench, write_now
from napari_semst.core.progress import RunControl, run_to_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_semst.core.progress import Progress

__all__ = ["BenchResult", "compare_methods"]


def compare_methods(
    plan: BenchPlan | str | Path,
    output_dir: str | Path,
    *,
    jobs: int = 0,
    max_memory: float = 0.0,
    client: Any = None,
    finished_only: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    control: RunControl | None = None,
) -> BenchResult:
    """Compare methods on annotated sections, cell by cell, and write what was found.

    A cell is a file, a method in one of its ways, and a seed. Each is done in a process
    of its own and kept when it is finished: called again, after whatever end, it goes
    on with those that are not. The annotation enters scores, and by default the number
    of domains.

    Parameters
    ----------
    plan
        What is compared, or the file of a plan.
    output_dir
        Folder of the comparison; it is made if it is not there.
    jobs
        Cells done at one time at most; 0: as many as there are cores.
    max_memory
        GiB that all of them may hold by their forecasts; 0: most of what is free.
    client
        A ``distributed.Client``: its workers do the cells. They must see the same
        paths. `None` does them here.
    finished_only
        Whether no cell is done, and the results of those that are finished are written.
    on_progress
        Called with every progress event.
    control
        Cancels from another thread; finished cells are kept.

    Returns
    -------
    result
        The table of results, what failed, and the files that were written.

    Raises
    ------
    SemstError
        One of its kinds, before the work: settings, files, annotations. What goes wrong
        with one cell is told in the result.
    """
    plan_file = None if isinstance(plan, BenchPlan) else Path(plan)
    if not isinstance(plan, BenchPlan):
        plan = read_plan(plan)
    control = control or RunControl()
    limits = Limits(jobs, max_memory)
    steps = prepare_bench(plan, output_dir, control, plan_file=plan_file)
    prepared = run_to_end(steps, on_progress)
    if finished_only:
        return write_now(prepared)
    # Closed at once if interrupted, so that processes do not go on for nobody.
    with closing(run_bench(prepared, control, limits, client)) as doing:
        return run_to_end(doing, on_progress)
