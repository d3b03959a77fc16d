"""A run as a file or a tissue holds it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.errors import InputError, SemstError
from napari_semst.io.checks import abbreviate, translate_errors
from napari_semst.pipeline.provenance import (
    CONTENT,
    EVIDENCE,
    INPUTS,
    python_values,
    recorded_config,
)
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.config import Config

_OF_FILES = ("role", "path", "sha256")


@dataclass(frozen=True)
class SavedRun:
    """A run as a file or a tissue holds it.

    Parameters
    ----------
    path
        Of the file; empty for a tissue in memory.
    run
        Its name.
    tissue
        With its labels.
    record
        What it says of itself, in Python's own values.
    """

    path: str
    run: str
    tissue: AnnData
    record: dict[str, Any]

    @property
    def column(self) -> str:
        """The obs column of its labels."""
        return keys.of_run(keys.DOMAIN, self.run)

    @property
    def is_latest(self) -> bool:
        """Whether what stands under the bare keys is of this run."""
        return str(self.tissue.uns.get(keys.LATEST, "")) == self.run

    @cached_property
    def config(self) -> Config | None:
        """Its settings; `None` where they cannot be read as such."""
        try:
            return recorded_config(self.record) if "config" in self.record else None
        except (SemstError, AttributeError, TypeError, ValueError):
            return None

    @property
    def evidence(self) -> dict[str, Any]:
        """The hashes of what it wrote; empty where none were taken."""
        return table_of(self.record, EVIDENCE)

    @property
    def content(self) -> dict[str, Any]:
        """The hashes of what it read of its tissue; likewise."""
        return table_of(self.record, CONTENT)

    @property
    def files(self) -> list[dict[str, str]]:
        """Each file that it read: role, path and hash; likewise."""
        columns = table_of(self.record, INPUTS)
        lists = [columns.get(name) for name in _OF_FILES]
        # Others than the program wrote are as good as none; `record` tells of them.
        if not all(isinstance(values, list) for values in lists):
            return []
        rows = list(zip(*lists, strict=False))
        if not all(isinstance(value, str) for row in rows for value in row):
            return []
        return [dict(zip(_OF_FILES, row, strict=True)) for row in rows]

    @property
    def labelled_by_model(self) -> bool:
        """Whether a saved model labelled the section."""
        return bool(table_of(self.record, "model"))

    def note_of_inputs(self, name: str) -> str:
        """Return what was noted of all inputs together, empty for nothing."""
        return str(table_of(self.record, INPUTS).get(name, ""))


def table_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an entry that holds others; none where it is anything else."""
    found = record.get(name, {})
    return found if isinstance(found, dict) else {}


def saved_run(result: AnnData | str | Path, run: str | None, table: str) -> SavedRun:
    """Return a run of a result.

    Raises
    ------
    InputError
        If there is no result, or no such run in it.
    """
    path, where = "", "in the tissue"
    if isinstance(result, str | Path):
        path, where = str(result), f"in {result}"
        tissue = _tissue_of(Path(result).expanduser(), table)
    else:
        tissue = result
    name = str(tissue.uns.get(keys.LATEST, "")) if run is None else run
    runs = tissue.uns.get(keys.RUNS, {})
    known = list(runs) if hasattr(runs, "keys") else []
    name = name or (known[0] if len(known) == 1 else keys.DEFAULT_RUN)
    column = keys.of_run(keys.DOMAIN, name)
    if name not in known or column not in tissue.obs:
        raise InputError(
            Worded(
                f"Expected a run {name!r} with labels in obs[{column!r}] {where}; "
                f"found runs {abbreviate(known)}. ",
                Way(
                    "Give what `semst run` or `semst apply` saved, and one of its runs "
                    "with --run.",
                    "Give what find_domains or apply_model returned, and one of its "
                    "runs (run=...).",
                    "Choose a section with domains.",
                ),
            )
        )
    return SavedRun(path, name, tissue, python_values(runs[name]))


def _tissue_of(place: Path, table: str) -> AnnData:
    """Return what a file or store of results holds."""
    from napari_semst.io.read import read

    inner = place / "tables" / table
    if (inner / "zarr.json").exists() or (inner / ".zattrs").exists():
        import anndata

        with translate_errors(inner, "a table of results"):
            return anndata.read_zarr(inner)
    return read(place, features="all")
