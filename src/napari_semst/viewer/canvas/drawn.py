"""How we drew a layer last, and so whether it is still as we did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.viewer.canvas.own_features import BARCODE, own_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWN = "semst_drawn"
"""Key of a layer's metadata for its `DrawnLayer`."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLayer:
    """A layer as we drew it last.

    Parameters
    ----------
    scale, translate
        From data to the canvas, (y, x) each.
    places
        Of points, (y, x), shape ``(n_points, 2)``; `None` for images.
    colours
        Of points, 0 to 1, shape ``(n_points, 4)``; `None` for images.
    """

    scale: Floats
    translate: Floats
    places: Floats | None = None
    colours: NDArray[np.float32] | None = None


def drawn(options: dict[str, Any], places: Floats | None = None) -> DrawnLayer:
    """Return a layer that is about to be made, by its options and its places."""
    scale = np.array(options.get("scale", (1.0, 1.0)), dtype=np.float64)
    translate = np.array(options.get("translate", (0.0, 0.0)), dtype=np.float64)
    # Copies: the viewer moves points, and we paint them, in place.
    colours = None if places is None else np.array(options["face_color"], np.float32)
    return DrawnLayer(
        scale, translate, None if places is None else np.array(places), colours
    )


def drawn_as(layer: Layer) -> DrawnLayer | None:
    """Return how a layer was drawn last, None for layers of others."""
    kept = layer.metadata.get(DRAWN)
    return kept if isinstance(kept, DrawnLayer) else None


def remember_points(layer: Layer, places: Floats) -> None:
    """Remember where among a layer's data we put its points, ``(n_points, 2)``."""
    kept = drawn_as(layer)
    if kept is not None:
        layer.metadata[DRAWN] = replace(kept, places=np.array(places))


def remember_place(layer: Layer) -> None:
    """Remember where we put an image."""
    kept = drawn_as(layer)
    if kept is not None:
        layer.metadata[DRAWN] = replace(
            kept,
            scale=np.array(layer.scale, dtype=np.float64)[-2:],
            translate=np.array(layer.translate, dtype=np.float64)[-2:],
        )


def remember_colours(layer: Layer, rgba: NDArray[np.float32]) -> None:
    """Remember what we paint on a layer of points."""
    kept = drawn_as(layer)
    if kept is not None:
        layer.metadata[DRAWN] = replace(kept, colours=np.array(rgba, np.float32))


def same_points(layer: Layer, names: Sequence[str]) -> bool:
    """Return whether a layer's points are those that we drew, in the same order.

    They are where none was moved; else the layer's table of features has to name them.

    Parameters
    ----------
    layer
        Points.
    names
        Of the spots that we drew, in their order.
    """
    if len(layer.data) != len(names):
        return False
    kept = drawn_as(layer)
    if kept is None or kept.places is None:
        return True
    if np.array_equal(layer.data, kept.places):
        return True
    barcodes = own_column(layer, BARCODE)
    return barcodes is not None and np.array_equal(
        barcodes.to_numpy(dtype=object), np.asarray(names, dtype=object)
    )
