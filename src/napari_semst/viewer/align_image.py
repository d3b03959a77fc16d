"""Images on the canvas brought to where their alignment by hand says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.manual_alignment import adjust, adjustment_of
from napari_semst.io.places.landmarks import register_image
from napari_semst.io.places.on_image import placed_image
from napari_semst.io.sections import libraries
from napari_semst.viewer import adapter
from napari_semst.viewer.canvas.drawn import remember_place
from napari_semst.viewer.histology_image import image_data
from napari_semst.viewer.image_channels import CHANNEL
from napari_semst.viewer.spots import PAIR, tissue_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData
    from napari.layers import Layer

    from napari_semst.io.alignment import Placement
    from napari_semst.io.formats.tiff_channels import ImageChannel
    from napari_semst.io.manual_alignment import Adjustment
    from napari_semst.registration.landmarks import Landmarks
    from napari_semst.viewer.image_channels import ShownChannel


def libraries_with_image(tissue: AnnData) -> tuple[str, ...]:
    """Return the libraries whose image can be placed."""
    return tuple(x for x in libraries(tissue) if placed_image(tissue, x)[0] is not None)


def align_image(
    tissue: AnnData, library: str, adjustment: Adjustment, layers: Iterable[Layer]
) -> None:
    """Align a library's image by hand, in the tissue and on the canvas.

    Spots and coordinates stay as they are.

    Parameters
    ----------
    tissue
        The tissue; it keeps the alignment.
    library
        Name in ``uns["spatial"]``.
    adjustment
        How the image is turned and shifted.
    layers
        All layers of the viewer; those that show this image are changed.
    """
    before = adjustment_of(tissue, library)
    adjust(tissue, library, adjustment)
    turned = _turn(before) != _turn(adjustment)
    for layer in image_layers_of(tissue, library, layers):
        _put(layer, tissue, library, turned)


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredLayers:
    """An image and its channels as they are drawn where landmarks put them.

    Parameters
    ----------
    tissue, library
        A snapshot of the section, by which they were drawn, and whose image.
    landmarks, adjustment
        By which they lie there; None is how the file puts it.
    image
        Pixels and place; None for an image that cannot be placed.
    channels
        The same of each channel.
    """

    tissue: AnnData
    library: str
    landmarks: Landmarks | None
    adjustment: Adjustment | None
    image: tuple[Any, Placement] | None
    channels: dict[ImageChannel, tuple[Any, Placement]]


def draw_registered(
    looked_at: AnnData,
    library: str,
    landmarks: Landmarks | None,
    adjustment: Adjustment | None = None,
    channels: Iterable[ShownChannel] = (),
) -> RegisteredLayers:
    """Draw an image where landmarks put it, for a worker: of a slide it takes long.

    Parameters
    ----------
    looked_at
        A snapshot of the section, which is written to.
    library
        Name in ``uns["spatial"]``.
    landmarks, adjustment
        By which the image is to lie; None for none.
    channels
        Of the image, that are on show.

    Raises
    ------
    InputError
        If the landmarks cannot be used.
    """
    register_image(looked_at, library, landmarks)
    if adjustment is not None:
        adjust(looked_at, library, adjustment)
    placement, _ = placed_image(looked_at, library)
    image = None if placement is None else image_data(placement)[:2]
    drawn = (
        {} if placement is None else {c.channel: c.placed(placement) for c in channels}
    )
    return RegisteredLayers(looked_at, library, landmarks, adjustment, image, drawn)


def register_on_canvas(
    tissue: AnnData, made: RegisteredLayers, layers: Iterable[Layer]
) -> None:
    """Register a library's image by landmarks, in the tissue and on the canvas.

    Parameters
    ----------
    tissue
        The tissue; it keeps the landmarks.
    made
        The image as it is drawn then.
    layers
        All layers of the viewer; those that show this image are changed.

    Raises
    ------
    InputError
        If the landmarks cannot be used; nothing is changed.
    """
    register_image(tissue, made.library, made.landmarks)
    if made.adjustment is not None:
        adjust(tissue, made.library, made.adjustment)
    for layer in image_layers_of(tissue, made.library, layers):
        channel = layer.metadata.get(CHANNEL)
        drawn = made.image if channel is None else made.channels.get(channel.channel)
        _put(layer, tissue, made.library, True, drawn)


def redraw_images(tissue: AnnData, library: str, layers: Iterable[Layer]) -> None:
    """Draw a library's image anew where the tissue says by now.

    Parameters
    ----------
    tissue, library
        Whose image.
    layers
        All layers of the viewer; those that show this image are changed.
    """
    for layer in image_layers_of(tissue, library, layers):
        _put(layer, tissue, library, True)


def image_layers_of(
    tissue: AnnData, library: str, layers: Iterable[Layer]
) -> list[Layer]:
    """Return the layers that show a library's image.

    Parameters
    ----------
    tissue, library
        Whose image.
    layers
        All layers of the viewer.
    """
    layers = list(layers)
    pairs = {
        layer.metadata.get(PAIR) for layer in layers if tissue_of(layer) is tissue
    } - {None}
    placed = [layer for layer in layers if layer.metadata.get(PAIR) in pairs]
    return [
        layer
        for layer in placed
        if (kept := layer.metadata.get(adapter.PLACEMENT)) is not None
        and kept.library == library
    ]


def _put(
    layer: Layer,
    tissue: AnnData,
    library: str,
    turned: bool,
    drawn: tuple[Any, Placement] | None = None,
) -> None:
    """Bring one image layer to its place, beside other sections or alone.

    Parameters
    ----------
    turned
        Whether its pixels are others now.
    drawn
        These and their place, where they are known.
    """
    placement, _ = placed_image(tissue, library)
    before = layer.metadata[adapter.PLACEMENT]
    if placement is None:
        return
    # Among sections side by side an image is scaled and moved with its section.
    factor = np.asarray(layer.scale)[-2:] / before.scale
    shift = np.asarray(layer.translate)[-2:] - np.multiply(before.translate, factor)
    if turned:
        channel = layer.metadata.get(CHANNEL)
        if drawn is None:
            drawn = (
                image_data(placement)[:2]
                if channel is None
                else channel.placed(placement)
            )
        pixels, now = drawn
        layer.data = pixels
        layer.scale = np.multiply(now.scale, factor)
    else:
        now = _shifted(before, placement.by_hand)
    layer.translate = np.multiply(now.translate, factor) + shift
    layer.metadata[adapter.PLACEMENT] = now
    remember_place(layer)


def _shifted(before: Placement, by_hand: Adjustment) -> Placement:
    """Return a place of the same pixels, shifted by hand to elsewhere."""
    y, x = before.translate
    down = by_hand.shift_y - before.by_hand.shift_y
    right = by_hand.shift_x - before.by_hand.shift_x
    return replace(before, translate=(y + down, x + right), by_hand=by_hand)


def _turn(adjustment: Adjustment) -> tuple[bool, bool, bool]:
    return adjustment.swap_axes, adjustment.flip_x, adjustment.flip_y
