"""Cells done on this machine, as many at one time as memory and cores allow."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.bench.process import CellOutcome, CellProcess
from napari_semst.core.memory import GIB, free_memory
from napari_semst.errors import ConfigError
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from napari_semst.bench.cell import BenchCell
    from napari_semst.core.progress import RunControl

# Of the memory that is free this is used.
_SHARE = 0.9
_POLL_SECONDS = 0.2

Said = tuple["BenchCell", dict[str, Any]]


@dataclass(frozen=True)
class Limits:
    """How many cells are done at one time.

    Parameters
    ----------
    jobs
        Processes at most; 0: as many as there are cores, or one where a GPU does them.
    max_memory
        GiB that all of them may hold by their forecasts; 0: most of what is free.
    """

    jobs: int = 0
    max_memory: float = 0.0

    def __post_init__(self) -> None:
        if self.jobs < 0 or not self.max_memory >= 0:
            raise ConfigError(
                "Expected jobs and max_memory to be 0 or more; got "
                f"{self.jobs} and {self.max_memory:g}."
            )


def settle_here(
    cells: Sequence[BenchCell],
    needs: Mapping[str, float],
    folder: Path,
    limits: Limits,
    control: RunControl,
) -> Generator[Said | CellOutcome | None, None, None]:
    """Do cells in processes of their own; yield what they say and what becomes of them.

    Whoever closes the generator ends the processes.

    Parameters
    ----------
    needs
        Bytes that each cell will hold, by its key.
    limits
        How many at one time.

    Yields
    ------
    said
        A cell with what its process says, an outcome, or `None` where nothing was heard
        for a while.

    Raises
    ------
    Cancelled
        If it was cancelled; finished cells are kept.
    """
    jobs = limits.jobs or _at_one_time(cells)
    room = limits.max_memory * GIB or _SHARE * free_memory()
    waiting = list(cells)
    running: dict[str, tuple[CellProcess, threading.Thread]] = {}
    heard: queue.SimpleQueue[Said | CellOutcome] = queue.SimpleQueue()
    try:
        while waiting or running:
            control.check()
            while len(running) < jobs and waiting:
                held = sum(needs[key] for key in running)
                cell = _fitting(waiting, needs, room - held, alone=not running)
                if cell is None:
                    break
                waiting.remove(cell)
                if limits.max_memory and needs[cell.key] > room:
                    yield CellOutcome(cell, "failed", _too_large(needs[cell.key], room))
                    continue
                running[cell.key] = _begun(CellProcess(cell, folder), heard)
            if not running:
                continue
            try:
                said = heard.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                yield None
                continue
            if isinstance(said, CellOutcome):
                del running[said.cell.key]
            yield said
    finally:
        for process, listener in running.values():
            process.end()
            listener.join()


def _begun(
    process: CellProcess, heard: queue.SimpleQueue[Said | CellOutcome]
) -> tuple[CellProcess, threading.Thread]:
    """Listen to a process in a thread."""

    def listen() -> None:
        try:
            for said in process.heard():
                if isinstance(said, CellOutcome):
                    heard.put(said)
                else:
                    heard.put((process.cell, said))
        except Exception as error:  # noqa: BLE001  else it would be waited for for ever
            heard.put(CellOutcome(process.cell, "failed", repr(error)))

    listener = threading.Thread(target=listen, name="semst bench", daemon=True)
    listener.start()
    return process, listener


def _fitting(
    waiting: Sequence[BenchCell],
    needs: Mapping[str, float],
    room: float,
    *,
    alone: bool,
) -> BenchCell | None:
    """Return the first cell that there is room for; alone, the first of all."""
    if alone:
        return waiting[0]
    return next((cell for cell in waiting if needs[cell.key] <= room), None)


def _too_large(needed: float, room: float) -> str:
    return Worded(
        f"Expected a cell that needs at most {room / GIB:.2g} GiB of memory; this one "
        f"needs about {needed / GIB:.1f} GiB. ",
        Way("Allow more with --max-memory", "Allow more max_memory", "Allow more"),
        ", or leave the file or the method out.",
    )


def _at_one_time(cells: Sequence[BenchCell]) -> int:
    """Return one cell for each core; one alone where a GPU does them."""
    from napari_semst.core.device import choose_device
    from napari_semst.core.threads import threads_wanted

    asked = {cell.config.training.device for cell in cells}
    if any(choose_device(device).name.startswith("cuda") for device in asked):
        return 1
    return threads_wanted(0, all_cores=True)
