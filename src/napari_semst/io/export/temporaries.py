"""Hidden files under which results are written, and those that killed runs left."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

# Bytes of a file's name that file systems take, less what is added to it here.
_MOST_BYTES = 255 - 64
# Whose writer cannot be asked (another machine, a container that is gone) is left for
# longer than any file takes to be written.
_SECONDS_FOREIGN = 7 * 86_400.0
TEMPORARY = ".tmp"
# Of a store while another takes its place.
OLD = ".old"
_NAME = re.compile(
    r"\.(?P<name>.+)\.(?P<owner>[0-9a-f]{8})-(?P<pid>\d{1,10})-(?P<started>\d{1,12})"
    r"\.[0-9a-f]{8}(?P<kind>\.tmp(\.zarr)?|\.old)"
)


def temporary_beside(place: Path, suffix: str = "") -> Path:
    """Return a hidden name in a file's folder that tells which process it is of.

    Parameters
    ----------
    place
        The file that is to be written; its name may be as long as names can be.
    suffix
        How the hidden name ends, for writers that look at it.
    """
    name = place.name.encode()[:_MOST_BYTES].decode(errors="ignore")
    hidden = f".{name}.{process_mark()}.{secrets.token_hex(4)}{TEMPORARY}{suffix}"
    return place.with_name(hidden)


def process_mark() -> str:
    """Return which process this is: its machine, its number and when it began."""
    import psutil

    started = int(psutil.Process().create_time())
    return f"{_machine()}-{os.getpid()}-{started}"


def process_runs(mark: str) -> bool | None:
    """Return whether a process is there, None where another machine would know.

    Parameters
    ----------
    mark
        What `process_mark` said in that process.
    """
    machine, _, told = mark.partition("-")
    if machine != _machine():
        return None
    pid, _, started = told.partition("-")
    if not (pid.isdigit() and started.isdigit()):
        return False
    return _lives(int(pid), int(started))


def remove_dead_temporaries(folder: Path) -> None:
    """Remove from a folder what killed processes of this user left half written.

    A store that was put aside for one that never took its place is put back.

    Parameters
    ----------
    folder
        Only its own entries are looked at; what cannot be removed stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            told = _NAME.fullmatch(entry.name)
            if told is None or entry.is_symlink():
                continue
            with suppress(OSError):
                if _is_dead(told, entry.stat(follow_symlinks=False)):
                    _remove(Path(entry.path), told)


def _remove(left: Path, told: re.Match[str]) -> None:
    place = left.with_name(told["name"])
    if told["kind"] == OLD and not place.exists():
        left.rename(place)
    elif left.is_dir():
        shutil.rmtree(left)
    else:
        left.unlink()


def _is_dead(told: re.Match[str], status: os.stat_result) -> bool:
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return False
    if told["owner"] != _machine():
        return time.time() - status.st_mtime > _SECONDS_FOREIGN
    return not _lives(int(told["pid"]), int(told["started"]))


def _lives(pid: int, started: int) -> bool:
    """Return whether a process is there and is the one that began at that second."""
    import psutil

    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 2
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


@cache
def _machine() -> str:
    """Return eight letters for this machine, or for this container on it."""
    space = ""
    with suppress(OSError):
        space = str(os.stat("/proc/self/ns/pid").st_ino)
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]
