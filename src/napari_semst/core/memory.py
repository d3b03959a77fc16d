"""How much memory a run may take, and what a file may declare of it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import InputError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Iterator

GIB = 2**30
# Deflate, LZW and JPEG shrink to a thousandth at best. What declares more than that of
# its bytes was never written: reading it would fill the memory with nothing.
MOST_SHRUNK = 1200
# Zstandard, Blosc, WebP and their like: a block of one value takes some bytes.
MOST_SHRUNK_BY_OTHERS = 50_000
HARMLESS = 64 * 2**20
# Where Linux tells a container, or a job of a scheduler, its share of the memory.
_CONTAINER = Path("/sys/fs/cgroup")

# The bytes that the user allowed the work at hand; 0 where nothing was said.
_ASKED: ContextVar[float] = ContextVar("memory_asked", default=0.0)


@contextmanager
def memory_limited(gib: float) -> Iterator[None]:
    """Inside the block read nothing that declares more, and work in smaller pieces.

    Parameters
    ----------
    gib
        GiB of memory; 0 for what the machine has.
    """
    if not gib:
        yield
        return
    before = _ASKED.get()
    _ASKED.set(gib * GIB)
    try:
        yield
    finally:
        # No token: a generator may be closed elsewhere than it was begun.
        _ASKED.set(before)


def memory_asked() -> float:
    """Return the bytes that the user allowed, 0 where nothing was said."""
    return _ASKED.get()


def memory_allowed() -> float:
    """Return the bytes that this process may hold: as allowed, else all there are."""
    return min(_ASKED.get() or float("inf"), _total())


def declares_too_much(
    declared: float, stored: float, shrunk: float = MOST_SHRUNK
) -> bool:
    """Return whether bytes that were stored cannot become those declared.

    Parameters
    ----------
    declared, stored
        Bytes that are told, and that are there.
    shrunk
        How many bytes the packing makes one of at best.
    """
    return declared > shrunk * stored + HARMLESS


def check_fits(n_bytes: float, path: Path, what: str) -> None:
    """Refuse what would take more memory than there is, before any is taken.

    Parameters
    ----------
    n_bytes
        What it declares.
    path, what
        The file, and what it should be, as a user says it.

    Raises
    ------
    InputError
        With both sizes.
    """
    allowed = memory_allowed()
    if n_bytes <= allowed:
        return
    raise InputError(
        Worded(
            f"Expected {what} {path} to fit into memory; it declares "
            f"{n_bytes / GIB:,.1f} GiB, and {allowed / GIB:,.1f} GiB "
            f"{'are allowed' if memory_asked() else 'are there'}. ",
            Way(
                "Read a part of it, or allow more (--max-memory) where there is more.",
                "Read a part of it, or raise training.max_memory where there is more.",
                "Open a part of it, or a machine with more memory.",
            ),
        )
    )


def free_memory() -> float:
    """Return the bytes that are free: of the machine, or of a container's share."""
    import psutil

    free = float(psutil.virtual_memory().available)
    limit = _of_container("memory.max")
    used = _of_container("memory.current")
    return free if limit is None or used is None else min(free, limit - used)


def held_memory() -> float:
    """Return the bytes that this process holds."""
    import psutil

    return float(psutil.Process().memory_info().rss)


def _total() -> float:
    import psutil

    total = float(psutil.virtual_memory().total)
    limit = _of_container("memory.max")
    return total if limit is None else min(total, limit)


def _of_container(name: str) -> float | None:
    try:
        text = (_CONTAINER / name).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if text == "max" else float(text)
