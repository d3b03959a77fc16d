"""Channels of a section's image, one layer each, added to one another as light is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.alignment import image_placement
from napari_semst.io.formats.ngff_channels import (
    channels_of_group,
    group_channel_levels,
)
from napari_semst.io.formats.tiff_channels import channel_levels, channels_of_file
from napari_semst.io.image_sources import file_of_image
from napari_semst.viewer import adapter
from napari_semst.viewer.canvas.drawn import DRAWN, drawn, drawn_as
from napari_semst.viewer.canvas.units import layer_units
from napari_semst.viewer.histology_image import placed_levels
from napari_semst.viewer.spots import PAIR

if TYPE_CHECKING:
    from anndata import AnnData
    from napari.layers import Layer
    from napari.types import LayerData

    from napari_semst.io.alignment import Placement
    from napari_semst.io.formats.tiff_channels import ImageChannel

CHANNEL = "semst_channel"
"""Key of a layer's metadata for the `ShownChannel` that it shows."""


@dataclass(frozen=True, slots=True, eq=False)
class ShownChannel:
    """A channel, opened.

    Parameters
    ----------
    channel
        Which one.
    levels
        As `napari_semst.io.formats.tiff_channels.channel_levels` returns them.
    contrast
        What is shown black and bright.
    share
        Pixels along the section's image for each along the finest level.
    """

    channel: ImageChannel
    levels: tuple[Any, ...]
    contrast: tuple[float, float]
    share: float

    def placed(self, placement: Placement) -> tuple[Any, Placement]:
        """Return what a layer draws, where the section's image is placed.

        Parameters
        ----------
        placement
            Of the section's image.
        """
        # Beside a registered image no light is added.
        levels, kept = placed_levels(placement, self.levels, self.share, 0)
        return (levels if len(levels) > 1 else levels[0]), kept


def channels_of_image(tissue: AnnData, library: str) -> tuple[ImageChannel, ...]:
    """Return the channels in the file of a section's image; none for others.

    Parameters
    ----------
    tissue, library
        Whose image; its file is known as long as the program runs.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    placement = image_placement(tissue, library)
    if placement is None or placement.unturned is None:
        return ()
    path, _ = file_of_image(placement.unturned)
    if path is None:
        return ()
    return channels_of_group(path) if path.is_dir() else channels_of_file(path)


def open_channel(
    tissue: AnnData, library: str, channel: ImageChannel
) -> ShownChannel | None:
    """Return a channel with its contrast; for a worker. None without its image.

    Parameters
    ----------
    tissue, library
        Whose image.
    channel
        One of `channels_of_image`.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    placement = image_placement(tissue, library)
    if placement is None or placement.unturned is None:
        return None
    in_store = channel.path.is_dir()
    opened = group_channel_levels(channel) if in_store else channel_levels(channel)
    levels, contrast, reduced = opened
    _, share = file_of_image(placement.unturned)
    return ShownChannel(channel, levels, contrast, share / reduced)


def channel_layer(tissue: AnnData, image: Layer, shown: ShownChannel) -> LayerData:
    """Return a channel as the data of a layer, in the place of the section's image.

    Parameters
    ----------
    tissue
        The section.
    image
        The layer of its image, beside which the channel moves from now on.
    shown
        The channel.
    """
    from napari.utils.colormaps import Colormap

    before = image.metadata[adapter.PLACEMENT]
    placement = image_placement(tissue, before.library)
    assert placement is not None
    pixels, kept = shown.placed(placement)
    # Among sections side by side it is scaled and moved with its section.
    place = drawn_as(image)
    scale = np.asarray(image.scale)[-2:] if place is None else place.scale
    translate = np.asarray(image.translate)[-2:] if place is None else place.translate
    factor = scale / before.scale
    shift = translate - np.multiply(before.translate, factor)
    red, green, blue = (
        int(shown.channel.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)
    )
    options: dict[str, Any] = {
        "name": shown.channel.name,
        "rgb": False,
        "multiscale": isinstance(pixels, list),
        "scale": np.multiply(kept.scale, factor),
        "translate": np.multiply(kept.translate, factor) + shift,
        "blending": "additive",
        "contrast_limits": shown.contrast,
        "colormap": Colormap(
            [[0, 0, 0, 1], [red, green, blue, 1]], name=f"to {shown.channel.colour}"
        ),
        "metadata": {
            PAIR: image.metadata.get(PAIR),
            adapter.PLACEMENT: kept,
            adapter.HIDDEN_NAMES: False,
            CHANNEL: shown,
        },
        **layer_units(image),
    }
    options["metadata"][DRAWN] = drawn(options)
    return pixels, options, "image"
