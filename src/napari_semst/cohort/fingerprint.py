"""Whether a result that is there was made from the same input, in the same way."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.config import STAGES, Request
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline.input_files import input_record
from napari_semst.pipeline.provenance import INPUTS, python_values

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_semst.cohort.task import SectionTask
    from napari_semst.config import Config
    from napari_semst.core.progress import Progress, RunControl

# The entry of the provenance that a run of a cohort adds.
INPUT = "input"


def input_fingerprint(
    task: SectionTask, control: RunControl
) -> Generator[Progress, None, dict[str, Any]]:
    """Return what tells an input apart: its path, content and the spots used.

    Returns
    -------
    record
        ``path``, ``sha256`` over all files that are read, ``spots``, and under
        `INPUTS` each of the files.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    config = resolve(Request.from_toml(task.request))
    files = yield from input_record([Path(task.source)], config, control)
    digest = hashlib.sha256("\n".join(files["sha256"]).encode()).hexdigest()
    found = {"path": task.source, "sha256": digest, "spots": task.spots}
    return {INPUT: found, INPUTS: files}


def why_outdated(task: SectionTask) -> str:
    """Return why the result that is there is not the one wanted; empty if it is.

    The input is not read: whether it has changed since, the task itself finds out.
    """
    place = Path(task.result)
    if not place.exists():
        return ""
    recorded = recorded_run(place, task.run)
    if recorded is None:
        return f"it holds no run named {task.run!r}"
    if INPUT not in recorded:
        return "it does not say what file it was made from"
    made_by = recorded["versions"]["napari-semst"]
    if made_by != task.version:
        return f"made by version {made_by}, not {task.version}"
    spots = recorded[INPUT]["spots"]
    if spots != task.spots:
        return f"spots: {spots}, not {task.spots}"
    return _difference(recorded["config"], resolve(Request.from_toml(task.request)))


def recorded_run(place: Path, run: str) -> dict[str, Any] | None:
    """Return the provenance of a run in a file; `None` where there is none."""
    import h5py
    from anndata.io import read_elem

    try:
        with h5py.File(place, "r") as file:
            found = python_values(read_elem(file[f"uns/{keys.RUNS}/{run}"]))
    # A foreign file can be anything, and nearly any type is raised for it.
    except Exception:  # noqa: BLE001
        return None
    needed = ("config", "versions", "seconds")
    whole = isinstance(found, dict) and all(
        isinstance(found.get(n), dict) for n in needed
    )
    return found if whole else None


def _difference(recorded: dict[str, Any], config: Config) -> str:
    """Return the first setting that differs, in words."""
    wanted = config.to_dict()
    # The recipe's name makes no difference, its settings do.
    for stage in STAGES:
        before = recorded.get(stage, {})
        for name, value in wanted[stage].items():
            if name not in before or before[name] != value:
                was = before.get(name, "not known")
                return f"{stage}.{name} was {was!r}, not {value!r}"
    return ""
