"""A colouring pinned beside the section, so that two are seen at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.viewer.canvas.units import canvas_per_layer
from napari_semst.viewer.sections import images_of
from napari_semst.viewer.spots import PAIR, raster_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

PINNED = "semst_pinned"
"""Key of a copy's metadata: the pair of the layer that it is a copy of."""

_GAP = 0.04
_MOST_STEPS = 200


def pin(viewer: Viewer, layer: Layer, label: str) -> list[Layer]:
    """Put a copy of a section's layers, with the colours of now, to its right.

    Parameters
    ----------
    viewer
        Holds the layer.
    layer
        The spots of the section.
    label
        What the colours show.

    Returns
    -------
    list of layers
        The images' copies, which share their pixels, and that of the spots.
    """
    from napari.layers import Layer as AnyLayer

    chosen = list(viewer.layers.selection)
    images = [image for image in images_of(layer, viewer.layers) if image.visible]
    boxes = np.stack([_box(viewer, one) for one in (layer, *images)])
    left, right = boxes[:, 0, 1].min(), boxes[:, 1, 1].max()
    shift = np.array([0.0, _free(viewer, layer, left, right)])
    added = []
    for one in (*images, layer):
        data, options, kind = one.as_layer_data_tuple()
        options["name"] = f"{layer.name}: {label}{' image' * (one is not layer)}"
        translate = np.array(options["translate"], dtype=float)
        translate[-2:] += shift / canvas_per_layer(viewer.layers, one)
        options["translate"] = translate
        pair = layer.metadata.get(PAIR)
        options["metadata"] = {PINNED: pair, "name": label}
        if one is layer:
            # Images are looked at and never written to; colours of spots are.
            raster = raster_of(layer)
            data = np.array(data) if raster is None else raster.twin().levels
        added.append(AnyLayer.create(data, options, kind))
    for one in added:
        viewer.add_layer(one)
    viewer.layers.selection = [x for x in chosen if x in viewer.layers]
    viewer.reset_view()
    return added


def pins_of(viewer: Viewer, layer: Layer) -> list[Layer]:
    """Return the layers pinned beside a layer."""
    pair = layer.metadata.get(PAIR)
    every = viewer.layers
    return [x for x in every if pair and x.metadata.get(PINNED) == pair]


def unpin(viewer: Viewer, layer: Layer) -> None:
    """Take away what is pinned beside a layer."""
    for one in pins_of(viewer, layer):
        viewer.layers.remove(one)


def lone_pins(viewer: Viewer) -> list[Layer]:
    """Return the pinned layers whose section is no longer there."""
    there = {x.metadata.get(PAIR) for x in viewer.layers if PINNED not in x.metadata}
    return [
        x
        for x in viewer.layers
        if PINNED in x.metadata and x.metadata[PINNED] not in there
    ]


def _free(viewer: Viewer, layer: Layer, left: float, right: float) -> float:
    """Return how far to the right the first place is that no pin stands on."""
    there = [_box(viewer, one)[:, 1] for one in pins_of(viewer, layer)]
    step = (1 + _GAP) * (right - left)
    # Pins may be of other widths, and moved or deleted by hand; more do not fit a view.
    for number in range(1, _MOST_STEPS):
        shift = number * step
        if all(right + shift <= low or left + shift >= high for low, high in there):
            return float(shift)
    return float(_MOST_STEPS * step)


def _box(viewer: Viewer, layer: Layer) -> np.ndarray:
    """Return the least and largest (y, x) of a layer in the unit of the canvas."""
    box = np.asarray(layer.extent.world)[:, -2:]
    return box * canvas_per_layer(viewer.layers, layer)
