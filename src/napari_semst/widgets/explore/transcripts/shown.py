"""The molecules shown of one section: they follow the view and the section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_semst import keys
from napari_semst.io.transcripts.reader import MoleculeReader
from napari_semst.io.transcripts.sources import names_before, transcript_sources
from napari_semst.viewer import adapter, sections, spots
from napari_semst.viewer.transcripts.molecule_layer import (
    add_molecule_layer,
    clear_tile,
    draw_tile,
    kept_look,
    place_like,
    view_box,
)
from napari_semst.viewer.transcripts.tiles import MOST_MOLECULES
from napari_semst.widgets.explore.transcripts import texts
from napari_semst.widgets.explore.transcripts.reading import (
    MoleculeReading,
    StandingPlaces,
    put_on_canvas,
)
from napari_semst.widgets.shared.errors import describe_error
from napari_semst.widgets.shared.worker import BackgroundTask

if TYPE_CHECKING:
    from napari.layers import Layer, Points
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress
    from napari_semst.io.transcripts.tables import Box
    from napari_semst.viewer.transcripts.tiles import (
        CanvasMolecules,
        MoleculeTile,
        MoleculeView,
    )

    Floats = NDArray[np.float64]

# Looks are answered by a worker, no more of them than these milliseconds apart.
_APART = 60


class ShownMolecules(QObject):
    """Molecules of chosen genes over a layer of spots.

    Parameters
    ----------
    viewer
        Holds the layer.
    layer
        The spots.
    """

    changed = Signal()  # what is told of them
    gone = Signal()  # their layer was removed by hand
    read = Signal(object)  # genes, all of whose molecules are there now

    def __init__(self, viewer: Viewer, layer: Layer, parent: QObject) -> None:
        super().__init__(parent)
        # The stand-ins that plugins are handed keep layers from being told apart.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self.layer: Layer = getattr(layer, "__wrapped__", layer)
        self.genes: tuple[str, ...] = ()
        self.molecules: CanvasMolecules | None = None
        self.view: MoleculeView | None = None
        self.points: Points | None = None
        self.progress = self.problem = ""
        self._tile: MoleculeTile | None = None
        self._look_kept: dict[str, Any] | None = None
        self._stood = self._standing()
        self._again = False
        self.reading = MoleculeReading(self)
        self.looking = BackgroundTask(_looked)
        self.standing = BackgroundTask(put_on_canvas)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_APART)
        self._connect()

    def _connect(self) -> None:
        self.reading.so_far.connect(self._on_molecules)
        self.reading.done.connect(self._on_done)
        self.reading.progressed.connect(self._on_progress)
        self.reading.failed.connect(self._on_failed)
        self.standing.done.connect(self._on_molecules)
        self.standing.failed.connect(self._on_failed)
        self.looking.done.connect(self._on_looked)
        self.looking.failed.connect(self._on_failed)
        self._timer.timeout.connect(self._look)
        for emitter in self._emitters():
            emitter.connect(self.follow)
        self._viewer.layers.events.removed.connect(self._on_removed)

    def _emitters(self) -> list[Any]:
        bare = self._viewer
        camera = getattr(bare, "scene", bare).camera.events
        canvas: Any = getattr(getattr(bare, "canvas", None), "events", None)
        layer = self.layer.events
        return [
            camera.center,
            camera.zoom,
            bare.dims.events.ndisplay,
            layer.data,
            layer.scale,
            layer.translate,
            layer.rotate,
            layer.shear,
            layer.affine,
            *([canvas.size] if hasattr(canvas, "size") else []),
        ]

    @property
    def at_usual_places(self) -> bool:
        """Whether the spots stand at the coordinates that molecules are in."""
        key, _ = self._standing()
        tissue = spots.tissue_of(self.layer)
        return key == keys.SPATIAL or (
            key is None and tissue is not None and keys.SPATIAL in tissue.obsm
        )

    def show(self, genes: tuple[str, ...]) -> None:
        """Show the molecules of some genes, and of no others."""
        tissue = spots.tissue_of(self.layer)
        if tissue is None:
            return
        self.genes, self.molecules, self.view, self._tile = genes, None, None, None
        self.problem, self.progress = "", texts.BEGUN
        if self.points is None:
            self.points = add_molecule_layer(self._viewer, self.layer, self._look_kept)
        else:
            # Not those of the genes before, under the names of these.
            clear_tile(self.points)
        self.standing.drop()
        self.looking.drop()
        self._stood = self._standing()
        sources, before = transcript_sources(tissue), names_before(tissue, genes)
        reader = MoleculeReader(sources, genes, before=before, most=MOST_MOLECULES)
        self.reading.read(reader, self._places(), self._box())
        self.changed.emit()

    def cancel(self) -> None:
        """Give up reading; what was read so far goes."""
        self.reading.stop()
        self.hide()

    def hide(self) -> None:
        """Take the molecules away; how their layer looked is kept for the next."""
        for task in (self.standing, self.looking):
            task.drop()
        self.reading.stop()
        self._timer.stop()
        points, self.points = self.points, None
        self.molecules, self.view, self._tile, self.progress = None, None, None, ""
        if points is not None:
            self._look_kept = kept_look(points)
            if points in self._viewer.layers:
                self._viewer.layers.remove(points)
        self.changed.emit()

    def shutdown(self) -> None:
        """Let go of the viewer; for when the dock or the section goes."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for emitter in self._emitters():
            emitter.disconnect(self.follow)
        self.hide()

    # --- the view

    def follow(self, event: Any = None) -> None:
        """Look again soon: the view or the section was moved."""
        if self.points is not None and not self._timer.isActive():
            self._timer.start()

    def _look(self) -> None:
        """Ask a worker what is to be seen now."""
        if self.points is None or self.molecules is None:
            return
        if self._standing() != self._stood:
            self._stood = self._standing()
            self.standing.start(self.molecules.parts, self._places())
            return
        if self.looking.busy:
            self._again = True
            return
        self._again = False
        place_like(self.points, self.layer)
        low, high = view_box(self._viewer, self.layer)
        self.looking.start(self.molecules, low, high, self._tile)

    def _on_looked(self, answer: tuple[CanvasMolecules, MoleculeView]) -> None:
        molecules, view = answer
        if self.points is None or molecules is not self.molecules:
            return
        if self.points not in self._viewer.layers:
            return
        self.view = view
        if not self.at_usual_places:
            # Those drawn before would lie where no spot is any more.
            self._tile = None
            clear_tile(self.points)
        elif view.tile is not None:
            self._tile = view.tile
            draw_tile(self.points, view.tile, self.genes)
        self.changed.emit()
        if self._again:
            self.follow()

    # --- reading

    def _standing(self) -> tuple[str | None, str]:
        key = self.layer.metadata.get(adapter.COORDINATES)
        return key, sections.sections_by(self.layer)

    def _places(self) -> StandingPlaces:
        tissue = spots.tissue_of(self.layer)
        assert tissue is not None
        return StandingPlaces(adapter.snapshot(tissue), *self._standing())

    def _box(self) -> Box | None:
        """Return what is looked at in the section's coordinates, where it is alone."""
        low, high = view_box(self._viewer, self.layer)
        if sections.sections_on(self.layer) or not np.isfinite([low, high]).all():
            return None
        return float(low[1]), float(low[0]), float(high[1]), float(high[0])

    def _on_progress(self, progress: Progress) -> None:
        self.progress = progress.message
        self.changed.emit()

    def _on_molecules(self, molecules: CanvasMolecules) -> None:
        self.molecules, self._tile = molecules, None
        self.looking.drop()
        self._look()

    def _on_done(self, molecules: CanvasMolecules) -> None:
        self.progress = ""
        self._on_molecules(molecules)
        self.read.emit(self.genes)

    def _on_failed(self, error: Exception, details: str) -> None:
        self.problem = "\n".join(describe_error(error))
        self.hide()

    def _on_removed(self, event: Any = None) -> None:
        if self.points is not None and self.points not in self._viewer.layers:
            self.hide()
            self.gone.emit()


def _looked(
    molecules: CanvasMolecules,
    low: Floats,
    high: Floats,
    now: MoleculeTile | None,
) -> tuple[CanvasMolecules, MoleculeView]:
    """Return what is to be seen of molecules, and of which; for a worker."""
    return molecules, molecules.look(low, high, now)
