"""Images of fields of view put beside each other as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.formats import ngff

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tile:
    """An image in OME-NGFF and where it lies.

    Parameters
    ----------
    group
        The image's group.
    size
        Height and width of its finest level, in pixels.
    origin
        Where the outer corner of its first pixel lies, (x, y).
    step
        Units that a pixel of its finest level is wide.
    """

    group: Path
    size: tuple[int, int]
    origin: tuple[float, float]
    step: float

    def ends(self) -> tuple[float, float]:
        """Return where the outer corner of its last pixel lies, (x, y)."""
        height, width = self.size
        return self.origin[0] + width * self.step, self.origin[1] + height * self.step


def mosaic(
    tiles: Sequence[Tile], most: int
) -> tuple[NDArray[Any], float, tuple[float, float]] | None:
    """Return several images as one, dark where there is none.

    Pixels are taken as they are. Where tiles overlap, the later one is seen.

    Parameters
    ----------
    tiles
        At least one. Those that have not the channels of the last one are left out.
    most
        Pixels at most.

    Returns
    -------
    image, step, origin
        Shape ``(height, width)`` or with channels, the units that a pixel is wide, and
        where the outer corner of the first one lies. None where a tile is too large to
        be gone through.
    """
    first = np.min([tile.origin for tile in tiles], axis=0)
    width, height = np.max([tile.ends() for tile in tiles], axis=0) - first
    step = max(min(tile.step for tile in tiles), float(np.sqrt(width * height / most)))
    shape = tuple(max(1, int(np.floor(side / step))) for side in (height, width))
    canvas: NDArray[Any] | None = None
    # The last one first: it says which channels are wanted, and is put on top again.
    for tile in (tiles[-1], *tiles):
        read = _read(tile, step)
        if read is None:
            return None
        image, pixel = read
        if canvas is None:
            canvas = np.zeros((*shape, *image.shape[2:]), image.dtype)
        if image.shape[2:] == canvas.shape[2:]:
            _paste(canvas, image, (np.array(tile.origin) - first, pixel), step)
    return (
        None if canvas is None else (canvas, step, (float(first[0]), float(first[1])))
    )


def _read(tile: Tile, step: float) -> tuple[NDArray[Any], float] | None:
    """Return a tile about as fine as wanted, and how wide a pixel of it is."""
    wanted = 4 * tile.size[0] * tile.size[1] * (tile.step / step) ** 2
    found = ngff.level_of(tile.group, max(1, int(wanted)))
    return None if found is None else (found[0], tile.step / found[1])


def _paste(
    canvas: NDArray[Any],
    image: NDArray[Any],
    place: tuple[NDArray[np.float64], float],
    step: float,
) -> None:
    """Put an image onto the canvas, each pixel that which lies under its centre.

    Parameters
    ----------
    canvas, image
        Where to, and what; of the same channels.
    place
        Where the image's corner lies on the canvas, (x, y), and how wide a pixel of it
        is, in units.
    step
        Units that a pixel of the canvas is wide.
    """
    (left, top), pixel = place
    picked = []
    for axis, begin in ((0, top), (1, left)):
        centres = (np.arange(canvas.shape[axis]) + 0.5) * step
        own = np.floor((centres - begin) / pixel).astype(np.int64)
        inside = np.flatnonzero((own >= 0) & (own < image.shape[axis]))
        picked.append((inside, own[inside]))
    (rows, own_rows), (columns, own_columns) = picked
    canvas[np.ix_(rows, columns)] = image[np.ix_(own_rows, own_columns)]
