"""Work on a section that is in no file yet, kept for the case of a crash.

Kept is what a run or people added to the section, not what its file holds: columns made
by hand, results, colours, alignments. The counts and images are read again.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.core.json_text import parse_json
from napari_semst.core.settings_folder import settings_folder
from napari_semst.errors import InputError, SaveError
from napari_semst.explore.annotate import edited_columns
from napari_semst.io.export.temporaries import (
    process_mark,
    process_runs,
    remove_dead_temporaries,
)
from napari_semst.io.notes import INPUT

if TYPE_CHECKING:
    from collections.abc import Collection

    from anndata import AnnData

_FACTS = "recovery"
_NO_FACTS = (TypeError, KeyError, AttributeError)
PROBABILITY = "_probability"
"""End of the column that says how sure labels refined from corrections are."""
BORDER_DISTANCE = "_border_distance"
"""End of the column of distances to the borders of labels."""

_OURS = ("semst", "X_semst", "ig_")
# Vectors of all spots beyond this are not copied every time that a name changes.
_MOST_BYTES = 2**26
SECONDS_BETWEEN_SIGNS = 60.0
"""How often a program that runs says so of its unsaved work."""
_SECONDS_SILENT = 5 * SECONDS_BETWEEN_SIGNS


@dataclass(frozen=True, slots=True)
class UnsavedWork:
    """What is known of unsaved work before it is read.

    Parameters
    ----------
    name
        What the section is called.
    path, counts, positions, part
        Where it was read from, and the choices made; all empty for what is no file.
    n_spots, spots
        How many spots, and the hash of their names: `pipeline.provenance.spots_hash`.
    size, modified
        Of the file when the work was kept, in bytes and nanoseconds; -1 of a folder.
    changed
        When the work was last changed, ISO 8601 in local time.
    colour_by, run
        What the spots showed.
    columns, vectors, entries
        Names in obs, obsm and uns that are results or work.
    left_out
        Vectors that were too large to be kept.
    program
        The process that it is of: `io.export.temporaries.process_mark`.
    file
        Where it is kept.
    """

    name: str
    path: str = ""
    counts: str = ""
    positions: str = ""
    part: str = ""
    n_spots: int = 0
    spots: str = ""
    size: int = -1
    modified: int = -1
    changed: str = ""
    colour_by: str = ""
    run: str = ""
    columns: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    program: str = ""
    file: Path = Path()


def recovery_folder() -> Path:
    """Return where unsaved work is kept: in the user's folder of settings."""
    return settings_folder() / "recovery"


def work_of(tissue: AnnData, about: UnsavedWork) -> tuple[AnnData, UnsavedWork]:
    """Return a copy of what is a section's work or results, and what it is.

    Parameters
    ----------
    tissue
        The section.
    about
        Its name, where it is from and where the work is to be kept.

    Returns
    -------
    tuple
        A table without genes, to be written in another thread, and what is known.
    """
    from anndata import AnnData

    made = edited_columns(tissue)
    columns = [c for c in map(str, tissue.obs) if _is_work(c, made)]
    vectors = [key for key in map(str, tissue.obsm) if key.startswith(_OURS)]
    entries = [key for key in map(str, tissue.uns) if _is_entry(tissue, key)]
    kept, room = {}, _MOST_BYTES
    for key in vectors:
        room -= int(getattr(tissue.obsm[key], "nbytes", _MOST_BYTES + 1))
        if room >= 0:
            kept[key] = tissue.obsm[key]
    work = AnnData(
        obs=tissue.obs[columns].copy(),
        obsm=kept,
        uns={key: tissue.uns[key] for key in entries},
    )
    known = replace(
        about,
        n_spots=tissue.n_obs,
        changed=datetime.now().astimezone().isoformat(timespec="seconds"),
        columns=tuple(columns),
        vectors=tuple(vectors),
        entries=tuple(entries),
        left_out=tuple(key for key in vectors if key not in kept),
        program=process_mark(),
    )
    return work, known


def _is_work(column: str, made: Collection[str]) -> bool:
    """Return whether a column is a result, labels by hand, or numbers of these."""
    if column in made or column.startswith(_OURS):
        return True
    stem = column.removesuffix(PROBABILITY)
    return column.endswith(BORDER_DISTANCE) or (stem != column and stem in made)


def _is_entry(tissue: AnnData, key: str) -> bool:
    """Return whether an entry of uns is a result, or colours, which people change."""
    if key.startswith(_OURS):
        return key != INPUT
    column = key.removesuffix(keys.COLORS_SUFFIX)
    return column != key and column in tissue.obs and "/" not in key


def keep_work(work: AnnData, about: UnsavedWork) -> UnsavedWork:
    """Write unsaved work, whole or not at all; return it with its spots' hash.

    Raises
    ------
    SaveError
        If it cannot be written.
    """
    from napari_semst.io.export.h5ad import write
    from napari_semst.pipeline.provenance import spots_hash

    size, modified = _state_of(about.path)
    spots = spots_hash(work.obs_names)
    about = replace(about, spots=spots, size=size, modified=modified)
    facts = {name: value for name, value in asdict(about).items() if name != "file"}
    try:
        about.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(
            f"Expected to make the folder {about.file.parent}; it failed: {error}."
        ) from error
    work.uns[_FACTS] = json.dumps(facts)
    write(work, about.file, overwrite=True, compression=None)
    return about


def _state_of(path: str) -> tuple[int, int]:
    """Return a file's bytes and when it was changed, -1 for what is no file."""
    with suppress(OSError):
        if path and Path(path).is_file():
            status = Path(path).stat()
            return status.st_size, status.st_mtime_ns
    return -1, -1


def give_sign(file: Path) -> None:
    """Say that the program whose unsaved work a file holds still runs."""
    with suppress(OSError):
        os.utime(file)


def find_unsaved_work() -> list[UnsavedWork]:
    """Return the unsaved work of programs that ended, the latest first.

    What a program that runs keeps is its own; what cannot be read is left where it is.
    """
    folder = recovery_folder()
    remove_dead_temporaries(folder)
    found = []
    for file in sorted(folder.glob("*.h5ad")) if folder.is_dir() else ():
        with suppress(InputError, OSError, ValueError, *_NO_FACTS):
            work = _facts_of(file)
            if not _is_in_use(work):
                found.append(work)
    return sorted(found, key=lambda work: work.changed, reverse=True)


def _facts_of(file: Path) -> UnsavedWork:
    from napari_semst.io.checks import translate_errors
    from napari_semst.io.formats.hdf5 import open_hdf5

    with translate_errors(file, "unsaved work"), open_hdf5(file, "unsaved work") as h5:
        facts: Any = parse_json(h5["uns"][_FACTS][()])
    for name in ("columns", "vectors", "entries", "left_out"):
        facts[name] = tuple(map(str, facts[name]))
    # What a damaged file tells is of other types, which fail where they are used.
    usual = UnsavedWork("")
    for name, value in facts.items():
        if type(value) is not type(getattr(usual, name)):
            raise ValueError(f"{name} is {value!r}")
    return UnsavedWork(**facts, file=file)


def _is_in_use(work: UnsavedWork) -> bool:
    runs = process_runs(work.program)
    if runs is None:  # of another machine, or of a container that may be gone
        return time.time() - work.file.stat().st_mtime < _SECONDS_SILENT
    return runs


def restore_work(tissue: AnnData, work: UnsavedWork) -> list[str]:
    """Put unsaved work back into its section; return what is to be said of it.

    Parameters
    ----------
    tissue
        The section, as its file has it; results that had been replaced go.
    work
        The work; its file stays.

    Raises
    ------
    InputError
        If the section has other spots, or the file of the work is damaged.
    """
    import anndata

    from napari_semst.io.checks import translate_errors
    from napari_semst.pipeline.provenance import spots_hash

    if tissue.n_obs != work.n_spots or spots_hash(tissue.obs_names) != work.spots:
        raise InputError(
            f"Expected the {work.n_spots:,} spots that the unsaved work is of; found "
            f"{tissue.n_obs:,} spots, or other names. Open the section as it was; the "
            f"work stays in {work.file}, an AnnData file."
        )
    with translate_errors(work.file, "the unsaved work"):
        kept = anndata.read_h5ad(work.file)
    absent = {*work.columns} - {*kept.obs} | {*work.entries} - {*kept.uns}
    if absent:
        raise InputError(
            f"Expected {', '.join(sorted(absent))} in {work.file}; found nothing of "
            "that name. The file is damaged."
        )
    _drop_others(tissue, kept, work)
    for column in work.columns:
        tissue.obs[column] = kept.obs[column].array
    for key, values in kept.obsm.items():
        tissue.obsm[key] = values
    for key in work.entries:
        tissue.uns[key] = kept.uns[key]
    gone = [key for key in work.left_out if key not in tissue.obsm]
    return _notes(work, gone)


def _drop_others(tissue: AnnData, kept: AnnData, work: UnsavedWork) -> None:
    """Drop results of the file that were replaced, or taken back, before the crash."""
    for column in [c for c in tissue.obs if str(c).startswith(_OURS)]:
        if column not in work.columns:
            del tissue.obs[column]
    for key in [k for k in tissue.obsm if k.startswith(_OURS)]:
        # Those left out may be another run's: none is better than a wrong one.
        gone = key in work.left_out and _latest_run(tissue) != _latest_run(kept)
        if gone or key not in work.vectors:
            del tissue.obsm[key]
    for key in [k for k in tissue.uns if str(k).startswith(_OURS) and k != INPUT]:
        if key not in work.entries:
            del tissue.uns[key]


def _latest_run(tissue: AnnData) -> tuple[str, dict[str, float]]:
    """Return a run's name and how long its stages took: no two runs have the same."""
    run = str(tissue.uns.get(keys.LATEST, ""))
    record: Any = tissue.uns.get(keys.RUNS, {})
    seconds = record.get(run, {}).get("seconds", {}) if run in record else {}
    return run, {str(stage): float(seconds[stage]) for stage in seconds}


def _notes(work: UnsavedWork, gone: list[str]) -> list[str]:
    notes = []
    if work.size >= 0 and _state_of(work.path) != (work.size, work.modified):
        notes.append(
            f"{Path(work.path).name} has changed since; its spots are the same."
        )
    if gone:
        notes.append(
            f"Too large to be kept, and gone: {', '.join(gone)}. The run that "
            "made them makes them again."
        )
    return notes


def discard_work(file: Path) -> None:
    """Remove unsaved work for good."""
    with suppress(OSError):
        file.unlink(missing_ok=True)
