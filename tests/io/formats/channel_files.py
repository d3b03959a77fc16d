"""OME-TIFF files of several channels, as instruments write them."""

from __future__ import annotations

import numpy as np
import tifffile

NAMES = ("DAPI", "ATP1A1/CD45", "18S", "alphaSMA", "Vimentin")
_XML = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint16" SizeX="{width}"
 SizeY="{height}" SizeC="{channels}" SizeZ="{planes}" SizeT="1">{inner}
</Pixels></Image></OME>"""


def pixels(n_channels=5, shape=(200, 240), seed=0):
    """Return channels of uint16 that differ in brightness."""
    rng = np.random.default_rng(seed)
    bright = 1000 * (1 + np.arange(n_channels))[:, None, None]
    return (rng.integers(0, 500, (n_channels, *shape)) + bright).astype(np.uint16)


def described(
    n_channels, shape, files=None, colours=None, planes=1, order="XYCZT", extra=""
):
    """Return a description, of one file or a file for each channel."""
    inner = "".join(
        f'<Channel ID="Channel:0:{c}" Name="{NAMES[c]}" SamplesPerPixel="1"'
        + (f' Color="{colours[c]}"' if colours else "")
        + "/>"
        for c in range(n_channels)
    )
    if files is None:
        inner += "<TiffData/>"
    else:
        inner += "".join(
            f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="{name}">'
            "urn:uuid:0</UUID></TiffData>"
            for c, name in enumerate(files)
        )
    height, width = shape
    return _XML.format(
        channels=n_channels,
        width=width,
        height=height,
        planes=planes,
        order=order,
        inner=inner + extra,
    )


def write_pages(path, pages, description, subifds=1, **options):
    """Write a page for each plane, each with smaller copies below it."""
    usual = {"tile": (64, 64), "photometric": "minisblack", "metadata": None, **options}
    with tifffile.TiffWriter(path, ome=False) as file:
        for number, page in enumerate(pages):
            text = description if number == 0 else None
            file.write(page, subifds=subifds, description=text, **usual)
            for level in range(subifds):
                step = 2 ** (level + 1)
                file.write(page[::step, ::step], subfiletype=1, **usual)
    return path
