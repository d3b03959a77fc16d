"""What the parts of the dock share: the section chosen, its colours and selection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.errors import InputError
from napari_semst.viewer import spots
from napari_semst.viewer.spots import paint_layer
from napari_semst.widgets.explore import texts
from napari_semst.widgets.explore.editing import LabelEditor
from napari_semst.widgets.explore.texts import TIPS
from napari_semst.widgets.shared.section_colours import paint_section
from napari_semst.widgets.shared.sections import OpenSections
from napari_semst.widgets.shared.state import state_of
from napari_semst.widgets.shared.status import StatusCard

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_semst.viewer.colourings import Colouring
    from napari_semst.viewer.display_state import DisplayState


class ExploreContext(QObject):
    """The section that is explored, and what every part of the dock may do to it."""

    section_changed = Signal()
    explained = Signal(object, object)  # Paint, and the Colouring that it is of
    painted = Signal(object)  # RGBA of the section's spots

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.state = state_of(viewer)
        self.sections = OpenSections(viewer)
        self.sections.setToolTip(TIPS["section"])
        self.editing = LabelEditor(self.sections, self)
        self.card = StatusCard()

    @property
    def tissue(self) -> AnnData | None:
        """The section chosen."""
        return self.sections.tissue

    @property
    def layer(self) -> Layer | None:
        """The layer of the section chosen."""
        return self.sections.layer

    @property
    def colouring(self) -> Colouring | None:
        """What colours the spots of the section chosen."""
        return self.sections.colouring

    @property
    def selection(self) -> NDArray[np.bool_] | None:
        """Which spots of the section chosen are selected, None where none are."""
        return self.state.selection(self.tissue)

    def keep(self, look: DisplayState) -> None:
        """Let every layer of the section remember a look."""
        tissue = self.tissue
        for layer in [] if tissue is None else self.sections.layers_of(tissue):
            look.keep_in(layer)

    def colour_by(self, key: str) -> None:
        """Colour the section's spots by something of it; as before if that fails.

        Parameters
        ----------
        key
            Of a `napari_semst.viewer.colourings.Colouring`: ``gene:MBP``, a column.
        """
        if self.layer is not None and not spots.holds_its_spots(self.layer):
            raise InputError(f"{texts.NOT_WHOLE}. {texts.NOT_WHOLE_HELP}")
        before = self.sections.look
        self.keep(replace(before, colour_by=key))
        try:
            self.paint()
        except Exception:
            self.keep(before)
            raise

    def paint(self, *, anew: bool = True) -> None:
        """Put the colouring chosen on the spots, and tell what it means.

        Parameters
        ----------
        anew
            False where the spots have their colours already, and these are only to be
            explained.
        """
        tissue, colouring = self.tissue, self.colouring
        if tissue is None or colouring is None:
            return
        choices, look = self.sections.choices, self.sections.look
        paint, rgba = paint_section(tissue, colouring, choices, self.selection, look)
        for layer in self.sections.layers_of(tissue) if anew else ():
            # One that lost a point to the viewer's own tools keeps its colours.
            paint_layer(layer, rgba)
        self.explained.emit(paint, colouring)
        self.painted.emit(rgba)
        if anew:
            self.state.look_changed.emit(tissue, self)
