"""What there is to do of a plan: its files read once, and what is finished."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.bench.cell import BenchCells, plan_cells
from napari_semst.bench.destinations import refuse_files_read, refuse_foreign_folder
from napari_semst.bench.inputs import NamedDigests, read_facts
from napari_semst.bench.store import CellStore
from napari_semst.core.progress import Progress, RunControl
from napari_semst.pipeline.input_files import source_files

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from napari_semst.bench.cell import BenchCell
    from napari_semst.bench.inputs import FileFacts
    from napari_semst.bench.plan import BenchPlan


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
    plan_file
        The file of the plan, where it came from one.
    """

    plan: BenchPlan
    facts: Mapping[str, FileFacts]
    cells: BenchCells
    store: CellStore
    waiting: tuple[BenchCell, ...]
    plan_file: Path | None = None

    def plan_values(self) -> dict[str, Any]:
        """Return the plan as plain values, with the absolute paths of its files."""
        values = self.plan.to_dict()
        for file in values["files"]:
            file["path"] = self.facts[file["path"]].source
        return values

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
    plan: BenchPlan,
    folder: str | Path,
    control: RunControl,
    *,
    plan_file: Path | None = None,
    config: Path | None = None,
) -> Generator[Progress, None, PreparedBench]:
    """Read the files of a plan once, and find out what is finished.

    Parameters
    ----------
    plan_file
        The file of the plan, where it came from one.
    config
        A file of settings, where one was read.

    Raises
    ------
    SemstError
        If a file cannot be read or lacks its annotation, settings do not go together,
        or something that is read, or that no comparison made, would be replaced.
    """
    store = CellStore(folder)
    refuse_foreign_folder(store.folder)
    given = [Path(file.path).expanduser() for file in plan.files]
    sources = [path for one in given if one.exists() for path in source_files(one)]
    reads = sources if config is None else [*sources, config]
    refuse_files_read(store.folder, reads, plan_file)
    facts = yield from read_facts(plan, control)
    named = NamedDigests()
    cells = plan_cells(plan, facts, named)
    refuse_files_read(store.folder, named.files)
    yield Progress("read", 0, 0, "Looking for finished cells")
    waiting = tuple(cell for cell in cells.cells if not store.finished(cell))
    return PreparedBench(plan, facts, cells, store, waiting, plan_file)
