"""Work out in a thread what drives discordant regions, with progress and a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import create_worker

from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled
from napari_semst.widgets.shared.worker import told_sparingly

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData

    from napari_semst.core.progress import Progress


class RegionReader(QObject):
    """Explain the discordant regions of one section at a time."""

    progressed = Signal(object)  # Progress
    done = Signal(object, object)  # the tissue itself, and what is told of it
    failed = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._control: RunControl | None = None
        self._number = 0

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._control is not None

    def start(self, tissue: AnnData, copy: AnnData) -> None:
        """Read a snapshot of a tissue; an older one is given up."""
        self.stop()
        self._number += 1
        self._control = RunControl()
        worker = create_worker(_explained, self._number, tissue, copy, self._control)
        # Not a method of the reader: while it is destroyed it has none any more.
        self.destroyed.connect(self._control.cancel)
        worker.yielded.connect(self._on_progress)
        worker.returned.connect(self._on_returned)
        worker.start()

    def stop(self) -> None:
        """Give up what is being worked out."""
        if self._control is not None:
            self._control.cancel()
            self._control = None

    def _on_progress(self, update: tuple[int, Progress]) -> None:
        number, progress = update
        if number == self._number and self.busy:
            self.progressed.emit(progress)

    def _on_returned(self, answer: tuple[int, AnnData, Any, str]) -> None:
        number, tissue, outcome, details = answer
        if number != self._number or not self.busy:
            return
        self._control = None
        if not isinstance(outcome, Exception):
            self.done.emit(tissue, outcome)
        elif not isinstance(outcome, Cancelled):
            self.failed.emit(outcome, details)


def _explained(
    number: int, tissue: AnnData, copy: AnnData, control: RunControl
) -> Generator[tuple[int, Progress], None, tuple[int, AnnData, Any, str]]:
    """Yield progress, few a second; return what is told, or what went wrong."""
    from napari_semst.explanation.discordance import discordance_steps
    from napari_semst.explanation.types import DiscordanceOptions

    steps = discordance_steps(copy, DiscordanceOptions(), control)
    outcome, details = yield from told_sparingly(number, steps, control)
    return number, tissue, outcome, details
