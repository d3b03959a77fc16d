"""How many threads a run uses."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager


Result = TypeVar("Result")

# How many threads torch had before they were limited; of the process, as that is.
_before_limits: list[int] = []
# What the first of the limits that are now in force found, torch's and others'.
_unlimited: list[tuple[int, Any]] = []
# The limits now in force, the innermost last.
_in_force: list[int] = []
# Limits put on libraries that were loaded under a limit, and the thread each is of.
_late_limits: list[tuple[int, Any]] = []


class _Limited(threading.local):
    """What of a thread was limited last: OpenMP counts for each thread that asks."""

    pools: Any = None
    limit = 0


_limited = _Limited()
# For how many modules threadpoolctl has looked for libraries, and what it found.
_controllers: list[tuple[int, Any]] = []

# Below this many spots the steps of a run are too short to be shared out: with a second
# thread they were no faster on an idle machine, and three times slower on a busy one,
# where threads wait for each other.
_ONE_THREAD_SPOTS = 20_000


def idle_politely() -> None:
    """Let waiting OpenMP threads sleep; to be called before torch is imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def threads_wanted(n_spots: int, *, all_cores: bool) -> int:
    """Return how many threads suit a run; `all_cores` where steps are worth them."""
    if n_spots <= _ONE_THREAD_SPOTS and not all_cores:
        return 1
    return _usable_cores()


def _usable_cores() -> int:
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else (os.cpu_count() or 1)
    )


def _loaded(name: str) -> Any:
    """Return a module if it was imported, whole: another thread may be about it."""
    return import_module(name) if name in sys.modules else None


def _threads_now() -> int:
    """Return how many threads torch has; where it is not loaded, would have."""
    if torch := _loaded("torch"):
        return int(torch.get_num_threads())
    if _in_force:
        return _in_force[-1]
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else _usable_cores()


def _limit_torch(n_threads: int) -> None:
    if torch := _loaded("torch"):
        torch.set_num_threads(n_threads)


def keep_limits() -> None:
    """Put the limit in force on libraries that were loaded since it was set.

    To be called after scikit-learn or torch is imported where it may be for the first
    time: they would take all cores, and the order of their sums with them.
    """
    if not _in_force:
        return
    limit, pools = _in_force[-1], _pools()
    _limit_torch(limit)
    if _limited.pools is not pools or _limited.limit != limit:
        _limited.pools, _limited.limit = pools, limit
        late = pools.limit(limits=limit, user_api="openmp")
        _late_limits.append((threading.get_ident(), late))


def _pools() -> Any:
    """Return threadpoolctl's controller of all libraries that are loaded by now.

    To look through them takes longer than a step of a small section: this is done anew
    only where modules were imported since.
    """
    from threadpoolctl import ThreadpoolController

    if not _controllers or _controllers[0][0] != len(sys.modules):
        found = ThreadpoolController()
        _controllers[:] = [(len(sys.modules), found)]
    return _controllers[0][1]


def settle_threads() -> None:
    """Let numba start its threads now, and keep the number of threads torch had.

    Numba starts them at its first use, and then sets OpenMP's number, which torch
    shares, to all cores: in the middle of a run that would undo every limit.
    """
    import numba
    import torch

    before = torch.get_num_threads()
    numba.get_num_threads()
    torch.set_num_threads(before)


@contextmanager
def threads_limited(n_threads: int | None) -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to some threads, never to more than they had.

    Nothing is imported for it; what is loaded later, `keep_limits` limits.

    Parameters
    ----------
    n_threads
        `None` changes nothing.
    """
    if n_threads is None:
        yield
        return
    if {"torch", "numba"} <= sys.modules.keys():
        settle_threads()
    before = _threads_now()
    limit = min(n_threads, before)
    _limit_torch(limit)
    _limited.pools, _limited.limit = _pools(), limit
    limits = _limited.pools.limit(limits=limit)
    if not _before_limits:
        _unlimited[:] = [(before, limits)]
    _before_limits.append(before)
    _in_force.append(limit)
    try:
        yield
    finally:
        _in_force.remove(limit)
        _before_limits.remove(before)
        if not _before_limits:
            for thread, late in reversed(_late_limits):
                # Of other threads, as of a pool's, the number goes with them.
                if thread == threading.get_ident():
                    late.restore_original_limits()
            _late_limits.clear()
        limits.restore_original_limits()
        _limit_torch(before)
        if not _before_limits:
            # A thread that a cancelled run left behind found that run's limit, and
            # may be the last to go: what was there before both is put back.
            _unlimited[0][1].restore_original_limits()
            _limit_torch(_unlimited[0][0])


def carried_limits() -> Callable[[], AbstractContextManager[None]]:
    """Return what gives another thread as many threads as this one may use.

    OpenMP and numba count for each thread that asks: one newly begun would take all
    cores, whatever the run or a cluster's worker was given.
    """
    numba = _loaded("numba")
    of_numba = numba.get_num_threads() if numba else None
    of_torch = _threads_now() if _in_force or "torch" in sys.modules else None

    @contextmanager
    def limits() -> Iterator[None]:
        if numba and of_numba:
            numba.set_num_threads(of_numba)
        with _pools().limit(limits=of_torch, user_api="openmp"):
            yield

    return limits


def side_by_side(
    jobs: Sequence[Callable[[], Result]], most: int | None = None
) -> list[Result]:
    """Do independent jobs on all cores, each on one thread; results in their order.

    Threads that share one job wait for each other at every step, for long where other
    programs are at work; threads with jobs of their own do not.

    Parameters
    ----------
    most
        Jobs done at one time at most; as many as there are cores where `None`.
    """
    allowed = max([_threads_now(), *_before_limits])
    n_workers = min(allowed, len(jobs), most or len(jobs))
    with threads_limited(1):
        if n_workers < 2:
            return [job() for job in jobs]

        def alone(job: Callable[[], Result]) -> Result:
            # OpenMP counts threads for each thread that asks; BLAS for the process.
            with _pools().limit(limits=1, user_api="openmp"):
                return job()

        # What the work at hand may take goes with every job.
        tasks = [(copy_context(), job) for job in jobs]
        with ThreadPoolExecutor(n_workers) as pool:
            return list(pool.map(lambda task: task[0].run(alone, task[1]), tasks))
