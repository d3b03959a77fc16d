"""Damaged inputs of every kind, two processes at a time: how many, and what failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.kinds import KINDS

_TOP = Path(__file__).resolve().parents[2]


@dataclass
class Outcomes:
    """How often inputs were read and refused, by kind, and what else happened."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    records: list[dict[str, object]] = field(default_factory=list)

    def add(self, record: dict[str, object]) -> None:
        """Count the outcome of one input."""
        self.counts[str(record["kind"]), str(record["outcome"])] += 1
        self.records.append(record)
        if record["outcome"] in ("failed", "wrong"):
            self.failures.append(
                f"{record['kind']} {record['number']} ({record['done']}):\n"
                f"{record['why']}"
            )


def write_valid(folder: Path, kinds: list[str]) -> None:
    """Write a valid input of every kind."""
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        KINDS[kind].write(folder / kind)


def run(
    folder: Path,
    kinds: list[str],
    numbers: range,
    outcomes: Outcomes,
    processes: int = 2,
) -> None:
    """Try numbers of every kind."""

    def share(mine: list[str]) -> None:
        tasks = [(kind, number) for kind in mine for number in numbers]
        while tasks:
            tasks = tasks[_until_a_crash(folder, tasks, outcomes) :]

    shares = [kinds[start::processes] for start in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(share, shares))


def _until_a_crash(
    folder: Path, tasks: list[tuple[str, int]], outcomes: Outcomes
) -> int:
    """Try kinds and numbers in one process; return with how many it was over."""
    paths = [str(_TOP), str(_TOP / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "SEMST_CACHE": str(folder / "own-cache"),
        "OMP_NUM_THREADS": "1",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.worker", str(folder)],
        input=json.dumps(tasks),
        env=environment,
        cwd=_TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    done = [record for record in map(json.loads, lines) if "outcome" in record]
    for record in done:
        outcomes.add(record)
    if not ended.returncode:
        return len(tasks)
    kind, number = tasks[min(len(done), len(tasks) - 1)]
    why = f"code {ended.returncode}: {ended.stderr[-3000:]}"
    outcomes.add(
        {"kind": kind, "number": number, "outcome": "failed", "done": "-", "why": why}
    )
    return len(done) + 1


def main() -> None:
    """Run for some seconds, ``python -m tests.fuzz.run SECONDS [KIND ...]``."""
    seconds = float(sys.argv[1])
    kinds = sys.argv[2:] or list(KINDS)
    outcomes = Outcomes()
    with tempfile.TemporaryDirectory(prefix="fuzz-valid-") as name:
        write_valid(Path(name), kinds)
        run_for(seconds, Path(name), kinds, outcomes)
    for (kind, outcome), count in sorted(outcomes.counts.items()):
        print(f"{kind:15} {outcome:8} {count:6}")
    print("\n\n".join(outcomes.failures))
    sys.exit(bool(outcomes.failures))


def run_for(
    seconds: float, folder: Path, kinds: list[str], outcomes: Outcomes, step: int = 10
) -> None:
    """Try more and more numbers of every kind until the time is over."""
    over, first = time.monotonic() + seconds, 0
    while time.monotonic() < over:
        run(folder, kinds, range(first, first + step), outcomes)
        first += step


if __name__ == "__main__":
    main()
