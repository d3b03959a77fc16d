"""Domains on the tissue while the network still learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_semst.palette import domain_colors
from napari_semst.viewer.look import DisplayState
from napari_semst.viewer.spots import paint_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Points
    from numpy.typing import NDArray

MOST_SPOTS = 50_000
"""Above, domains are shown while training only if the user asks for it: to paint more
takes the window longer than people notice."""


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
        rgba = colours_of(domains)
        for layer, _ in self._looks:
            paint_layer(layer, rgba)
        self.shown = True
        self.painted.emit()


def colours_of(domains: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return a colour for each spot, shape ``(n_spots, 4)``, those of final domains."""
    from matplotlib.colors import to_rgba_array

    table = to_rgba_array(domain_colors(int(domains.max()) + 1)).astype(np.float32)
    colours: NDArray[np.float32] = table[domains]
    return colours
