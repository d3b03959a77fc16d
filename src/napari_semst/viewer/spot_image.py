"""Many spots as an image: their numbers, drawn by tile, coloured through a table.

A layer of points slows down with the number of spots; an image costs what its pixels on
the screen cost. So the image holds numbers of spots, and a table holds their colours:
another colouring is another table. Levels of twice the resolution each go from the
whole section to single spots that are many pixels wide. Only the coarsest is an array;
of the others those tiles are drawn that are looked at.
"""

from __future__ import annotations

import operator
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.viewer.grid_index import GridIndex
from napari_semst.viewer.rasterise import stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COARSEST = 512
"""Pixels of the longer side of the coarsest level."""

LEVELS = 9
"""Levels, each of twice the resolution: the finest is 131,072 pixels long, and of a
million spots in a square each is more than a hundred pixels wide."""

WARM = 4
"""Levels that are drawn beforehand where that is asked for: up to 4,096 pixels."""

TILE = 256
"""Pixels of a side of a tile."""

MOST_TILES = 640
"""Tiles that are kept, 256 KiB each: 160 MiB, which is more than any window shows."""

_MOST_PIXELS = 2**28


class SpotRaster:
    """Spots as the levels of an image.

    Parameters
    ----------
    positions
        Of the spots, (y, x), shape ``(n_spots, 2)``, at least one.
    diameters
        One number, or one per spot; of squares the side.
    square
        Squares instead of discs.
    """

    def __init__(
        self, positions: Floats, diameters: float | Floats, square: bool = False
    ) -> None:
        self.index = GridIndex(positions)
        n = len(positions)
        self.diameters = np.broadcast_to(np.asarray(diameters, dtype=np.float64), (n,))
        self.square = square
        self.shown = np.ones(n, dtype=bool)
        self.reach = float(self.diameters.max()) / 2
        self.origin = self.index.least - self.reach
        extent = self.index.most - self.index.least + 2 * self.reach
        self._coarse_pitch = float(extent.max()) / COARSEST
        # Two at least: a viewer takes an image of one pixel for none.
        shape = np.maximum(np.ceil(extent / self._coarse_pitch - 1e-9), 2)
        self._coarse_shape = shape.astype(int)
        self._tiles: OrderedDict[tuple[int, int, int], NDArray[np.int32]]
        self._tiles = OrderedDict()
        self._lock = threading.Lock()
        self._rgba = np.zeros((n, 4), np.uint8)
        # Row 0 is of the pixels without a spot.
        self._table = np.zeros((n + 1, 4), np.uint8)
        self._coarse_numbers = self.numbers(LEVELS - 1)
        self._coarse = np.zeros((*self._coarse_numbers.shape, 4), np.uint8)

    def __len__(self) -> int:
        return len(self.shown)

    def __deepcopy__(self, memo: dict[int, Any]) -> SpotRaster:
        """Return the same: a layer that is duplicated shows the same spots."""
        return self

    @property
    def levels(self) -> list[Any]:
        """Of the image, the finest first: what a viewer is to show."""
        drawn = [RasterLevel(self, level) for level in range(LEVELS - 1)]
        # A viewer may keep what it once read of the coarsest: it is written in place.
        return [*drawn, self._coarse]

    def is_drawn_by(self, levels: Any) -> bool:
        """Return whether levels are those of this image, not in part a copy."""
        return levels[-1] is self._coarse

    @property
    def positions(self) -> Floats:
        """Of the spots, (y, x), shape ``(n_spots, 2)``."""
        return self.index.places

    @property
    def scale(self) -> Floats:
        """World units per pixel of the finest level, (y, x)."""
        return np.full(2, self.pitch(0))

    @property
    def translate(self) -> Floats:
        """World position of the centre of the finest level's first pixel, (y, x)."""
        return np.asarray(self.origin + self.pitch(0) / 2)

    @property
    def colours(self) -> NDArray[np.float32]:
        """Of the spots as last painted, 0 to 1, shape ``(n_spots, 4)``."""
        return np.divide(self._rgba, 255, dtype=np.float32)

    def pitch(self, level: int) -> float:
        """Return the world units per pixel of a level."""
        return float(self._coarse_pitch / 2 ** (LEVELS - 1 - level))

    def shape(self, level: int) -> tuple[int, int]:
        """Return the height and width of a level."""
        finer = LEVELS - 1 - level
        height, width = (int(side) << finer for side in self._coarse_shape)
        return height, width

    def paint(self, rgba: NDArray[np.floating]) -> None:
        """Give the spots colours in 0 to 1, shape ``(n_spots, 4)``."""
        scaled = np.multiply(rgba, 255, dtype=np.float32)
        scaled += 0.5
        np.clip(scaled, 0, 255, out=scaled)
        self._rgba[:] = scaled
        self._fill()

    def show(self, mask: NDArray[np.bool_]) -> None:
        """Show some of the spots, as a mask of shape ``(n_spots,)``, and no others."""
        self.shown = np.array(mask, dtype=bool)
        self._fill()

    def take_look(self, other: SpotRaster) -> None:
        """Colour and show the spots as they are in another image."""
        self._rgba[:], self.shown = other._rgba, other.shown
        self._fill()

    def _fill(self) -> None:
        self._table[1:] = self._rgba
        if not self.shown.all():
            self._table[1:][~self.shown] = 0
        self._coarse[:] = self.coloured(self._coarse_numbers)

    def coloured(self, numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Return the colours of pixels, shape ``(height, width, 4)``."""
        words = self._table.view(np.uint32)[:, 0]
        found = words.take(numbers, mode="clip")
        return found.view(np.uint8).reshape(*numbers.shape, 4)

    def numbers(
        self, level: int, rows: slice = slice(None), columns: slice = slice(None)
    ) -> NDArray[np.int32]:
        """Return the numbers in a window of a level: 0 for no spot, else index + 1.

        Parameters
        ----------
        level
            0 is the finest.
        rows, columns
            The window, in pixels of the level, without a step.
        """
        height, width = self.shape(level)
        top, bottom, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        bottom, right = max(bottom, top), max(right, left)
        if (bottom - top) * (right - left) > _MOST_PIXELS:
            raise InputError(
                f"Expected a window of at most {_MOST_PIXELS:,} pixels of the spots' "
                f"image; asked for {bottom - top:,} x {right - left:,}. Take a part, "
                "or a coarser level."
            )
        window = np.empty((bottom - top, right - left), np.int32)
        if not window.size:
            return window
        for y in range(top // TILE, (bottom - 1) // TILE + 1):
            for x in range(left // TILE, (right - 1) // TILE + 1):
                tile = self._tile(level, y, x)
                y0, x0 = y * TILE, x * TILE
                t, b = max(top, y0), min(bottom, y0 + TILE)
                l, r = max(left, x0), min(right, x0 + TILE)  # noqa: E741
                window[t - top : b - top, l - left : r - left] = tile[
                    t - y0 : b - y0, l - x0 : r - x0
                ]
        return window

    def _tile(self, level: int, y: int, x: int) -> NDArray[np.int32]:
        key = (level, y, x)
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
                return tile
        pitch = self.pitch(level)
        low = self.origin + np.array([y, x]) * (TILE * pitch)
        # A spot smaller than a pixel still fills the one that its centre is in.
        margin = max(self.reach, pitch)
        spots = self.index.within(low - margin, low + TILE * pitch + margin)
        return self._keep(key, self._drawn(spots, low, pitch, (TILE, TILE)))

    def _drawn(
        self, spots: Any, low: Floats, pitch: float, shape: tuple[int, int]
    ) -> NDArray[np.int32]:
        """Return some spots as an image whose outer corner is at a place."""
        image = np.zeros(shape, np.int32)
        numbers = np.arange(1, len(self) + 1, dtype=np.int32)[spots]
        centres = (self.positions[spots] - low) / pitch
        radii = self.diameters[spots] / (2 * pitch)
        stamp(image, centres, radii, numbers, self.square)
        return image

    def _keep(
        self, key: tuple[int, int, int], tile: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        with self._lock:
            self._tiles[key] = tile
            while len(self._tiles) > MOST_TILES:
                self._tiles.popitem(last=False)
        return tile

    def warm(self) -> SpotRaster:
        """Draw the coarser levels now, so that a look at the whole need not wait."""
        for level in range(LEVELS - WARM, LEVELS):
            # At one go: all spots are in it, and need not be looked for.
            rows, columns = (-(-side // TILE) for side in self.shape(level))
            shape = rows * TILE, columns * TILE
            image = self._drawn(slice(None), self.origin, self.pitch(level), shape)
            for y in range(rows):
                for x in range(columns):
                    tile = image[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
                    self._keep((level, y, x), tile.copy())
        return self

    def spots_at(self, place: Floats) -> NDArray[np.int64]:
        """Return the spots on show that cover a place (y, x), the one on top last."""
        near = self.index.within(place - self.reach, place + self.reach)
        return near[
            covers(self.positions[near], self.diameters[near], place, self.square)
            & self.shown[near]
        ]


def covers(
    positions: Floats, diameters: Floats, place: Floats, square: bool = False
) -> NDArray[np.bool_]:
    """Return which spots cover a place (y, x)."""
    away = np.abs(positions - place)
    reach = np.asarray(diameters) / 2
    if square:
        return np.asarray(away.max(axis=1, initial=0) <= reach)
    return np.asarray((away**2).sum(axis=1) <= reach**2)


class RasterLevel:
    """A level of the spots' image, as an array that is drawn where it is read.

    Parameters
    ----------
    raster
        The spots.
    level
        0 is the finest.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3
    # A viewer that knows of chunks asks for whole tiles, and less often.
    chunks = (TILE, TILE, 4)

    def __init__(self, raster: SpotRaster, level: int) -> None:
        self._raster = raster
        self._level = level
        self.shape = (*raster.shape(level), 4)

    @property
    def size(self) -> int:
        """The number of values."""
        height, width, channels = self.shape
        return height * width * channels

    def __getitem__(self, key: Any) -> Any:
        rows, columns, channels = self._keys(key)
        row, row_after = _window(rows, self.shape[0])
        column, column_after = _window(columns, self.shape[1])
        pixels = self._raster.coloured(self._raster.numbers(self._level, row, column))
        return pixels[row_after, column_after, channels]

    def _keys(self, key: Any) -> tuple[Any, ...]:
        """Return an index as one of three parts."""
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis not in keys:
            keys = (*keys, Ellipsis)
        at = keys.index(Ellipsis)
        missing = [slice(None)] * (self.ndim + 1 - len(keys))
        return (*keys[:at], *missing, *keys[at + 1 :])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self[:], dtype=dtype)


def _window(key: Any, side: int) -> tuple[slice, Any]:
    """Return what to draw of a side for an index, and the index into that."""
    if isinstance(key, slice):
        start, stop, step = key.indices(side)
        return (slice(start, stop), slice(None)) if step == 1 else (slice(None), key)
    at = operator.index(key)
    if not -side <= at < side:
        raise IndexError(f"Expected an index of one of {side} pixels; got {at}.")
    return slice(at % side, at % side + 1), 0
