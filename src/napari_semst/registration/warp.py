"""An image drawn where its landmarks put it: pixels looked up, whole or by tile.

The registered image is a picture of its own, upright among the spots: each of its
pixels asks the map where on the image it is, and takes what lies there, interpolated
between the four nearest pixels. Where the image has nothing, colours are transparent
over the colour of the image's rim; greys have the rim's grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.registration.maps import PlaceMap

    Floats = NDArray[np.float64]

# Pixels of the registered image at most: those of the largest image that is read.
_LARGEST = 144_000_000
# Side of what is drawn at once, and of the cells that a map is asked at.
_BLOCK = 512
_CELL = 16
# Pixels of an image that are read at once for a block: a block that is stretched four
# times is still drawn at once.
_MOST_READ = 2**23
# Of a pixel: less than that over is rounding.
_NOISE = 1e-6
# Places along a side of the image that are followed to find where it comes to lie.
_SIDE = 65
# A spline far from its landmarks may lead anywhere: so much beside is still shown.
_BESIDE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredImage:
    """Where a registered image lies, and how it is drawn.

    Parameters
    ----------
    map
        Leads places of the image to spots and back.
    source
        The image's outer edges where its file puts it, (y, x) first and last,
        shape ``(2, 2)``.
    corner
        Outer corner of the registered image's first pixel, (y, x).
    unit
        World units along one of its pixels.
    shape
        Its height and width in pixels.
    pixels
        Height and width of the image that it is made of.
    """

    map: PlaceMap
    source: Floats
    corner: Floats
    unit: float
    shape: tuple[int, int]
    pixels: tuple[int, int]

    def holds(self, yx: Floats) -> NDArray[np.bool_]:
        """Return which places of the world, (y, x), lie on the image, ``(n,)``."""
        there = self.map.to_image(yx[:, ::-1])[:, ::-1]
        with np.errstate(invalid="ignore"):
            inside = (there >= self.source[0]) & (there < self.source[1])
        return np.asarray(inside.all(axis=1))

    def drawn(self, image: Any, fill: Any = None) -> Any:
        """Return an image as it is registered.

        Parameters
        ----------
        image
            The image or a smaller or larger copy of it, ``(height, width)`` or with
            channels: a numpy array, or a dask array, which is drawn by tile once it is
            looked at.
        fill
            What is put where the image has nothing; `None`: the colour of its rim.

        Returns
        -------
        numpy.ndarray or dask.array.Array
            With as many pixels to the length as the copy has; of red, green and blue
            of 8 bits a fourth channel says where the image is.
        """
        fill = rim_of(image) if fill is None else fill
        finer = np.array(image.shape[:2]) / self.pixels
        height, width = (max(1, round(n)) for n in np.array(self.shape) * finer)
        # The outer edges of all copies coincide.
        unit = np.array(self.shape) * self.unit / (height, width)
        level = _Level(self, image, fill, unit, _with_alpha(image))
        if isinstance(image, np.ndarray):
            return level.whole((height, width))
        return level.by_tile((height, width))


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """A copy of an image that is drawn where it is registered."""

    place: RegisteredImage
    image: Any
    fill: Any
    unit: Floats
    alpha: bool

    @property
    def inner(self) -> tuple[int, ...]:
        """Channels of what is drawn."""
        return (4,) if self.alpha else tuple(self.image.shape[2:])

    def whole(self, shape: tuple[int, int]) -> NDArray[Any]:
        """Return all pixels, drawn block by block."""
        drawn = np.empty((*shape, *self.inner), self.image.dtype)
        for top in range(0, shape[0], _BLOCK):
            for left in range(0, shape[1], _BLOCK):
                sides = min(_BLOCK, shape[0] - top), min(_BLOCK, shape[1] - left)
                part = drawn[top : top + sides[0], left : left + sides[1]]
                part[...] = self.block(top, left, sides)
        return drawn

    def by_tile(self, shape: tuple[int, int]) -> Any:
        """Return a dask array, of which only what is asked for is drawn."""
        import dask.array

        sides = (_BLOCK, _BLOCK, *self.inner)
        whole = (*shape, *self.inner)
        kind = self.image.dtype
        return dask.array.map_blocks(  # type: ignore[no-untyped-call]
            self._tile,
            chunks=dask.array.core.normalize_chunks(sides, whole),  # type: ignore[no-untyped-call]
            dtype=kind,
            meta=np.empty((0,) * len(whole), kind),
            name=f"registered-{uuid4().hex}",
        )

    def _tile(self, block_info: Any = None) -> NDArray[Any]:
        (top, bottom), (left, right) = block_info[None]["array-location"][:2]
        return self.block(top, left, (bottom - top, right - left))

    def block(self, top: int, left: int, sides: tuple[int, int]) -> NDArray[Any]:
        """Return the pixels of a rectangle, shape ``sides`` and channels."""
        from napari_semst.registration.pixels import look_up_pixels

        drawn = np.empty((*sides, *self.inner), self.image.dtype)
        drawn[...] = (*self.fill, 0) if self.alpha else self.fill
        nodes = self.source_pixels(top, left, sides)
        size = np.array(self.image.shape[:2], np.int64)
        least, most = nodes.min(axis=(0, 1)), nodes.max(axis=(0, 1))
        if (most < -0.5).any() or (least >= size - 0.5).any():
            return drawn
        first = np.clip(np.floor(least), 0, size - 1).astype(np.int64)
        last = np.clip(np.ceil(most) + 1, first + 1, size).astype(np.int64)
        if (last - first).prod() > _MOST_READ:
            return self._in_parts(drawn, top, left)
        window = self.image[first[0] : last[0], first[1] : last[1]]
        if not isinstance(window, np.ndarray):
            window = np.asarray(window.compute(scheduler="synchronous"))
        window = np.ascontiguousarray(window, np.float32)
        window = window.reshape(*window.shape[:2], -1)
        found = np.zeros((*sides, window.shape[2]), np.float32)
        inside = np.empty(sides, np.bool_)
        look_up_pixels(window, nodes, first, size, found, inside)
        if np.dtype(self.image.dtype).kind in "uib":
            found = np.rint(found, out=found)
        if self.alpha:
            drawn[..., :3][inside] = found[inside]
            drawn[..., 3][inside] = 255
        else:
            drawn[inside] = found.reshape(drawn.shape)[inside]
        return drawn

    def _in_parts(self, drawn: NDArray[Any], top: int, left: int) -> NDArray[Any]:
        """Draw a rectangle in four, each of which reads less of the image.

        Far from its landmarks a spline may spread a tile over the whole image. What is
        still too much for a few pixels is left as it is: there nothing can be seen.
        """
        height, width = drawn.shape[:2]
        if max(height, width) <= _CELL:
            return drawn
        halves = [
            [(0, n)] if n <= _CELL else [(0, n // 2), (n // 2, n)]
            for n in (height, width)
        ]
        for low, high in halves[0]:
            for near, far in halves[1]:
                drawn[low:high, near:far] = self.block(
                    top + low, left + near, (high - low, far - near)
                )
        return drawn

    def source_pixels(self, top: int, left: int, sides: tuple[int, int]) -> Floats:
        """Return which pixels of the copy belong at corners of cells of a rectangle.

        Its first and last pixels among them, shape ``(rows, columns, 2)`` in (y, x).
        """
        counts = [-(-n // _CELL) + 1 for n in sides]
        rows, columns = (
            (first + np.linspace(0, n - 1, count) + 0.5) * unit + corner
            for first, n, count, unit, corner in zip(
                (top, left), sides, counts, self.unit, self.place.corner, strict=True
            )
        )
        yx = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=2)
        there = self.place.map.to_image(yx.reshape(-1, 2)[:, ::-1])[:, ::-1]
        first, last = self.place.source
        own = (last - first) / np.array(self.image.shape[:2])
        return np.ascontiguousarray(((there - first) / own - 0.5).reshape(*counts, 2))


def registered_image(
    made: PlaceMap, source: Floats, shape: tuple[int, int]
) -> RegisteredImage:
    """Return where an image comes to lie.

    Parameters
    ----------
    made
        The map from the image to spots.
    source
        The image's outer edges where its file puts it, (y, x) first and last.
    shape
        Its height and width in pixels.

    Raises
    ------
    InputError
        If it comes to lie nowhere, or so large that it cannot be drawn.
    """
    first, last = _outline(made, source)
    step = (source[1] - source[0]) / np.array(shape)
    unit = float(step.mean() * growth_of(made))
    size = last - first
    if not np.isfinite(size).all() or not (size > 0).all() or not unit > 0:
        raise InputError(
            "Expected landmarks that put the image somewhere; with these it vanishes. "
            "Look at the pairs with the largest errors."
        )
    height, width = (max(1, int(np.ceil(n - _NOISE))) for n in size / unit)
    if height * width > _LARGEST:
        raise InputError(
            f"Expected landmarks that keep the image's shape; with these it would be "
            f"{width:,} x {height:,} pixels. A pair is wrong: look at the largest "
            "errors."
        )
    return RegisteredImage(made, source, first, unit, (height, width), shape)


def growth_of(made: PlaceMap) -> float:
    """Return how many times longer than on the image things are among the spots."""
    return float(np.sqrt(abs(np.linalg.det(made.matrix[:2, :2]))))


def rim_of(image: Any) -> Any:
    """Return the usual colour along the edges of an image: a number, or one each."""
    rows = [np.asarray(image[at]) for at in (0, -1)]
    columns = [np.asarray(image[:, at]) for at in (0, -1)]
    rim = np.concatenate([*rows, *columns])
    middle = np.median(rim, axis=0).astype(rim.dtype)
    return tuple(middle) if rim.ndim == 2 else middle


def _outline(made: PlaceMap, source: Floats) -> tuple[Floats, Floats]:
    """Return the least and the largest (y, x) of where an image comes to lie."""
    y, x = (np.linspace(a, b, _SIDE) for a, b in source.T)
    lattice = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    straight = lattice @ made.matrix[:2, :2].T + made.matrix[:2, 2]
    low, high = straight.min(axis=0), straight.max(axis=0)
    beside = _BESIDE * (high - low)
    moved = made.to_spots(lattice)
    moved = moved[np.isfinite(moved).all(axis=1)]
    if not len(moved):
        return np.full(2, np.nan), np.full(2, np.nan)
    first = np.maximum(moved.min(axis=0), low - beside)
    last = np.minimum(moved.max(axis=0), high + beside)
    return first[::-1], last[::-1]


def _with_alpha(image: Any) -> bool:
    return bool(image.dtype == np.uint8 and tuple(image.shape[2:]) == (3,))
