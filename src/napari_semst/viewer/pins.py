"""A colouring pinned beside the section, so that two are seen at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.viewer import adapter
from napari_semst.viewer.sections import images_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

PINNED = "semst_pinned"
"""Key of a copy's metadata: the pair of the layer that it is a copy of."""

_GAP = 0.04


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
    boxes = np.stack([_box(one) for one in (layer, *images)])
    left, right = boxes[:, 0, 1].min(), boxes[:, 1, 1].max()
    number = len(_spots(pins_of(viewer, layer))) + 1
    shift = np.array([0.0, number * (1 + _GAP) * (right - left)])
    added = []
    for one in (*images, layer):
        data, options, kind = one.as_layer_data_tuple()
        options["name"] = f"{layer.name}: {label}{' image' * (one is not layer)}"
        translate = np.array(options["translate"], dtype=float)
        translate[-2:] += shift
        options["translate"] = translate
        options["metadata"] = {PINNED: layer.metadata.get(adapter.PAIR), "name": label}
        # Images are looked at and never written to; colours of spots are.
        data = data if one is not layer else np.array(data)
        added.append(AnyLayer.create(data, options, kind))
    for one in added:
        viewer.add_layer(one)
    viewer.layers.selection = [x for x in chosen if x in viewer.layers]
    viewer.reset_view()
    return added


def pins_of(viewer: Viewer, layer: Layer) -> list[Layer]:
    """Return the layers pinned beside a layer."""
    pair = layer.metadata.get(adapter.PAIR)
    every = viewer.layers
    return [x for x in every if pair and x.metadata.get(PINNED) == pair]


def unpin(viewer: Viewer, layer: Layer) -> None:
    """Take away what is pinned beside a layer."""
    for one in pins_of(viewer, layer):
        viewer.layers.remove(one)


def lone_pins(viewer: Viewer) -> list[Layer]:
    """Return the pinned layers whose section is no longer there."""
    there = {
        x.metadata.get(adapter.PAIR) for x in viewer.layers if PINNED not in x.metadata
    }
    return [
        x
        for x in viewer.layers
        if PINNED in x.metadata and x.metadata[PINNED] not in there
    ]


def _spots(layers: list[Layer]) -> list[Layer]:
    """Return one layer for every pin."""
    return [x for x in layers if not x.name.endswith(" image")]


def _box(layer: Layer) -> np.ndarray:
    return np.asarray(layer.extent.world)[:, -2:]
