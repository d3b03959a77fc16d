"""What the results panel shows, brought to the layers of the section chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_semst.viewer import spots
from napari_semst.viewer.colour import paint_layer
from napari_semst.viewer.look import tell_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer
    from qtpy.QtWidgets import QWidget

    from napari_semst.viewer.colour import Paint
    from napari_semst.widgets.find.results import ResultsPanel

# Hovering follows when the slider rests: a table with text is slow to change.
_REST_MS = 300


class Canvas(QObject):
    """Paint the spots as the panel says, and let their layers remember it.

    Parameters
    ----------
    results
        The panel.
    layers
        Returns the layers that show the section chosen.
    parent
        The dock; what is here ends with it.
    """

    def __init__(
        self,
        results: ResultsPanel,
        layers: Callable[[], list[Layer]],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._results = results
        self._layers = layers
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self.tell_labels)
        results.painted.connect(self._on_painted)

    def _on_painted(self, paint: Paint) -> None:
        look = self._results.look
        for layer in self._layers():
            if spots.count(layer) == len(paint.rgba):
                paint_layer(layer, paint.rgba)
                look.keep_in(layer)
        self._rest.start()

    def tell_labels(self) -> None:
        """Let hovering over a spot tell the domain that is on show."""
        labels = self._results.level_labels
        for layer in self._layers():
            if labels is None or spots.count(layer) == len(labels):
                tell_labels(layer, labels)
