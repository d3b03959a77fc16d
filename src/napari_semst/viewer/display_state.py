"""How a section is looked at, as its layer remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_semst.viewer import spots
from napari_semst.viewer.adapter import COLOUR_BY
from napari_semst.viewer.canvas.own_features import (
    own_features_again,
    put_own_features,
)

if TYPE_CHECKING:
    import numpy as np
    from napari.layers import Layer
    from numpy.typing import NDArray

RUN = "semst_run_shown"
"""Key of a layer's metadata that remembers which run's result is on show."""

LEVEL = "semst_domains_shown"
"""Key of a layer's metadata for the number of domains, absent at the run's own."""

FADE = "semst_fade_unsure"
"""Key of a layer's metadata that remembers whether unsure spots are faded."""

_SHOWN = "domain shown"


@dataclass(frozen=True, slots=True)
class DisplayState:
    """What the colours of a layer show.

    Parameters
    ----------
    colour_by
        Key of the colouring; empty: the section's first.
    run
        The run on show; empty: the latest.
    level
        Number of domains on show; `None`: the run's own.
    fade
        Whether unsure spots are faded.
    """

    colour_by: str = ""
    run: str = ""
    level: int | None = None
    fade: bool = False

    @classmethod
    def of(cls, layer: Layer) -> DisplayState:
        """Return the look that a layer remembers."""
        kept = layer.metadata
        return cls(
            kept.get(COLOUR_BY, ""),
            kept.get(RUN, ""),
            kept.get(LEVEL),
            kept.get(FADE, False),
        )

    def keep_in(self, layer: Layer) -> None:
        """Let a layer remember this look."""
        layer.metadata[COLOUR_BY] = self.colour_by
        layer.metadata[RUN] = self.run
        layer.metadata[FADE] = self.fade
        if self.level is None:
            layer.metadata.pop(LEVEL, None)
        else:
            layer.metadata[LEVEL] = self.level


def show_labels_on_hover(layer: Layer, labels: NDArray[np.object_] | None) -> None:
    """Show a spot's domain at the level on show when the mouse is over it.

    Parameters
    ----------
    layer
        The spots.
    labels
        Name of each spot's domain; `None` where the run's own are on show, which
        hovering tells anyway.
    """
    if spots.raster_of(layer) is not None:
        more = {} if labels is None else {_SHOWN: labels}
        layer.metadata[spots.MORE_FEATURES] = more
        return
    if not spots.holds_its_spots(layer):
        return
    table = own_features_again(layer)
    if labels is None and _SHOWN not in table:
        return
    table = table.drop(columns=_SHOWN, errors="ignore")
    if labels is not None:
        table.insert(min(1, table.shape[1]), _SHOWN, labels)
    put_own_features(layer, table)
