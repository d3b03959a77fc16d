"""Which of the open sections is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QWidget

from napari_semst.viewer import colourings
from napari_semst.viewer.display_state import DisplayState
from napari_semst.viewer.hover import receive_layer
from napari_semst.viewer.sections import images_of
from napari_semst.viewer.spots import tissue_of
from napari_semst.widgets.shared.forms import keep_narrow
from napari_semst.widgets.shared.section_colours import COLOUR_CHOICES, ColourChoices

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_semst.viewer.colourings import Colouring

NO_SECTION = "No section yet"


class OpenSections(QComboBox):
    """The sections that are open; the one chosen, and how it is looked at."""

    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self._layers: list[Layer] = []
        keep_narrow(self)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self.look_again)
        self.currentIndexChanged.connect(self.changed)

    @property
    def layer(self) -> Layer | None:
        """The layer of the section chosen."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @property
    def tissue(self) -> AnnData | None:
        """The section chosen."""
        return None if self.layer is None else tissue_of(self.layer)

    @property
    def colouring(self) -> Colouring | None:
        """What colours the spots of the section chosen."""
        layer, tissue = self.layer, self.tissue
        if layer is None or tissue is None:
            return None
        look = DisplayState.of(layer)
        found = colourings.colouring_for_key(tissue, look.colour_by, look.run)
        return found or colourings.first_colouring(tissue)

    @property
    def look(self) -> DisplayState:
        """How the section chosen is looked at."""
        return DisplayState() if self.layer is None else DisplayState.of(self.layer)

    @property
    def choices(self) -> ColourChoices:
        """What was chosen by hand for the colours of the section chosen."""
        if self.layer is None:
            return ColourChoices()
        choices: ColourChoices = self.layer.metadata.setdefault(
            COLOUR_CHOICES, ColourChoices()
        )
        return choices

    def layers_of(self, tissue: AnnData) -> list[Layer]:
        """Return the layers that show a section."""
        return [x for x in self._layers if tissue_of(x) is tissue]

    def look_again(self, event: Any = None) -> None:
        """Offer the sections that are open now; one just opened is chosen."""
        now, every = self.layer, self.viewer.layers
        self._layers = [x for x in every if tissue_of(x) is not None]
        for layer in self._layers:
            # Connecting the same slot twice is one connection.
            layer.events.name.connect(self._on_renamed)
            for one in (layer, *images_of(layer, every)):
                receive_layer(one)
        new = event.value if event is not None and event.type == "inserted" else None
        self._offer(new if new in self._layers else now)
        if self.layer is not now or not self._layers:
            self.changed.emit()

    def _on_renamed(self, event: Any = None) -> None:
        self._offer(self.layer)

    def _offer(self, choose: Layer | None) -> None:
        with QSignalBlocker(self):
            self.clear()
            self.addItems([x.name for x in self._layers] or [NO_SECTION])
            self.setEnabled(bool(self._layers))
            if choose in self._layers:
                self.setCurrentIndex(self._layers.index(choose))
