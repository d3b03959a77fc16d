"""A small annotated section, plans on it, and cells done without a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_semst.bench import here
from napari_semst.bench.measure import measure_cell
from napari_semst.bench.plan import BenchFile, BenchPlan
from napari_semst.bench.process import CellOutcome
from napari_semst.bench.store import CellStore
from napari_semst.core.progress import RunControl, run_to_end
from tests.small import named

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

SHORT = {"training": {"epochs": 2, "device": "cpu"}, "domains": {"n_starts": 1}}


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Cells are done in this process; those that were begun are listed."""
    monkeypatch.setattr(here, "CellProcess", Inside)
    Inside.began = []
    return Inside.began


def saved(tissue: AnnData, folder: Path, name: str = "A") -> Path:
    """Write the tissue, with symbols that the gene table knows, and return where."""
    place = folder / f"{name}.h5ad"
    named(tissue).write_h5ad(place)
    return place


def planned(path: Path, **changed: Any) -> BenchPlan:
    """Return a plan of few and short cells."""
    usual: dict[str, Any] = {
        "tables": ("3",),
        "figures": (),
        "methods": ("graphst",),
        "seeds": 1,
        "settings": SHORT,
    }
    return BenchPlan((BenchFile(str(path), "ground_truth"),), **{**usual, **changed})


class Inside:
    """Stands in for the process of a cell: the cell is done where we are."""

    began: list[str]

    def __init__(self, cell: Any, folder: Path) -> None:
        type(self).began.append(str(cell))
        self.cell, self._folder = cell, folder

    def heard(self) -> Any:
        found = run_to_end(measure_cell(self.cell, RunControl()))
        CellStore(self._folder).keep(self.cell.key, found.record, found.arrays)
        yield {"stage": "train", "step": 1, "steps": 2, "notice": "", "message": ""}
        yield CellOutcome(self.cell, "done")

    def end(self) -> None:
        pass

    def close(self) -> None:
        pass
