"""Channels of fluorescence images in a zarr store (OME-NGFF)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.checks import translate_errors
from napari_semst.io.formats import ngff
from napari_semst.io.formats.tiff import ENOUGH, pixel_contrast
from napari_semst.io.formats.tiff_channels import MOST_CHANNELS, ImageChannel, coloured

if TYPE_CHECKING:
    from pathlib import Path

_WHAT = "the image"


def channels_of_group(group: Path) -> tuple[ImageChannel, ...]:
    """Return the channels of an image in a store; none where it has one, or colours.

    Parameters
    ----------
    group
        The image's group; no pixels are read.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with translate_errors(group, _WHAT):
        import zarr

        about = ngff.multiscales(group)
        axes = [str(axis["name"]) for axis in about.get("axes", [])]
        if "c" not in axes or not about.get("datasets"):
            return ()
        first: Any = zarr.open_array(
            group / str(about["datasets"][0]["path"]), mode="r"
        )
        n_channels = int(first.shape[axes.index("c")])
        if n_channels in (3, 4) and ngff.may_be_colours(group):
            return ()
        told = _told(group, n_channels)
    if not 1 < n_channels <= MOST_CHANNELS:
        return ()
    names = [str(one.get("label") or "").strip() for one in told]
    names = [name or f"Channel {i + 1}" for i, name in enumerate(names)]
    colours = coloured(_colour(one.get("color")) for one in told)
    return tuple(
        ImageChannel(name, colour, group, page)
        for page, (name, colour) in enumerate(zip(names, colours, strict=True))
    )


def group_channel_levels(
    channel: ImageChannel,
) -> tuple[tuple[Any, ...], tuple[float, float], float]:
    """Return a channel's pixels in several resolutions, and what is black and bright.

    Parameters
    ----------
    channel
        As `channels_of_group` returned it.

    Returns
    -------
    tuple
        As `napari_semst.io.formats.tiff_channels.channel_levels`.

    Raises
    ------
    InputError
        If the store is damaged, or was replaced.
    """
    import dask.array
    import zarr

    group = channel.path
    with translate_errors(group, _WHAT):
        about = ngff.multiscales(group)
        axes = [str(axis["name"]) for axis in about["axes"]]
        levels = []
        for one in about["datasets"]:
            array: Any = zarr.open_array(group / str(one["path"]), mode="r")
            # Of depths and times the first, as the section's own image shows.
            at = tuple(
                slice(None) if axis in "xy" else channel.page if axis == "c" else 0
                for axis in axes
            )
            plane = dask.array.from_array(array, chunks=array.chunks)[at]  # type: ignore[no-untyped-call]
            levels.append(plane.T if axes.index("x") < axes.index("y") else plane)
        levels.sort(key=lambda one: -one.shape[0] * one.shape[1])
        share = 1.0
        coarsest = levels[-1]
        n_pixels = coarsest.shape[0] * coarsest.shape[1]
        step = max(1, math.ceil(math.sqrt(n_pixels / ENOUGH)))
        middle = step // 2
        height, width = (n // step * step or n for n in coarsest.shape)
        small = np.asarray(coarsest[middle:height:step, middle:width:step])
        if len(levels) == 1 and step > 1:
            # A layer draws one that is alone as a whole.
            levels, share = [small], small.shape[1] / coarsest.shape[1]
        return tuple(levels), pixel_contrast(small), share


def _told(group: Path, n_channels: int) -> list[dict[str, Any]]:
    """Return what the store says of each channel, nothing for those it leaves out."""
    held = ngff.attributes(group)
    told = held.get("ome", held).get("omero", {}).get("channels", [])
    known = [one if isinstance(one, dict) else {} for one in told][:n_channels]
    return known + [{}] * (n_channels - len(known))


def _colour(value: Any) -> str:
    """Return a colour of a store, six digits, as ``"#rrggbb"``; empty for none."""
    text = str(value or "").lstrip("#").lower()
    try:
        number = int(text, 16) if len(text) == 6 else 0
    except ValueError:
        return ""
    return f"#{number:06x}" if number else ""
