"""Spots drawn as discs or squares into an image of their numbers, without a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.ragged import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pixels that are worked out at a time: what is in between takes some 30 bytes each.
_AT_ONCE = 2_000_000


def stamp(
    image: NDArray[np.int32],
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    numbers: NDArray[np.int32],
    square: bool = False,
) -> None:
    """Write the number of each spot into the pixels whose centres it covers.

    The pixel of a spot's own centre is written in any case, so that small spots are
    seen. Where spots overlap the later one is on top.

    Parameters
    ----------
    image
        Written to, shape ``(height, width)``; pixel i covers ``[i, i + 1)``.
    centres
        (y, x) in pixels, also outside of the image, shape ``(n, 2)``.
    radii
        In pixels, of squares half a side, shape ``(n,)``.
    numbers
        What is written, shape ``(n,)``.
    square
        Squares instead of discs.
    """
    if not len(centres):
        return
    if radii.max() <= 0.5:
        y, x = np.floor(centres).astype(np.int64).T
        inside = (y >= 0) & (y < image.shape[0]) & (x >= 0) & (x < image.shape[1])
        image[y[inside], x[inside]] = numbers[inside]
        return
    area = np.minimum((2 * radii + 2) ** 2, image.size)
    block = (np.cumsum(area) // _AT_ONCE).astype(np.int64)
    edges = np.flatnonzero(np.diff(block)) + 1
    for part in np.split(np.arange(len(centres)), edges):
        _stamp(image, centres[part], radii[part], numbers[part], square)


def _stamp(
    image: NDArray[np.int32],
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    numbers: NDArray[np.int32],
    square: bool,
) -> None:
    height, width = image.shape
    cy, cx = centres.T
    own_y, own_x = np.floor(cy), np.floor(cx)
    first = np.maximum(np.minimum(np.ceil(cy - radii - 0.5), own_y), 0)
    last = np.minimum(np.maximum(np.floor(cy + radii - 0.5), own_y), height - 1)
    spot, offset = spread(np.maximum(last - first + 1, 0).astype(np.int64))
    y = first[spot] + offset
    reach = radii[spot]
    if not square:
        reach = np.sqrt(np.maximum(reach**2 - (y + 0.5 - cy[spot]) ** 2, 0))
    x, own = cx[spot], own_x[spot]
    left, right = np.ceil(x - reach - 0.5), np.floor(x + reach - 0.5)
    of_centre = y == own_y[spot]
    left = np.where(of_centre, np.minimum(left, own), left)
    right = np.where(of_centre, np.maximum(right, own), right)
    left, right = np.maximum(left, 0), np.minimum(right, width - 1)
    row, offset = spread(np.maximum(right - left + 1, 0).astype(np.int64))
    start = (y * width + left).astype(np.int64)
    image.reshape(-1)[start[row] + offset] = numbers[spot[row]]
