"""A cohort over the workers of a Dask scheduler."""

from __future__ import annotations

import secrets
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from napari_semst.cohort.task import SectionOutcome, SectionTask
from napari_semst.core.progress import Progress
from napari_semst.errors import ConfigError, InputError, SemstError
from napari_semst.wording import message

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

_SECONDS_TO_ANSWER = 10


def connect(address: str) -> Any:
    """Return a Dask client of a scheduler.

    Parameters
    ----------
    address
        Where the scheduler listens: ``tcp://host:8786``.

    Raises
    ------
    ConfigError
        If Dask's scheduler package is not installed.
    InputError
        If no scheduler answers there.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise ConfigError(
            "Expected the package 'distributed' for --dask; it is not installed. "
            "Install it: pip install 'napari-semst[dask]'."
        ) from error
    try:
        _knock(address)
        wait = _SECONDS_TO_ANSWER
        return distributed.Client(address, timeout=wait, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"Expected a Dask scheduler at {address}; none answered "
            f"({str(error) or type(error).__name__}). Start one with `dask scheduler`, "
            "or give the address that it prints, tcp://host:8786."
        ) from error


def _knock(address: str) -> None:
    """Fail soon where nobody listens, or something else than a scheduler.

    The client itself would go on asking, and wait for ever for a strange server.
    """
    import asyncio
    import socket

    parsed = urlsplit(address)
    if not (parsed.scheme and parsed.hostname and parsed.port):
        raise ValueError("an address has a protocol, a host and a port")
    # Others need what Dask's settings name: certificates, for instance.
    if parsed.scheme == "tcp":
        where = (parsed.hostname, parsed.port)
        socket.create_connection(where, timeout=_SECONDS_TO_ANSWER).close()
        asyncio.run(_greeted(address))


async def _greeted(address: str) -> None:
    import asyncio

    comm: Any = import_module("distributed.comm")
    greeting = comm.connect(address, timeout=_SECONDS_TO_ANSWER)
    (await asyncio.wait_for(greeting, _SECONDS_TO_ANSWER)).abort()


def run_on_dask(
    tasks: Sequence[SectionTask],
    client: Any,
    listener: Callable[[str, Progress], None],
    write: Callable[[dict[str, Any]], None] | None = None,
) -> Generator[SectionOutcome, None, None]:
    """Let the workers of a scheduler do the sections; yield outcomes as they come.

    A section whose worker dies is done again by another. Whoever leaves early, by an
    error or by closing the generator, cancels the sections that are not done; those
    that are done stay.

    Parameters
    ----------
    tasks
        Sections, on paths that the workers see too.
    client
        A ``distributed.Client``; it is not closed.
    listener
        Called with a section's name and its progress, from another thread.
    write
        Takes the lines of the sections' journals, from another thread.
    """
    tasks = [replace(task, journal=write is not None) for task in tasks]
    topic = f"semst-{secrets.token_hex(8)}"
    sent: dict[Any, SectionTask] = {}
    blamed: list[SectionTask] = []
    client.subscribe_topic(topic, lambda event: _hear(event, listener, write))
    try:
        for task, future in _batch(client, tasks, topic, sent):
            if lost_workers(future):
                blamed.append(task)
            else:
                yield _outcome(task, future)
        # A worker's death is held against every section that waited on it. Alone, only
        # the guilty one dies again.
        for suspect in blamed:
            for task, future in _batch(client, [suspect], topic, sent):
                yield _outcome(task, future)
    finally:
        client.cancel(list(sent), force=True)
        client.unsubscribe_topic(topic)


def _batch(
    client: Any, tasks: Sequence[SectionTask], topic: str, sent: dict[Any, SectionTask]
) -> Iterator[tuple[SectionTask, Any]]:
    """Send sections and yield each with its future once that is settled."""
    from napari_semst.cohort.worker import run_on_worker

    distributed: Any = import_module("distributed")
    for task in tasks:
        # No retries of errors: what fails on one worker fails on the next. Dask repeats
        # a task whose worker died without being asked.
        key = f"semst_section-{task.name}-{secrets.token_hex(8)}"
        future = client.submit(
            run_on_worker, task.to_dict(), topic, key=key, pure=False
        )
        sent[future] = task
    for future in distributed.as_completed(list(sent), loop=client.loop):
        yield sent.pop(future), future


def _hear(event: tuple[float, dict[str, Any]], listener: Any, write: Any) -> None:
    said = event[1]
    if "line" in said:
        if write is not None:
            write(said["line"])
        return
    progress = Progress(
        said["stage"],
        said["step"],
        said["steps"],
        said.get("message", ""),
        notice=said.get("notice", ""),
    )
    listener(said["section"], progress)


def lost_workers(future: Any) -> bool:
    """Return whether a task ended because every worker that took it died."""
    from distributed.scheduler import KilledWorker

    return future.status == "error" and isinstance(future.exception(), KilledWorker)


def _outcome(task: SectionTask, future: Any) -> SectionOutcome:
    if future.status == "finished":
        return SectionOutcome(**future.result())
    return SectionOutcome.of(task, "failed", message=why_not_done(future, "section"))


def why_not_done(future: Any, what: str) -> str:
    """Return why a task has no result, and what to do.

    Parameters
    ----------
    future
        One that is settled, and not finished.
    what
        What the task was, for people: a section.
    """
    if future.status == "cancelled":
        return (
            f"Expected the scheduler to answer; the connection was lost or the {what} "
            "cancelled there. Run the same again: what is done is skipped."
        )
    if lost_workers(future):
        return (
            f"Expected a worker to live through this {what}; each one died, most often "
            "for lack of memory. Give each worker more memory, or have fewer of them."
        )
    return _in_words(future.exception())


def _in_words(error: BaseException) -> str:
    if isinstance(error, SemstError):
        return message(error)
    if isinstance(error, ModuleNotFoundError) or "napari_semst" in str(error):
        return (
            "Expected napari-semst on the worker; it could not be loaded there "
            f"({error}). Install the same version in the workers' environment."
        )
    return f"unexpected {type(error).__name__} on the worker: {error}."


def count_workers(client: Any) -> int:
    """Return how many workers the scheduler has now."""
    return len(client.scheduler_info(n_workers=-1)["workers"])
