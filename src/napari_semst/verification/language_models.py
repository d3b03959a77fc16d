"""The language model that a run read, against what it was known by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.core.progress import run_in_thread
from napari_semst.verification.check import DIFFERS, HOLDS, NOTE, UNKNOWN, Check

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_semst.core.progress import Progress, RunControl
    from napari_semst.verification.saved import SavedRun

_NAME = "semantics.model"


def check_language_model(
    saved: SavedRun, control: RunControl
) -> Generator[Progress, None, list[Check]]:
    """Hash the folder of a language model; say of others what they are known by."""
    from napari_semst.models.folder_hash import hash_folder
    from napari_semst.models.hub import LANGUAGE_MODEL

    told = saved.record.get("semantics", {})
    if saved.config is None or not isinstance(told, dict):
        return []
    source, name = saved.config.semantics.source, str(told.get("model", ""))
    revision = str(told.get("revision", ""))
    if source == "server":
        text = f"{name} of a server, which cannot be checked from here"
        return [Check(_NAME, NOTE, text)]
    if source not in ("prompts", "genes"):
        return []
    if not revision.startswith("sha256:"):
        return [Check(_NAME, NOTE, f"{name} of Hugging Face, commit {revision}")]
    folder = Path(saved.config.semantics.model).expanduser()
    if not folder.is_dir():
        return [Check(_NAME, UNKNOWN, f"its folder {folder} is not here")]
    found = yield from run_in_thread(
        "read",
        f"Hashing {folder.name}",
        lambda _: hash_folder(folder, LANGUAGE_MODEL.read),
        control,
    )
    if found == revision:
        return [Check(_NAME, HOLDS, f"{name}: the same files, {found[:19]}")]
    return [Check(_NAME, DIFFERS, f"{name}: {found[:19]}, not {revision[:19]}")]
