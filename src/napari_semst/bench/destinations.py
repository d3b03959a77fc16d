"""Where a comparison may write: never over what it reads, nor over files of others."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from napari_semst.bench.store import CELLS
from napari_semst.errors import SaveError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PLAN = "plan.json"
WRITTEN = ("results.parquet", "results.csv", "report.html", PLAN)
# Cells, and what killed processes left of them.
_OF_A_CELL = re.compile(r"\.?[0-9a-f]{24}\.npz.*")


def refuse_foreign_folder(folder: Path) -> None:
    """Refuse a folder that holds files of our names which no comparison made.

    Raises
    ------
    SaveError
        If it is one.
    """
    found = [name for name in WRITTEN if os.path.lexists(folder / name)]
    if found and not _of_a_comparison(folder):
        raise SaveError(
            f"Expected an empty folder, or that of a comparison, at {folder}; found "
            f"{', '.join(found)}, which no comparison made. Choose another folder."
        )


def refuse_files_read(
    folder: Path, reads: Iterable[Path], plan_file: Path | None = None
) -> None:
    """Refuse a folder in which a file that is read would be replaced.

    Links are followed, and names that share one file are that file.

    Parameters
    ----------
    folder
        Of the comparison.
    reads
        Files that are read.
    plan_file
        The plan that is read; as the plan of the folder it stays, see `keeps_plan`.

    Raises
    ------
    SaveError
        If a file is one of them.
    """
    ours = {_identity(folder / name): folder / name for name in WRITTEN}
    ours.pop(None, None)
    if not ours:  # what is not there replaces nothing
        return
    for read in reads:
        _refuse(ours, read)
    if plan_file is not None:
        if keeps_plan(folder, plan_file):
            ours.pop(_identity(folder / PLAN), None)
        _refuse(ours, plan_file)


def keeps_plan(folder: Path, plan_file: Path | None) -> bool:
    """Return whether the plan that is read is the one that stands in the folder."""
    if plan_file is None:
        return False
    known = _identity(plan_file)
    return known is not None and known == _identity(folder / PLAN)


def _refuse(ours: dict[tuple[int, int] | None, Path], read: Path) -> None:
    if (output := ours.get(_identity(read))) is not None:
        raise SaveError(
            f"Expected another file than the input for the result; got {output}, which "
            "is read. The input is never written over: choose another folder."
        )


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file apart by all its names; `None` where there is none."""
    try:
        found = path.expanduser().stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _of_a_comparison(folder: Path) -> bool:
    """Return whether cells are kept in a folder; before the first there are none."""
    try:
        names = os.listdir(folder / CELLS)
    except OSError:
        return False
    return not names or any(_OF_A_CELL.fullmatch(name) for name in names)
