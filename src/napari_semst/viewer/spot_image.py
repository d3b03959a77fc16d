"""Many spots as an image: their numbers, drawn by tile, coloured through a table.

A layer of points slows down with the number of spots; an image costs what its pixels on
the screen cost. So the image holds numbers of spots, and a table holds their colours:
another colouring is another table. Levels of twice the resolution each go from the
whole section to single spots that are many pixels wide. Only the coarsest is an array;
of the others those tiles are drawn that are looked at.

Where the outlines of the cells are known, they are drawn in the place of discs on those
levels on which a cell is large enough, each with a border.
"""

from __future__ import annotations

import copy
import operator
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.viewer.grid_index import GridIndex
from napari_semst.viewer.outlines.fill_polygons import borders
from napari_semst.viewer.rasterise import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.viewer.outlines.draw_outlines import (
        CanvasOutlines,
        OutlinesToRead,
    )

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

LEAST_OUTLINE = 10
"""Pixels that the usual cell is wide on a level with outlines.

A viewer shows up to two pixels of a level for one of the screen: from 5 to 10 on that.
"""

_MOST_PIXELS = 2**28
# Pixels of a cell's width up to which its border is one pixel wide, not two.
_NARROW = 24
# A border has half of its cell's light, or is that much nearer to white where the cell
# has less than this of 255.
_BORDER_OF_DARK, _DARK = 0.45, 70
# Thousandths of the light that red, green and blue have.
_LIGHT = (299, 587, 114)


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
        self._tiles: OrderedDict[tuple[int, int, int, bool], NDArray[np.int32]]
        self._tiles = OrderedDict()
        self._lock = threading.Lock()
        self._rgba = np.zeros((n, 4), np.uint8)
        # Row 0 is of the pixels without a spot. Borders follow where there are any.
        self._table = np.zeros((n + 1, 4), np.uint8)
        self.outlines: CanvasOutlines | None = None
        self.to_read: OutlinesToRead | None = None
        self.outlined, self.reading = True, False
        self.when_wanted: Callable[[], None] | None = None
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
        self.outlined, self.when_wanted = other.outlined, other.when_wanted
        self._fill()
        self.look_at(LEVELS - 1)

    def twin(self) -> SpotRaster:
        """Return the same spots with colours of their own, those of now."""
        twin = copy.copy(self)
        for name in ("shown", "_rgba", "_table", "_coarse"):
            setattr(twin, name, getattr(self, name).copy())
        twin.when_wanted = None
        return twin

    def resize(self, diameters: float | Floats) -> None:
        """Draw discs or squares of other diameters; outlines stay."""
        self.diameters = np.broadcast_to(np.asarray(diameters), (len(self),))
        self.reach = float(self.diameters.max()) / 2
        with self._lock:
            self._tiles = OrderedDict()
        self._draw_coarsest()

    # --- outlines

    @property
    def may_outline(self) -> bool:
        """Whether outlines are known, being read or in a file."""
        return self.outlines is not None or self.to_read is not None or self.reading

    def set_outlines(self, outlines: CanvasOutlines | None) -> None:
        """Draw cells as their outlines are, where they are large enough."""
        self.outlines, self.to_read = outlines, None
        n = len(self)
        self._table = np.zeros((n + 1 if outlines is None else 2 * n + 1, 4), np.uint8)
        self._draw_coarsest()

    def show_outlines(self, outlined: bool) -> None:
        """Show outlines where they are known, or discs alone."""
        self.outlined = outlined
        self._draw_coarsest()
        self.look_at(LEVELS - 1)

    def look_at(self, level: int) -> None:
        """Tell who reads outlines if this level is the first to need them."""
        width = float(np.median(self.diameters)) if self.to_read is not None else 0.0
        enough = width / self.pitch(level) >= LEAST_OUTLINE
        if enough and self.outlined and self.when_wanted is not None:
            self.when_wanted()

    def has_outlines_at(self, level: int) -> bool:
        """Return whether cells are drawn as their outlines are on a level."""
        return (
            self.outlined
            and self.outlines is not None
            and self.outlines.diameter / self.pitch(level) >= LEAST_OUTLINE
        )

    def _draw_coarsest(self) -> None:
        self._coarse_numbers = self.numbers(LEVELS - 1)
        self._fill()

    # --- colours and pixels

    def _fill(self) -> None:
        n = len(self)
        self._table[1 : n + 1] = self._rgba
        if len(self._table) > n + 1:
            self._table[n + 1 :] = border_colours(self._rgba)
        if not self.shown.all():
            for first in range(1, len(self._table), n):
                self._table[first : first + n][~self.shown] = 0
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

        On the border of an outlined cell the number of all spots is added.

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
        outlined = self.has_outlines_at(level)
        key = (level, y, x, outlined)
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
                return tile
        pitch = self.pitch(level)
        low = self.origin + np.array([y, x]) * (TILE * pitch)
        if outlined:
            return self._keep(key, self._outlined(low, pitch))
        spots = self._near(low, low + TILE * pitch, pitch)
        return self._keep(key, self._drawn(spots, low, pitch, (TILE, TILE)))

    def _near(self, low: Floats, high: Floats, pitch: float) -> NDArray[np.int64]:
        """Return the spots whose discs may lie in a box."""
        # A spot smaller than a pixel still fills the one that its centre is in.
        margin = max(self.reach, pitch)
        return self.index.within(low - margin, high + margin)

    def _outlined(self, low: Floats, pitch: float) -> NDArray[np.int32]:
        """Return a tile of outlined cells, and of discs for those without outline."""
        outlines = self.outlines
        assert outlines is not None
        wide = 1 if outlines.diameter / pitch < _NARROW else 2
        # Some pixels more on each side: what is beyond tells where borders are.
        low, high = low - wide * pitch, low + (TILE + wide) * pitch
        side = TILE + 2 * wide
        image = np.zeros((side, side), np.int32)
        if not outlines.all_there:
            discs = self._near(low, high, pitch)
            discs = discs[~outlines.there[discs]]
            image = self._drawn(discs, low, pitch, (side, side))
        cells = outlines.within(self.index, low, high)
        outlines.draw(image, cells, low, pitch)
        tile = image[wide:-wide, wide:-wide].copy()
        np.add(tile, len(self), out=tile, where=borders(image, wide))
        return tile

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
        self, key: tuple[int, int, int, bool], tile: NDArray[np.int32]
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
                    self._keep((level, y, x, False), tile.copy())
        return self

    def spots_at(self, place: Floats) -> NDArray[np.int64]:
        """Return the spots on show that cover a place (y, x), the one on top last."""
        near = self.index.within(place - self.reach, place + self.reach)
        near = near[
            covers(self.positions[near], self.diameters[near], place, self.square)
        ]
        if self.outlined and self.outlines is not None:
            cells = self.outlines.within(self.index, place, place)
            cells = cells[self.outlines.cover(cells, place)]
            near = np.concatenate([near[~self.outlines.there[near]], cells])
        return near[self.shown[near]]


def border_colours(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the colours of cells' borders: darker, lighter where a cell is dark.

    Parameters
    ----------
    rgba
        Of the cells, shape ``(n_cells, 4)``.
    """
    borders: NDArray[np.uint8] = np.right_shift(rgba, 1, dtype=np.uint8)
    borders[:, 3] = rgba[:, 3]
    light = sum(rgba[:, channel] * np.int32(_LIGHT[channel]) for channel in range(3))
    dark = np.flatnonzero(light < 1000 * _DARK)
    values = np.arange(256, dtype=np.float32)
    lighter = (values + _BORDER_OF_DARK * (255 - values)).astype(np.uint8)
    borders[dark, :3] = lighter[rgba[dark, :3]]
    return borders


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
        self._raster.look_at(self._level)
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
