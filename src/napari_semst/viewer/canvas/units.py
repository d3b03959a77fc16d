"""Units of layers: what the canvas calls a place, and what a layer calls it.

A viewer draws layers of several units in the smallest of them, mouse and camera
included, while a layer's own methods speak its own unit. Where units of layers cannot
be brought together (pixels and micrometres, say) the viewer drops them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def layer_units(layer: Layer) -> dict[str, Any]:
    """Return the option that gives another layer the units of this one."""
    units = getattr(layer, "units", None)
    return {} if units is None else {"units": tuple(units)[-2:]}


def canvas_per_layer(layers: Any, layer: Layer) -> float:
    """Return how many units of the canvas one of a layer's units is.

    Parameters
    ----------
    layers
        Of the viewer.
    layer
        One of them; its two last axes have one unit.
    """
    units = getattr(layer, "units", None)
    # Versions of the viewer before units, and layers whose units go not together.
    canvas = getattr(layers.extent, "units", None) if len(layers) else None
    if units is None or canvas is None or units[-1] == canvas[-1]:
        return 1.0
    return float((1 * units[-1]).to(canvas[-1]).magnitude)


def layer_matrix(layer: Layer) -> Floats:
    """Return what takes (y, x, 1) of a layer's data to its world, ``(3, 3)``."""
    origin, down, right = (
        np.asarray(layer.data_to_world(place), np.float64)[-2:]
        for place in (
            np.zeros(layer.ndim),
            np.eye(layer.ndim)[-2],
            np.eye(layer.ndim)[-1],
        )
    )
    matrix = np.eye(3)
    matrix[:2] = np.stack([down - origin, right - origin, origin], axis=1)
    return matrix
