"""Whether a result that is there was made from the same input, in the same way."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.config import STAGES, Request
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline.files_read import files_read

if TYPE_CHECKING:
    from napari_semst.cohort.task import SectionTask
    from napari_semst.config import Config

# The entry of the provenance that a run of a cohort adds.
INPUT = "input"


def input_fingerprint(task: SectionTask) -> dict[str, str]:
    """Return what tells an input apart: its path, content and the spots used.

    Returns
    -------
    record
        ``path``, ``sha256`` over all files that are read, and ``spots``.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    config = resolve(Request.from_toml(task.request))
    digest = hashlib.sha256()
    source = Path(task.source)
    for file in files_read(source, config):
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
        inside = file.is_relative_to(source)
        digest.update(str(file.relative_to(source) if inside else file.name).encode())
    return {"path": task.source, "sha256": digest.hexdigest(), "spots": task.spots}


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
            found = plain(read_elem(file[f"uns/{keys.RUNS}/{run}"]))
    # A foreign file can be anything, and nearly any type is raised for it.
    except Exception:  # noqa: BLE001
        return None
    needed = ("config", "versions", "seconds")
    whole = isinstance(found, dict) and all(
        isinstance(found.get(n), dict) for n in needed
    )
    return found if whole else None


def plain(value: Any) -> Any:
    """Return what an h5ad gives back as nested values of Python."""
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


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
