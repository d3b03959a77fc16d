"""What a folder holds, hashed once and remembered while its files stay the same."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from napari_semst.cache.vectors import IDENTITIES, cache_folder
from napari_semst.core.json_text import parse_json
from napari_semst.errors import SaveError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_BLOCK = 1 << 22
# A file that was changed so lately may change again within one tick of its clock, and
# show nothing of it.
_SETTLED_SECONDS = 2.0
_FORMAT = 1


def hash_folder(folder: Path, patterns: Sequence[str]) -> str:
    """Return ``sha256:`` and a hash of the files of a folder.

    Gigabytes are read once. What was found is kept in the cache folder with the size
    and the times of every file; where one of them differs, all are read again.
    """
    place = folder.resolve()
    files = sorted({file for pattern in patterns for file in place.glob(pattern)})
    began = time.time()
    state = _state(files)
    memory = cache_folder() / _memory_of(place)
    known = _remembered(memory, place, state)
    if known:
        return known
    digest = _hashed(files)
    latest = max((int(when) for _, _, *times in state for when in times), default=0)
    # Files that changed while they were read are not remembered either.
    if latest < (began - _SETTLED_SECONDS) * 1e9 and _state(files) == state:
        _remember(memory, place, state, digest)
    return digest


def _memory_of(place: Path) -> str:
    digest = hashlib.sha256(str(place).encode("utf-8", "surrogatepass")).hexdigest()
    return IDENTITIES.replace("*", digest[:24])


def _state(files: Sequence[Path]) -> list[list[str | int]]:
    """Return name, size and times of every file; links are followed."""
    found: list[list[str | int]] = []
    for file in files:
        seen = file.stat()
        # The second is set by the system alone: copies that keep times change it.
        times = (seen.st_mtime_ns, seen.st_ctime_ns)
        found.append([file.name, seen.st_size, *times])
    return found


def _hashed(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\n{file.stat().st_size}\n".encode())
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    return f"sha256:{digest.hexdigest()[:32]}"


def _remembered(memory: Path, place: Path, state: list[list[str | int]]) -> str:
    """Return the hash that was found for this very state, else nothing."""
    try:
        kept = parse_json(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    wanted = {"format": _FORMAT, "folder": str(place), "files": state}
    if not isinstance(kept, dict) or {**kept, **wanted} != kept:
        return ""
    return str(kept.get("identity", ""))


def _remember(
    memory: Path, place: Path, state: list[list[str | int]], found: str
) -> None:
    from napari_semst.io.export.atomic import write_atomically

    kept = {
        "format": _FORMAT,
        "folder": str(place),
        "files": state,
        "identity": found,
    }

    def write(file: Path) -> None:
        file.write_text(json.dumps(kept, indent=1), encoding="utf-8")

    # It saves time and nothing else: a cache that cannot be written is told of where
    # vectors are to be kept.
    with suppress(OSError, SaveError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, write, lambda _: None, overwrite=True, suffix=".json")
