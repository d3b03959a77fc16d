"""How many threads a run uses."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager


Result = TypeVar("Result")

# How many threads torch had before they were limited; of the process, as that is.
_before_limits: list[int] = []
# What the first of the limits that are now in force found, torch's and others'.
_unlimited: list[tuple[int, Any]] = []
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
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else (os.cpu_count() or 1)
    )


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

    Parameters
    ----------
    n_threads
        `None` changes nothing.
    """
    if n_threads is None:
        yield
        return
    import sklearn.cluster  # noqa: F401 - its OpenMP must be loaded to be limited
    import torch

    settle_threads()
    before = torch.get_num_threads()
    torch.set_num_threads(min(n_threads, before))
    limits = _pools().limit(limits=min(n_threads, before))
    if not _before_limits:
        _unlimited[:] = [(before, limits)]
    _before_limits.append(before)
    try:
        yield
    finally:
        limits.restore_original_limits()
        torch.set_num_threads(before)
        _before_limits.remove(before)
        if not _before_limits:
            # A thread that a cancelled run left behind found that run's limit, and
            # may be the last to go: what was there before both is put back.
            _unlimited[0][1].restore_original_limits()
            torch.set_num_threads(_unlimited[0][0])


def carried_limits() -> Callable[[], AbstractContextManager[None]]:
    """Return what gives another thread as many threads as this one may use.

    OpenMP and numba count for each thread that asks: one newly begun would take all
    cores, whatever the run or a cluster's worker was given.
    """
    numba, torch = sys.modules.get("numba"), sys.modules.get("torch")
    of_numba = numba.get_num_threads() if numba else None
    of_torch = torch.get_num_threads() if torch else None

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
    import torch

    allowed = max([torch.get_num_threads(), *_before_limits])
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
