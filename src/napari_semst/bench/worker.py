"""The process of one cell: it does the cell, keeps it, and says how far it is.

``python -m napari_semst.bench.worker``: a cell and a folder come as JSON on the first
line of standard input, lines of JSON go out on standard output. Once standard input is
closed nobody waits for it any more, and it ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from napari_semst.core.progress import Progress

_SECONDS_BETWEEN_EVENTS = 0.5


def main() -> None:
    """Do the cell that standard input names."""
    from napari_semst.core.threads import idle_politely

    idle_politely()
    asked = json.loads(sys.stdin.readline())
    # What libraries print, also from C, is not to stand among our lines.
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told = _Told(said)
    told.say(**_done(asked["cell"], asked["folder"], told))


def _done(cell: str, folder: str, told: _Told) -> dict[str, Any]:
    """Do a cell and keep it; return what became of it."""
    from napari_semst.bench.cell import BenchCell
    from napari_semst.bench.measure import measure_cell
    from napari_semst.bench.store import CellStore
    from napari_semst.core.progress import RunControl, run_to_end
    from napari_semst.errors import SemstError
    from napari_semst.wording import message

    wanted = BenchCell.from_json(cell)
    try:
        steps = measure_cell(wanted, RunControl())
        found = run_to_end(steps, told)
        CellStore(folder).keep(wanted.key, found.record, found.arrays)
    except SemstError as error:
        return {"ended": "failed", "message": message(error)}
    # One cell's fault must not cost the others.
    except Exception as error:  # noqa: BLE001
        return {
            "ended": "failed",
            "message": f"unexpected {type(error).__name__}: {error}",
        }
    return {"ended": "done", "message": ""}


class _Told:
    """Say how far the cell is, not too often."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stage, self._last = "", 0.0

    def __call__(self, event: Progress) -> None:
        now = time.monotonic()
        soon = now - self._last < _SECONDS_BETWEEN_EVENTS
        if event.stage == self._stage and soon and not event.notice:
            return
        self._stage, self._last = event.stage, now
        self.say(
            stage=event.stage,
            step=int(event.step),
            steps=int(event.steps),
            notice=event.notice,
            message=event.message if event.notice else "",
        )

    def say(self, **words: Any) -> None:
        """Write one line."""
        self._stream.write(json.dumps(words) + "\n")
        self._stream.flush()


def _end_with_parent() -> None:
    """Wait until standard input is closed; nobody waits for the cell then."""
    # Not by sys.stdin, whose lock would still be held where Python ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    # At once, whatever is going on: a cell is kept whole or not at all.
    os._exit(1)


if __name__ == "__main__":
    main()
