"""Molecules read in a worker; what is there so far is shown meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from superqt.utils import create_worker

from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled, InputError
from napari_semst.viewer.arrange import arrange
from napari_semst.viewer.transcripts.tiles import CanvasMolecules, can_stand
from napari_semst.widgets.explore.transcripts import texts
from napari_semst.widgets.shared.worker import told_sparingly

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from anndata import AnnData

    from napari_semst.core.progress import Progress
    from napari_semst.io.transcripts.molecules import Molecules
    from napari_semst.io.transcripts.reader import MoleculeReader
    from napari_semst.io.transcripts.tables import Box

# What is there so far is shown after so many seconds, and each time after twice as
# many: putting it in order takes longer the more there is.
_FIRST_SHOWN = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class StandingPlaces:
    """Where a section stands on the canvas, as a worker works it out.

    Parameters
    ----------
    tissue
        A snapshot.
    key, column
        Of `napari_semst.viewer.arrange.arrange`.
    """

    tissue: AnnData
    key: str | None
    column: str


def put_on_canvas(
    parts: Sequence[Molecules], places: StandingPlaces
) -> CanvasMolecules:
    """Return molecules where they stand; for a worker.

    Raises
    ------
    InputError
        If it is not known in which of several sections they lie.
    """
    arrangement = arrange(places.tissue, places.key, places.column)
    if not can_stand(arrangement, parts):
        raise InputError(texts.NO_SECTION)
    return CanvasMolecules(parts, arrangement)


class MoleculeReading(QObject):
    """Reads the molecules of some genes, off the window's thread."""

    progressed = Signal(str)
    so_far = Signal(object)  # CanvasMolecules
    done = Signal(object)  # CanvasMolecules
    failed = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._control: RunControl | None = None
        self._shared: list[CanvasMolecules] = []
        self._number = 0

    @property
    def busy(self) -> bool:
        """Whether molecules are being read."""
        return self._control is not None

    def start(
        self, reader: MoleculeReader, places: StandingPlaces, first: Box | None
    ) -> None:
        """Read the molecules of genes; an older reading is given up.

        Parameters
        ----------
        reader
            Of the genes, which has read nothing yet.
        places
            Where the section stands.
        first
            What is looked at, in the section's coordinates: it is read first.
        """
        self.stop()
        self._number += 1
        self._control, self._shared = RunControl(), []
        worker = create_worker(
            _read, self._number, reader, places, first, self._control, self._shared
        )
        # Not a method of this object: while it is destroyed it has none any more.
        self.destroyed.connect(self._control.cancel)
        worker.yielded.connect(self._on_progress)
        worker.returned.connect(self._on_returned)
        worker.start()

    def stop(self) -> None:
        """Give up what is being read."""
        if self._control is not None:
            self._control.cancel()
            self._control = None

    def _on_progress(self, update: tuple[int, Progress]) -> None:
        number, progress = update
        if number != self._number or not self.busy:
            return
        if self._shared:
            self.so_far.emit(self._shared.pop())
        self.progressed.emit(progress.message)

    def _on_returned(self, answer: tuple[int, Any, str]) -> None:
        number, outcome, details = answer
        if number != self._number or not self.busy:
            return
        self._control = None
        if not isinstance(outcome, Exception):
            self.done.emit(outcome)
        elif not isinstance(outcome, Cancelled):
            self.failed.emit(outcome, details)


def _read(
    number: int,
    reader: MoleculeReader,
    places: StandingPlaces,
    first: Box | None,
    control: RunControl,
    shared: list[CanvasMolecules],
) -> Generator[tuple[int, Progress], None, tuple[int, Any, str]]:
    """Yield progress, few a second; return the molecules, or what went wrong."""
    steps = _steps(reader, places, first, control, shared)
    outcome, details = yield from told_sparingly(number, steps, control)
    return number, outcome, details


def _steps(
    reader: MoleculeReader,
    places: StandingPlaces,
    first: Box | None,
    control: RunControl,
    shared: list[CanvasMolecules],
) -> Generator[Progress, None, CanvasMolecules]:
    began, wait = time.monotonic(), _FIRST_SHOWN
    for event in reader.steps(control, first):
        if time.monotonic() - began >= wait:
            shared[:] = [put_on_canvas(reader.molecules(), places)]
            began, wait = time.monotonic(), 2 * wait
        yield event
    return put_on_canvas(reader.molecules(), places)
