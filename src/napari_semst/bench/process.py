"""A cell in a process of its own: begun, heard, ended."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_semst.bench.cell import BenchCell

_THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
_LAST_WORDS = 400


@dataclass(frozen=True)
class CellOutcome:
    """What became of a cell.

    Parameters
    ----------
    status
        ``done``, or ``failed``.
    message
        Why it failed.
    """

    cell: BenchCell
    status: Literal["done", "failed"]
    message: str = ""


class CellProcess:
    """A process that does one cell on one thread and keeps it in a folder.

    It ends with this process, however that ends: it waits for nobody.

    Parameters
    ----------
    cell
        What is done.
    folder
        Of the comparison.
    """

    def __init__(self, cell: BenchCell, folder: Path) -> None:
        self.cell = cell
        # Kept in a file: nobody reads a pipe of it, which would then be full.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed at the end
        self._process = subprocess.Popen(
            # -P: no module of the folder that we happen to be in is taken for ours.
            [sys.executable, "-P", "-m", "napari_semst.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            # Ctrl-C is for this process, which then ends the others.
            start_new_session=True,
        )
        asked = {"cell": cell.to_json(), "folder": str(folder)}
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it died before: `heard` tells
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()

    def heard(self) -> Iterator[dict[str, Any] | CellOutcome]:
        """Yield what the process says, and at last what became of the cell."""
        assert self._process.stdout is not None
        outcome = None
        for line in self._process.stdout:
            try:
                said = json.loads(line)
            except ValueError:  # the last words of one that was killed
                continue
            if "ended" in said:
                outcome = CellOutcome(self.cell, said["ended"], said["message"])
            else:
                yield said
        code = self._process.wait()
        yield outcome or CellOutcome(self.cell, "failed", self._why(code))
        self.close()

    def close(self) -> None:
        """End the process if it runs; what it had not kept is lost."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None and not pipe.closed:
                with suppress(BrokenPipeError):
                    pipe.close()

    def end(self) -> None:
        """Let the process die; `heard` then comes to its end, and closes it."""
        self._process.kill()

    def _why(self, code: int) -> str:
        """Return why a process ended without a word."""
        if code < 0:
            return (
                f"its process was ended by signal {-code}, most often for lack of "
                "memory. Allow fewer cells at one time, or smaller files."
            )
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip()[-_LAST_WORDS:]
        return f"its process ended with {code}: {last or 'it said nothing'}"


def _environment() -> dict[str, str]:
    """Return the environment of a cell: one thread, and this very package."""
    home = str(Path(__file__).resolve().parents[2])
    paths = [*filter(None, [os.environ.get("PYTHONPATH")])]
    # Installed it is found; put before the standard library, what lies beside it could
    # be taken for that.
    installed = [sysconfig.get_path("purelib"), site.getusersitepackages()]
    if home not in {str(Path(place).resolve()) for place in installed}:
        paths.append(home)
    threads = dict.fromkeys(_THREADS, "1")
    found = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
    return {**os.environ, **threads, **found}
