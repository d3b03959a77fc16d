"""Reads damaged inputs one after the other, and writes what came of each.

It runs in a process of its own, with little memory and little time for each input: one
that crashes, hangs or grows takes this process with it and nothing else. Started by
`tests.fuzz.run`, which names the folder of valid inputs, and kinds and numbers as JSON.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SemstError
from napari_semst.io.notes import input_warnings
from tests.fuzz.answers import differences
from tests.fuzz.kinds import KINDS
from tests.fuzz.mutations import mutate

if TYPE_CHECKING:
    from tests.fuzz.answers import Said
    from tests.fuzz.kinds import Kind

# macOS counts bytes.
_KIB = 2**20 if sys.platform == "darwin" else 2**10
MOST_SECONDS = 60
MOST_BYTES = 4 * 2**30
SEED = 20261130


def main() -> None:
    """Try kinds and numbers; each line of the output is the outcome of one."""
    valid, tasks = Path(sys.argv[1]), json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    for kind, number in tasks:
        # Told before: a crash leaves no other trace.
        print(json.dumps({"begun": True}), flush=True)
        faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
        print(json.dumps(try_one(valid, kind, number)), flush=True)
        faulthandler.cancel_dump_traceback_later()


def try_one(valid: Path, kind: str, number: int) -> dict[str, object]:
    """Damage a copy of a valid input, the same way for the same number, and use it."""
    rng = np.random.default_rng([SEED, zlib.crc32(kind.encode()), number])
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name) / "input"
        shutil.copytree(valid / kind, folder)
        done: list[str] = []
        outcome, why = "read", ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(int(rng.integers(1, 3))):
                try:
                    done.append(mutate(folder, rng))
                except Exception as error:  # noqa: BLE001  what is damaged already
                    done.append(f"not changed again: {type(error).__name__}")
        said = what_is_said(KINDS[kind], folder)
        try:
            found = KINDS[kind].use(folder)
            if said is not None:
                outcome, why = judged(found, said)
        except SemstError as error:
            outcome, why = "refused", str(error)
        except BaseException:  # noqa: BLE001  any other is what is looked for
            outcome, why = "failed", traceback.format_exc()
    return {
        "kind": kind,
        "number": number,
        "done": done,
        "outcome": outcome,
        "why": why,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB,
        "seconds": time.monotonic() - began,
    }


def what_is_said(kind: Kind, folder: Path) -> Said | None:
    """Return what files say, `None` where simple means do not understand them."""
    if kind.said is None:
        return None
    try:
        return kind.said(folder)
    except Exception:  # noqa: BLE001  damaged files fail in any way
        return None


def judged(found: Any, said: Said) -> tuple[str, str]:
    """Return ``right``, ``told`` (other, with a warning) or ``wrong``, and why."""
    why = differences(found, said)
    if not why:
        return "right", ""
    warned = input_warnings(found)
    return ("told", f"{why}: {warned[0]}") if warned else ("wrong", why)


if __name__ == "__main__":
    main()
