"""Molecules read in a worker; what is there so far is shown meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.errors import InputError
from napari_semst.viewer.arrange import arrange
from napari_semst.viewer.transcripts.tiles import CanvasMolecules, can_stand
from napari_semst.widgets.explore.transcripts import texts
from napari_semst.widgets.shared.worker import SteppedTask

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from anndata import AnnData

    from napari_semst.core.progress import Progress, RunControl
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


class MoleculeReading(SteppedTask):
    """Reads the molecules of some genes, off the window's thread."""

    so_far = Signal(object)  # CanvasMolecules

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(_steps, parent)
        self._shared: list[CanvasMolecules] = []
        self.progressed.connect(self._on_more)

    def read(
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
        # Of its own: one that was given up may add to it for a moment.
        self._shared = []
        self.start(reader, places, first, self._shared)

    def _on_more(self) -> None:
        if self._shared:
            self.so_far.emit(self._shared.pop())


def _steps(
    reader: MoleculeReader,
    places: StandingPlaces,
    first: Box | None,
    shared: list[CanvasMolecules],
    control: RunControl,
) -> Generator[Progress, None, CanvasMolecules]:
    began, wait = time.monotonic(), _FIRST_SHOWN
    for event in reader.steps(control, first):
        if time.monotonic() - began >= wait:
            shared[:] = [put_on_canvas(reader.molecules(), places)]
            began, wait = time.monotonic(), 2 * wait
        yield event
    return put_on_canvas(reader.molecules(), places)
