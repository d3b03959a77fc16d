"""What the machine is and what it can do at most, for benchmarks."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

import torch


def facts(device="cpu"):
    """Return the machine in a few words: processor, cores, threads, versions."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            x for x in info.read_text().splitlines() if x.startswith("model name")
        ]
        name = models[0].split(":")[1].strip() if models else name
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "load_1_min": round(os.getloadavg()[0], 2)
        if hasattr(os, "getloadavg")
        else None,
    }


def peak_mib(device="cpu"):
    """Return the most memory this process has had: its own, or on the GPU, its GPU's.

    Linux's own figure for the process where there is one: after a fork and exec,
    ``ru_maxrss`` still holds the parent's peak.
    """
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 1024)


def now(device="cpu"):
    """Return the time in seconds, after what the device still had to do."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(work, device="cpu", repeats=3):
    """Return the median time of a piece of work, after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = now(device)
        work()
        times.append(now(device) - start)
    return statistics.median(times)


def ceilings(device="cpu"):
    """Return the highest rates seen: float32 products (GFLOP/s) and memory (GB/s).

    A product of two square matrices, and a + c b over arrays far beyond the caches,
    counted as two reads and one write.
    """
    size = 8192 if device == "cuda" else 2048
    one, two = (
        torch.randn(size, size, device=device),
        torch.randn(size, size, device=device),
    )
    out = torch.empty_like(one)
    product = seconds(lambda: torch.mm(one, two, out=out), device)
    length = 1 << (28 if device == "cuda" else 25)
    a, b = torch.zeros(length, device=device), torch.ones(length, device=device)
    result = torch.empty_like(a)
    triad = seconds(lambda: torch.add(a, b, alpha=3.0, out=result), device)
    return {
        "gflop_per_s": 2 * size**3 / product / 1e9,
        "gb_per_s": 3 * 4 * length / triad / 1e9,
    }
