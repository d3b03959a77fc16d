"""What the results panel shows, brought to the layers of the section chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_semst.palette import domain_colors
from napari_semst.viewer import spots
from napari_semst.viewer.display_state import DisplayState, show_labels_on_hover
from napari_semst.viewer.spots import paint_layer, tissue_of
from napari_semst.widgets.shared.section_colours import (
    COLOUR_CHOICES,
    ColourChoices,
    choice_key,
    mask_colours,
    shown_level,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData
    from napari.layers import Layer, Points
    from numpy.typing import NDArray
    from qtpy.QtWidgets import QWidget

    from napari_semst.viewer.colour import Paint
    from napari_semst.viewer.colourings import Colouring
    from napari_semst.widgets.find.results import ResultsPanel
    from napari_semst.widgets.shared.state import ViewerState

# Hovering follows when the slider rests: a table with text is slow to change.
_REST_MS = 300
MOST_LIVE_SPOTS = 50_000


class ResultPainter(QObject):
    """Paint the spots as the panel says, and let their layers remember it."""

    def __init__(
        self,
        results: ResultsPanel,
        layers: Callable[[], list[Layer]],
        state: ViewerState,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._dock, self._state = parent, state
        self._results = results
        self._layers = layers
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self.tell_labels)
        results.painted.connect(self._on_painted)

    def _on_painted(self, paint: Paint) -> None:
        look, colouring = self._results.look, self._results.colouring
        tissue = None
        for layer in self._layers():
            tissue = tissue_of(layer)
            if tissue is None or colouring is None:
                continue
            if spots.holds_its_spots(layer):
                paint_layer(layer, self._masked(layer, tissue, colouring, paint, look))
                look.keep_in(layer)
        self._rest.start()
        if tissue is not None:
            self._state.look_changed.emit(tissue, self._dock)

    def _masked(
        self,
        layer: Layer,
        tissue: AnnData,
        colouring: Colouring,
        paint: Paint,
        look: DisplayState,
    ) -> NDArray[np.float32]:
        """Return the colours as Explore domains has them: hidden names, selection."""
        choices = layer.metadata.get(COLOUR_CHOICES, ColourChoices())
        # This panel shows numbers with its own limits.
        choices.limits.pop(choice_key(tissue, colouring), None)
        if shown_level(tissue, colouring, look) is not None:
            choices = ColourChoices()
        selected = self._state.selection(tissue)
        return mask_colours(tissue, colouring, choices, selected, paint.rgba)

    def tell_labels(self) -> None:
        """Let hovering over a spot tell the domain that is on show."""
        labels = self._results.level_labels
        for layer in self._layers():
            show_labels_on_hover(layer, labels)


class LiveDomains(QObject):
    """Paint provisional domains until the user looks at something else.

    Layers go on remembering what they showed before, so that a run that ends without
    a result leaves nothing behind.
    """

    painted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._looks: list[tuple[Points, DisplayState]] = []
        self.on = False
        self.shown = False

    def begin(self, layers: Sequence[Points]) -> None:
        """Begin with a run; the layers are those that show its section."""
        self._looks = [(layer, DisplayState.of(layer)) for layer in layers]
        self.on, self.shown = True, False

    def end(self) -> None:
        """Paint no more."""
        self._looks, self.on = [], False

    def show(self, domains: NDArray[np.int32]) -> None:
        """Paint domains, counted from 0, one for every spot."""
        if not self.on:
            return
        # Another colouring was chosen since, here or in another dock.
        if any(DisplayState.of(layer) != look for layer, look in self._looks):
            self.end()
            return
        rgba = domain_rgba(domains)
        for layer, _ in self._looks:
            paint_layer(layer, rgba)
        self.shown = True
        self.painted.emit()


def domain_rgba(domains: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return a colour for each spot, shape ``(n_spots, 4)``, those of final domains."""
    from matplotlib.colors import to_rgba_array

    table = to_rgba_array(domain_colors(int(domains.max()) + 1)).astype(np.float32)
    colours: NDArray[np.float32] = table[domains]
    return colours
