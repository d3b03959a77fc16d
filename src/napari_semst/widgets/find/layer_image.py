"""Which image layers of the viewer a run can read: it reads files, not layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.widgets.find import texts_image as texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Layer


@dataclass(frozen=True, slots=True)
class LayerImage:
    """An image layer as settings name it.

    Parameters
    ----------
    name
        Of the layer.
    path
        The file that it shows.
    pixels_per_unit
        Pixels of the file along one unit of the spots' coordinates.
    why_not
        Why it cannot be read, and what to do; empty where it can.
    """

    name: str
    path: str = ""
    pixels_per_unit: float = 1.0
    why_not: str = ""


def layer_images(layers: Iterable[Layer]) -> list[LayerImage]:
    """Return the viewer's images that are not a section's own.

    Parameters
    ----------
    layers
        All layers of the viewer.
    """
    from napari.layers import Image

    from napari_semst.viewer.spots import PAIR

    own = [x for x in layers if isinstance(x, Image) and PAIR not in x.metadata]
    return [_described(layer) for layer in own]


def _described(layer: Layer) -> LayerImage:
    path = layer.source.path
    if not path or not Path(path).exists():
        return LayerImage(layer.name, why_not=texts.LAYER_NO_FILE)
    scale = np.asarray(layer.scale, dtype=float)[-2:]
    linear = np.asarray(layer.affine.affine_matrix)
    turned = not np.allclose(linear, np.eye(len(linear)))
    turned |= not np.allclose(layer.rotate, np.eye(len(layer.rotate)))
    # What is less than a pixel is how programs count them.
    moved = np.abs(np.asarray(layer.translate)[-2:]) > np.abs(scale)
    if turned or moved.any() or not np.isclose(scale[0], scale[1]) or scale[0] <= 0:
        return LayerImage(layer.name, why_not=texts.LAYER_MOVED)
    return LayerImage(layer.name, str(path), float(1 / scale[0]))
