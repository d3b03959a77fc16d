"""One resolution of a slide, of which only parts are read."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Bytes of decoded blocks that are kept, so that neighbouring windows find them.
_KEPT = 192 * 2**20
_BLOCK = 1024


class BlockCache:
    """Blocks that were decoded last, of all levels of a slide together."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[tuple[int, int, int], NDArray[np.uint8]] = (
            OrderedDict()
        )
        self._bytes = 0

    def get(self, key: tuple[int, int, int]) -> NDArray[np.uint8] | None:
        """Return a block if it is still there."""
        if key not in self._blocks:
            return None
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def put(self, key: tuple[int, int, int], block: NDArray[np.uint8]) -> None:
        """Keep a block, and forget those that were not asked for for longest."""
        self._blocks[key] = block
        self._bytes += block.nbytes
        while self._bytes > _KEPT and len(self._blocks) > 1:
            self._bytes -= self._blocks.popitem(last=False)[1].nbytes


@dataclass(frozen=True, eq=False)
class SlideLevel:
    """Pixels of one resolution.

    Parameters
    ----------
    array
        A numpy or dask array, ``(height, width)`` or with 3 or 4 channels.
    factor
        Pixels of the finest level along one pixel of this one, (y, x).
    contrast
        What becomes 0 and 255.
    kept
        Where decoded blocks are kept for a while.
    """

    array: Any
    factor: tuple[float, float]
    contrast: tuple[float, float]
    kept: BlockCache = field(default_factory=BlockCache, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.array.shape[0]), int(self.array.shape[1])

    @property
    def in_memory(self) -> bool:
        """Whether all of its pixels are in memory, or mapped there."""
        return isinstance(self.array, np.ndarray)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Height and width of what is read at once."""
        if self.in_memory:
            return _BLOCK, _BLOCK
        down, across = self.array.chunks[:2]
        return int(max(down)), int(max(across))

    def window(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Return a part of the level as RGB, ``(bottom - top, right - left, 3)``."""
        if self.in_memory:
            return to_rgb(self.array[top:bottom, left:right], self.contrast)
        window = np.empty((bottom - top, right - left, 3), np.uint8)
        for down, first_row, last_row in _touched(self.array.chunks[0], top, bottom):
            for across, first, last in _touched(self.array.chunks[1], left, right):
                block = self._block(down, across)
                rows = slice(max(top, first_row), min(bottom, last_row))
                columns = slice(max(left, first), min(right, last))
                window[
                    rows.start - top : rows.stop - top,
                    columns.start - left : columns.stop - left,
                ] = block[
                    rows.start - first_row : rows.stop - first_row,
                    columns.start - first : columns.stop - first,
                ]
        return window

    def _block(self, down: int, across: int) -> NDArray[np.uint8]:
        """Return a block of the array as RGB, and keep it for a while."""
        key = id(self.array), down, across
        held = self.kept.get(key)
        if held is None:
            part = self.array.blocks[down, across].compute(scheduler="synchronous")
            held = np.ascontiguousarray(to_rgb(part, self.contrast))
            self.kept.put(key, held)
        return held


def _touched(
    sizes: tuple[int, ...], first: int, last: int
) -> Iterator[tuple[int, int, int]]:
    """Yield which blocks along an axis a range touches, with their first and last."""
    edges = np.concatenate([[0], np.cumsum(sizes)])
    start = int(np.searchsorted(edges, first, side="right")) - 1
    for index in range(start, len(sizes)):
        if edges[index] >= last:
            return
        yield index, int(edges[index]), int(edges[index + 1])


def to_rgb(pixels: NDArray[Any], contrast: tuple[float, float]) -> NDArray[np.uint8]:
    """Return pixels as red, green and blue of 8 bits, shape ``(height, width, 3)``.

    Parameters
    ----------
    pixels
        Greys ``(height, width)``, or 3 or 4 channels, of which the fourth is dropped.
    contrast
        What becomes 0 and 255, for pixels that are not uint8.
    """
    if pixels.dtype != np.uint8:
        low, high = contrast
        stretched = (pixels.astype(np.float32) - low) * (255 / max(high - low, 1e-9))
        pixels = np.clip(np.nan_to_num(stretched), 0, 255).astype(np.uint8)
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    return np.asarray(pixels[:, :, :3])


def downsampled(level: SlideLevel, most: int) -> tuple[NDArray[np.uint8], int]:
    """Return a level averaged to at most so many pixels, and pixels along each.

    Parameters
    ----------
    level
        Read block by block.
    most
        Pixels at most. Rows and columns at the end that fill no pixel are left out.
    """
    height, width = level.shape
    step = max(1, math.ceil(math.sqrt(height * width / most)))
    step = min(step, height, width)
    if step == 1:
        return level.window(0, height, 0, width), 1
    small = np.empty((height // step, width // step, 3), np.uint8)
    rows, columns = (max(1, side // step) for side in level.block_shape)
    for top in range(0, small.shape[0], rows):
        bottom = min(top + rows, small.shape[0])
        for left in range(0, small.shape[1], columns):
            right = min(left + columns, small.shape[1])
            part = level.window(top * step, bottom * step, left * step, right * step)
            cells = part.reshape(bottom - top, step, right - left, step, 3)
            small[top:bottom, left:right] = cells.mean(axis=(1, 3), dtype=np.float32)
    return small, step
