"""Damaged files of every kind: how many are refused, read right, or go wrong.

    python benchmarks/mutated_files.py --each 20

Every file is valid, then one or two bytes, values, columns, lines, attributes or types
of it are changed, the same way for the same number (`tests.fuzz`). Another process
reads it, with 60 seconds and 4 GiB. For nine kinds of sections the right answer is
known: what csv, h5py, pyarrow and zarr say of the same damaged files.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fuzz.kinds import KINDS
from tests.fuzz.run import Outcomes, run, write_valid
from tests.fuzz.worker import MOST_BYTES, MOST_SECONDS

_AT_ONCE = 5


def main() -> None:
    options = parsed()
    outcomes = Outcomes()
    kinds = options.kinds or list(KINDS)
    with tempfile.TemporaryDirectory(prefix="mutated-") as name:
        write_valid(Path(name), kinds)
        end = options.first + options.each
        for first in range(options.first, end, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, end))
            run(Path(name), kinds, numbers, outcomes, options.processes)
            # What was tried stays where the rest is stopped.
            if options.json:
                options.json.write_text(json.dumps(outcomes.records, indent=1), "utf-8")
    print(table(outcomes))
    print("\n\n".join(outcomes.failures), file=sys.stderr)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=20, help="Files of each kind.")
    parser.add_argument("--first", type=int, default=0, help="Number of the first.")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def table(outcomes: Outcomes) -> str:
    """Return what came of all files, as a table of Markdown."""
    records = outcomes.records
    how = Counter(str(record["outcome"]) for record in records)
    late = sum("Timeout" in str(record["why"]) for record in records)
    held = [float(record.get("megabytes", 0)) for record in records]
    large = sum(one > MOST_BYTES / 2**20 for one in held)
    known = how["right"] + how["told"] + how["wrong"]
    rows = {
        "files": len(records),
        "refused in words": how["refused"],
        "read, the answer not known": how["read"],
        "read, the answer known": known,
        "... and right": how["right"],
        "... other, with a warning": how["told"],
        "... silently wrong": how["wrong"],
        "unexpected errors and crashes": how["failed"] - late,
        f"not ended within {MOST_SECONDS} s": late,
        f"over {MOST_BYTES / 2**30:.0f} GiB": large,
        "most memory (MiB)": f"{max(held, default=0):,.0f}",
        "longest (s)": f"{max(float(r.get('seconds', 0)) for r in records):.1f}",
    }
    lines = ["| | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {n} |" for name, n in rows.items())])


if __name__ == "__main__":
    main()
