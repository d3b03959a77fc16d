"""Channels of fluorescence images (OME-TIFF): their names, colours and pixels.

An OME-TIFF says in its first page's description which page of which file is which
channel: the pages of one file, or one file for each channel beside each other, as
Xenium's. Pages are found by what it says; files only beside it. MERSCOPE's mosaics
say it by their names alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats.tiff import levels_of_pages, open_tiff

if TYPE_CHECKING:
    from collections.abc import Iterable
    from xml.etree.ElementTree import Element

_LARGEST_TEXT = 64_000_000
MOST_CHANNELS = 200
"""Of an image, that are listed."""

_MOSAIC = re.compile(r"mosaic_(\w+)_(z\d+)\.tif")
_AXES = {"C": "SizeC", "Z": "SizeZ", "T": "SizeT"}
# For channels to which the file gives no colours of their own; nuclei come first.
_COLOURS = ("#4d6bff", "#2ee66b", "#ff3fb0", "#ffd23f", "#38e0ff", "#ff8a3d", "#d0d0d0")


@dataclass(frozen=True, slots=True)
class ImageChannel:
    """A channel of an image.

    Parameters
    ----------
    name
        As the file has it.
    colour
        As ``"#rrggbb"``.
    path, page
        The file, and the number of the page that shows it.
    """

    name: str
    colour: str
    path: Path
    page: int


def channels_of_file(path: Path) -> tuple[ImageChannel, ...]:
    """Return the channels of an image; none where it has but one, or tells none.

    Of several planes (z) the middle one stands for a channel, of times the first.

    Parameters
    ----------
    path
        An OME-TIFF, or a mosaic of MERSCOPE; no pixels are read.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with translate_errors(path, "the image"):
        handle = open_tiff(path)
        text = str(handle.first.description or "")
        if "<OME" in text and len(text) <= _LARGEST_TEXT:
            found = _described(text, path)
        else:
            found = _mosaics(path)
    size = handle.first.shape
    there = []
    for channel in found:
        with translate_errors(channel.path, "the image"):
            page = open_tiff(channel.path).plane(channel.page)[0]
        if page is not None and page.shape == size and len(size) == 2:
            there.append(channel)
    return tuple(there) if len(there) > 1 else ()


def channel_levels(
    channel: ImageChannel,
) -> tuple[tuple[Any, ...], tuple[float, float], float]:
    """Return a channel's pixels in several resolutions, and what is black and bright.

    Parameters
    ----------
    channel
        As `channels_of_file` returned it.

    Returns
    -------
    tuple
        The finest first: dask arrays, of which only what is looked at is read, or one
        reduced copy in memory of a large channel without smaller copies in its file;
        the limits of its contrast, from the coarsest; and the pixels along the finest
        for each that the file has.

    Raises
    ------
    InputError
        If the file is damaged, or was replaced; or a channel without smaller copies is
        too large to be gone through.
    """
    with translate_errors(channel.path, "the image"):
        handle = open_tiff(channel.path)
        page, copies = handle.plane(channel.page)
        if page is None:
            raise InputError(
                f"Expected page {channel.page + 1} in {channel.path}; it has fewer. "
                "The file was replaced: open the section again."
            )
        same = [one for one in copies if one.dtype == page.dtype and one.ndim == 2]
        return levels_of_pages(channel.path, handle, [page, *same])


def _mosaics(path: Path) -> list[ImageChannel]:
    """Return the stains of which MERSCOPE's mosaics of one plane (z) are there."""
    named = _MOSAIC.fullmatch(path.name)
    if named is None:
        return []
    found = sorted(path.parent.glob(f"mosaic_*_{named[2]}.tif"))
    stains = {
        match[1]: one
        for one in found
        if (match := _MOSAIC.fullmatch(one.name)) and match[2] == named[2]
    }
    # Nuclei first, as their colour is.
    order = sorted(stains, key=lambda stain: (stain != "DAPI", stain))
    return [
        ImageChannel(stain, _COLOURS[number % len(_COLOURS)], stains[stain], 0)
        for number, stain in enumerate(order[:MOST_CHANNELS])
    ]


def _described(text: str, path: Path) -> list[ImageChannel]:
    """Return the channels that a description tells and whose files are there."""
    from xml.etree import ElementTree

    # No description of an image needs entities, which can fill any memory.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return []
    try:
        pixels = _first(ElementTree.fromstring(text), "Pixels")
    except ElementTree.ParseError:
        return []
    if pixels is None:
        return []
    channels = [one for one in pixels if _tag(one) == "Channel"]
    if not 1 < len(channels) <= MOST_CHANNELS:
        return []
    if any(one.get("SamplesPerPixel", "1") != "1" for one in channels):
        return []
    planes = _planes(pixels, len(channels), path)
    told = coloured(_colour(one.get("Color")) for one in channels)
    return [
        ImageChannel(
            str(one.get("Name") or f"Channel {number + 1}"),
            told[number],
            *planes[number],
        )
        for number, one in enumerate(channels)
        if number in planes
    ]


def coloured(told: Iterable[str]) -> list[str]:
    """Return a colour for each channel: its own, else one of a few in their order.

    Parameters
    ----------
    told
        As ``"#rrggbb"``, empty where the file tells none. The same for all is as good
        as none.
    """
    known = list(told)
    own = len(set(known)) > 1
    return [
        (one if own else "") or _COLOURS[number % len(_COLOURS)]
        for number, one in enumerate(known)
    ]


def _planes(
    pixels: Element, n_channels: int, path: Path
) -> dict[int, tuple[Path, int]]:
    """Return file and page of the plane that stands for each channel."""
    told = pixels.get("DimensionOrder", "XYCZT")[2:]
    order = list(told) if sorted(told) == sorted(_AXES) else ["C", "Z", "T"]
    sizes = {axis: _whole(pixels.get(name), 1) for axis, name in _AXES.items()}
    sizes["C"] = n_channels
    # What is sought, not what is told: a description may tell of any number of planes.
    wanted = {
        channel: _number({"C": channel, "Z": sizes["Z"] // 2, "T": 0}, order, sizes)
        for channel in range(n_channels)
    }
    blocks = [one for one in pixels if _tag(one) == "TiffData"]
    named = [_file_name(block) for block in blocks]
    files = {
        name: _beside(path, name, len(set(named)) == 1) for name in dict.fromkeys(named)
    }
    found = {}
    for block, name in zip(blocks, named, strict=True):
        start = {axis: _whole(block.get(f"First{axis}"), 0) for axis in _AXES}
        begin, place = _whole(block.get("IFD"), 0), _number(start, order, sizes)
        some = 1 if block.get("IFD") is not None else prod(sizes.values())
        count, file = _whole(block.get("PlaneCount"), some), files[name]
        for channel, number in wanted.items():
            if file is not None and 0 <= number - place < count:
                found[channel] = file, begin + number - place
    return found


def _file_name(block: Element) -> str | None:
    """Return the name of the file that holds a block's planes, None without one."""
    return next((one.get("FileName") for one in block if _tag(one) == "UUID"), None)


def _number(at: dict[str, int], order: list[str], sizes: dict[str, int]) -> int:
    number, stride = 0, 1
    for axis in order:
        number += at[axis] * stride
        stride *= sizes[axis]
    return number


def _beside(path: Path, name: str | None, alone: bool) -> Path | None:
    """Return the file that a description names, if it stands beside it."""
    if name is None:
        return path
    # The name alone: a description does not lead out of its folder.
    named = path.parent / Path(name.replace("\\", "/")).name
    if named.is_file():
        return named
    # A file that alone is named may have been given another name.
    return path if alone else None


def _first(root: Element, tag: str) -> Element | None:
    return next((one for one in root.iter() if _tag(one) == tag), None)


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _whole(text: str | None, usual: int) -> int:
    """Return a number of 0 or more, the usual one where it is none."""
    try:
        return max(0, int(text)) if text is not None else usual
    except ValueError:
        return usual


def _colour(text: str | None) -> str:
    """Return a colour of OME, red to alpha in a signed number, as ``"#rrggbb"``."""
    try:
        number = int(text) & 0xFFFFFFFF if text is not None else 0
    except ValueError:
        return ""
    # Black is what files write that know of no colour.
    return f"#{number >> 8:06x}" if number >> 8 else ""
