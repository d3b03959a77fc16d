"""Polygons filled into an image of their numbers, all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.ragged import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

# Pixels of the polygons' boxes that are worked out at a time, at some 20 bytes each.
_AT_ONCE = 4_000_000


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
    polygon, row, column = _crossings(image.shape, corners, n_corners)
    if not len(polygon):
        return
    first = np.flatnonzero(np.diff(polygon, prepend=-1))
    there = polygon[first]
    least, most = (
        np.stack([edge.reduceat(row, first), edge.reduceat(column, first)], axis=1)
        for edge in (np.minimum, np.maximum)
    )
    sides = most - least + 1
    # Each polygon has a box of its own, in one row of boxes.
    areas = sides.prod(axis=1)
    box = np.repeat(np.arange(len(there)), np.diff(np.append(first, len(polygon))))
    place = (row - least[box, 0]) * sides[box, 1] + column - least[box, 1]
    edges = np.flatnonzero(np.diff(np.cumsum(areas) // _AT_ONCE)) + 1
    for part in np.split(np.arange(len(there)), edges):
        start = first[part[0]]
        end = first[part[-1] + 1] if part[-1] + 1 < len(first) else len(polygon)
        of_part = slice(start, end)
        begin = np.cumsum(areas[part]) - areas[part]
        _fill(
            image,
            place[of_part] + begin[box[of_part] - part[0]],
            begin,
            least[part],
            sides[part],
            numbers[there[part]],
        )


def _crossings(
    shape: tuple[int, ...], corners: Floats, n_corners: Ints
) -> tuple[Ints, Ints, Ints]:
    """Return where edges cross the middle of rows: polygon, row, first column beyond.

    In the order of the polygons; each polygon crosses a row an even number of times.
    """
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


def _fill(
    image: NDArray[np.int32],
    turns: Ints,
    begin: Ints,
    corner: Ints,
    sides: Ints,
    numbers: NDArray[np.int32],
) -> None:
    """Fill polygons from where inside and outside change.

    Parameters
    ----------
    image
        Written to.
    turns
        Pixels of the boxes, one box after the other, at which they change.
    begin, corner, sides
        Of each box its first pixel, its first row and column, and its sides.
    numbers
        What is written for each.
    """
    total = int(begin[-1] + sides[-1].prod())
    # Rows of a box have changed an even number of times when they end.
    inside = np.flatnonzero(np.cumsum(np.bincount(turns, minlength=total)) & 1)
    box = np.searchsorted(begin, inside, side="right") - 1
    row, column = np.divmod(inside - begin[box], sides[box, 1])
    row += corner[box, 0]
    column += corner[box, 1]
    image.reshape(-1)[row * image.shape[1] + column] = numbers[box]


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
