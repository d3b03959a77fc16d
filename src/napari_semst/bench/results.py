"""What was measured, as one tidy table: a row for each cell and readout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.errors import SaveError
from napari_semst.io.export.atomic import write_atomically
from napari_semst.io.export.spreadsheet import guard_cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pandas as pd

    from napari_semst.bench.cell import BenchCells
    from napari_semst.bench.paper import Variant
    from napari_semst.bench.store import CellStore, FinishedCell

RESULTS = "results"
SCORES = (
    "ari", "nmi", "ami", "homogeneity", "completeness", "acc", "f1_macro",
    "f1_weighted", "chaos", "pas", "spatial_silhouette",
)  # fmt: skip
_OF_CELL = (
    "file", "sha256", "labels", "n_spots", "method", "fusion", "semantics", "control",
    "n_genes", "seed",
)  # fmt: skip
_MEASURED = ("n_domains", "seconds", "cpu_seconds")
_MORE = (
    "peak_memory_mb", "train_seconds", "epochs", "strength", "alpha_mean", "alpha_sd",
    "beta_mean", "beta_sd", "device", "version", "settings_hash", "key",
)  # fmt: skip
# The best epoch by the annotation, which no run without one can know.
ORACLE = ("oracle_ari", "oracle_epoch", "oracle_every")
COLUMNS = (*_OF_CELL, "readout", *SCORES, *_MEASURED, *_MORE, *ORACLE)


class Finished:
    """The finished cells of a plan, each read once.

    Parameters
    ----------
    store
        Where they are kept.
    cells
        Those of the plan.
    """

    def __init__(self, store: CellStore, cells: BenchCells) -> None:
        found = {key: store.find(key) for key in set(cells.keys.values())}
        self.by_key = {k: cell for k, cell in found.items() if cell is not None}
        self._keys = cells.keys

    def count(self, readouts: Iterable[str]) -> int:
        """Return how many cells are there that all these readouts read."""
        wanted = set(readouts)
        return sum(
            wanted <= set(cell.record["readouts"]) for cell in self.by_key.values()
        )

    def cell(self, file: str, variant: Variant, seed: int) -> FinishedCell | None:
        """Return a finished cell, `None` where it is not."""
        return self.by_key.get(self._keys.get((file, variant, seed), ""))

    def each(self) -> dict[tuple[str, Variant, int], FinishedCell]:
        """Return the finished cell of every file, variant and seed that has one."""
        return {
            told: self.by_key[key]
            for told, key in self._keys.items()
            if key in self.by_key
        }


def oracle_of(record: Mapping[str, Any], every: int) -> dict[str, float]:
    """Return the best epoch of a cell if it was looked for as is asked for now.

    Parameters
    ----------
    every
        Every how many epochs; 0: it is not asked for.
    """
    best = record.get("oracle") if every else None
    return best if best and record["oracle_every"] == every else {}


def tidy_results(
    finished: Finished, readouts: tuple[str, ...], oracle: int = 0
) -> pd.DataFrame:
    """Return a row for each file, variant, seed and readout.

    Parameters
    ----------
    readouts, oracle
        As in `napari_semst.bench.plan.BenchPlan`.

    Returns
    -------
    table
        With the columns `COLUMNS`; where something was not measured, missing values.
    """
    import pandas as pd

    rows = [
        _row(file, variant, seed, readout, cell.record, oracle)
        for (file, variant, seed), cell in finished.each().items()
        for readout in readouts
        if readout in cell.record["readouts"]
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    # A column without a value is one of missing numbers, not of objects.
    empty = [name for name in table if table[name].isna().all()]
    return table.astype(dict.fromkeys(empty, "float64"))


def _row(
    file: str,
    variant: Variant,
    seed: int,
    readout: str,
    record: Mapping[str, Any],
    oracle: int,
) -> dict[str, Any]:
    read = record["readouts"][readout]
    # Another variant of the same settings may have made the cell.
    own = {"file": file, **variant._asdict(), "seed": seed, "readout": readout}
    of_cell = {name: record.get(name) for name in (*_OF_CELL, *_MORE)}
    best = oracle_of(record, oracle)
    told = {f"oracle_{name}": best.get(name) for name in ("ari", "epoch")}
    told["oracle_every"] = oracle if best else 0
    return {**of_cell, **read, **told, **own}


def write_results(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write ``results.parquet`` and ``results.csv``; return both."""
    return [
        _written(table, folder / f"{RESULTS}.parquet"),
        _written(table, folder / f"{RESULTS}.csv"),
    ]


def _written(table: pd.DataFrame, path: Path) -> Path:
    import pandas as pd

    parquet = path.suffix == ".parquet"

    def write(temporary: Path) -> None:
        if parquet:
            table.to_parquet(temporary, index=False)
        else:
            guard_cells(table).to_csv(temporary, index=False)

    def check(temporary: Path) -> None:
        back = pd.read_parquet(temporary) if parquet else pd.read_csv(temporary)
        if back.shape != table.shape:
            raise SaveError(
                f"Expected {path.name} to read back the same; it differs. Run the same "
                "again, or choose another disk."
            )

    return write_atomically(path, write, check, overwrite=True, suffix=path.suffix)
