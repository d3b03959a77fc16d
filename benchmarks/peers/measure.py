"""Run one command under limits; seconds, processor seconds and memory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass

_SAMPLE_SECONDS = 0.1
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Run:
    """How a command ended.

    ``code`` is its exit status, ``limit`` the limit that ended it (or empty), ``peak``
    the most resident memory of it and its children together, in bytes, looked at every
    0.1 s.
    """

    code: int
    limit: str
    wall: float
    cpu: float
    peak: int


def environment(threads, cache):
    """Return the variables for a run: threads, no GPU, no window, caches of its own."""
    own = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        **own,
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(cache),
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONHASHSEED": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def pinned(threads):
    """Return what keeps a child on as many cores as it may have threads, or None."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    return lambda: os.sched_setaffinity(0, cores)


def run(command, *, log, variables, seconds, memory=None, threads=None, folder=None):
    """Run `command`, its output to the file `log`, and return how it ended."""
    started = time.perf_counter()
    with log.open("a") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=folder,
            start_new_session=True,
            preexec_fn=pinned(threads) if threads else None,
        )
        try:
            return _watched(process, started, seconds, memory)
        except BaseException:
            _end(process)
            raise


def _watched(process, started, seconds, memory):
    peak, limit = 0, ""
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        wall = time.perf_counter() - started
        if done:
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu = usage.ru_utime + usage.ru_stime
            return Run(process.returncode, limit, wall, cpu, peak)
        peak = max(peak, _resident(process.pid))
        if not limit and wall > seconds:
            limit = f"time limit ({seconds / 60:g} min)"
            _end(process)
        elif not limit and memory and peak > memory:
            limit = f"memory limit ({memory / 1024**3:g} GiB)"
            _end(process)
        time.sleep(_SAMPLE_SECONDS)


def _resident(pid):
    import psutil

    total = 0
    try:
        whole = psutil.Process(pid)
        for one in (whole, *whole.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:
        pass  # It ended between two looks.
    return total


def _end(process):
    """End the command and all it started: they are a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
