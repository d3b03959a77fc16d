"""Cells done by the workers of a Dask scheduler."""

from __future__ import annotations

import queue
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.bench.cell import BenchCell
from napari_semst.bench.process import CellOutcome, CellProcess
from napari_semst.cohort.dask import lost_workers, why_not_done
from napari_semst.cohort.worker import is_given_up

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_semst.bench.here import Said
    from napari_semst.core.progress import RunControl

_POLL_SECONDS = 0.2


def settle_on_dask(
    cells: Sequence[BenchCell], folder: Path, client: Any, control: RunControl
) -> Generator[Said | CellOutcome | None, None, None]:
    """Let workers do cells, each in a process of its own beside the worker.

    It yields and raises as `napari_semst.bench.here.settle_here`. How many cells are
    done at one time is for whoever started the workers. A cell whose worker dies is
    done again by another. Whoever closes the generator cancels what is not done.

    Parameters
    ----------
    folder
        Of the comparison, which all workers see.
    client
        A ``distributed.Client``; it is not closed.
    """
    topic = f"semst-{secrets.token_hex(8)}"
    by_key = {cell.key: cell for cell in cells}
    sent: dict[Any, BenchCell] = {}
    blamed: list[BenchCell] = []
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def send(cell: BenchCell) -> None:
        key = f"semst_cell-{cell.key}-{secrets.token_hex(8)}"
        words = (cell.to_json(), str(folder), topic)
        future = client.submit(do_on_worker, *words, key=key, pure=False)
        sent[future] = cell
        future.add_done_callback(heard.put)

    client.subscribe_topic(topic, lambda event: heard.put(event[1]))
    try:
        for cell in cells:
            send(cell)
        alone = False
        while sent or blamed:
            control.check()
            if not sent:
                # A worker's death is held against every cell that waited on it. Alone,
                # only the guilty one dies again.
                alone = True
                send(blamed.pop(0))
            try:
                said = heard.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                yield None
                continue
            if isinstance(said, dict):
                yield by_key[said["key"]], said
                continue
            cell = sent.pop(said)
            if lost_workers(said) and not alone:
                blamed.append(cell)
            else:
                yield _outcome(cell, said)
    finally:
        client.cancel(list(sent), force=True)
        client.unsubscribe_topic(topic)


def _outcome(cell: BenchCell, future: Any) -> CellOutcome:
    if future.status == "finished":
        status, text = future.result()
        return CellOutcome(cell, status, text)
    return CellOutcome(cell, "failed", why_not_done(future, "cell"))


def do_on_worker(cell: str, folder: str, topic: str) -> tuple[str, str]:
    """Do one cell beside a Dask worker; return its status and a message.

    Parameters
    ----------
    cell
        A `BenchCell` as text.
    folder
        Of the comparison.
    topic
        Dask topic that hears how far it is.
    """
    from distributed import get_worker

    wanted, worker = BenchCell.from_json(cell), get_worker()
    process = CellProcess(wanted, Path(folder))
    over = threading.Event()
    key = str(worker.get_current_task())

    def watch() -> None:
        # Dask cannot stop a thread; a process can be ended.
        while not over.wait(_POLL_SECONDS):
            if is_given_up(worker, key):
                process.end()
                return

    watcher = threading.Thread(target=watch, name="semst bench", daemon=True)
    watcher.start()
    try:
        for said in process.heard():
            if isinstance(said, CellOutcome):
                return said.status, said.message
            worker.log_event(topic, {**said, "key": wanted.key})
    finally:
        over.set()
        watcher.join()
        process.close()
    raise AssertionError("a process ends with an outcome")
