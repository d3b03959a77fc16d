"""Polygons filled into an image of their numbers, all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.ragged import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


def fill_polygons(
    image: NDArray[np.int32],
    corners: Floats,
    n_corners: Ints,
    numbers: NDArray[np.int32],
) -> None:
    """Write the number of each polygon into the pixels whose centres lie inside of it.

    Inside is told by the even-odd rule. Where polygons overlap the later one is on top.

    Parameters
    ----------
    image
        Written to, shape ``(height, width)``; pixel i covers ``[i, i + 1)``.
    corners
        (y, x) in pixels, also outside of the image, those of one polygon after those
        of the other, shape ``(n_corners.sum(), 2)``.
    n_corners
        Of each polygon, shape ``(n,)``.
    numbers
        What is written, shape ``(n,)``.
    """
    height, width = image.shape
    polygon, row, column = _crossings(image.shape, corners, n_corners)
    # One number for each crossing, so that a plain sort puts those of a row in order.
    line = polygon * height + row
    places = np.sort(line * (width + 1) + column)
    # Each polygon crosses a row an even number of times: in, out, in, out.
    line, start = np.divmod(places[::2], width + 1)
    span, step = spread(places[1::2] - places[::2])
    polygon, row = np.divmod(line, height)
    first = row * width + start
    image.reshape(-1)[first[span] + step] = numbers[polygon[span]]


def _crossings(
    shape: tuple[int, ...], corners: Floats, n_corners: Ints
) -> tuple[Ints, Ints, Ints]:
    """Return where edges cross the middle of rows: polygon, row, column beyond."""
    height, width = shape
    last = np.cumsum(n_corners) - 1
    following = np.arange(1, len(corners) + 1)
    some = n_corners > 0
    following[last[some]] = (last - n_corners + 1)[some]
    # From above to below whichever way an edge is walked: an edge and its way back
    # cross a row at the same place, to the last bit.
    ends = corners[following]
    down = corners[:, 0] <= ends[:, 0]
    y0, y1 = (
        np.minimum(corners[:, 0], ends[:, 0]),
        np.maximum(corners[:, 0], ends[:, 0]),
    )
    first = np.clip(np.ceil(y0 - 0.5), 0, height).astype(np.int64)
    after = np.clip(np.ceil(y1 - 0.5), 0, height).astype(np.int64)
    edge, step = spread(after - first)
    row = first[edge] + step
    top, bottom = (
        np.where(down[edge], one[edge, 1], other[edge, 1])
        for one, other in ((corners, ends), (ends, corners))
    )
    share = (row + 0.5 - y0[edge]) / (y1[edge] - y0[edge])
    x = top + share * (bottom - top)
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    polygon = np.repeat(np.arange(len(n_corners)), n_corners)[edge]
    return polygon, row, column


def borders(image: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Return which pixels of a number are near another number, 0 being of none.

    Parameters
    ----------
    image
        Numbers, with so many pixels more on each side than the result,
        ``(height + 2 * width, width of the result + 2 * width)``.
    width
        How many pixels near is.
    """
    height, length = (side - 2 * width for side in image.shape)
    middle = image[width : width + height, width : width + length]
    found = np.zeros((height, length), bool)
    for away in range(1, width + 1):
        for step in (-away, away):
            up, left = width + step, width + step
            found |= middle != image[up : up + height, width : width + length]
            found |= middle != image[width : width + height, left : left + length]
    found &= middle != 0
    return found
