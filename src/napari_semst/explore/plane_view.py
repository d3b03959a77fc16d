"""Points of a plane as pixels: which pixel shows which point, and in what colour.

A point's place is computed when the view changes, its colour is looked up: a million
points are painted anew in the time that their pixels take.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NO_POINT = -1
"""In an image of numbers of points: a pixel that shows none."""

_MARGIN = 0.06
_MOST_ZOOM = 200.0


@dataclass(frozen=True, slots=True)
class PlaneView:
    """What of a plane is looked at, in how many pixels; y points up.

    Parameters
    ----------
    center
        (x, y) of the plane in the middle of the picture.
    zoom
        Pixels per unit of the plane.
    width, height
        Of the picture, in pixels.
    """

    center: tuple[float, float]
    zoom: float
    width: int
    height: int

    def to_pixels(self, places: NDArray[np.floating]) -> Floats:
        """Return (x, y) in pixels of places on the plane, both ``(n, 2)``."""
        x, y = self.center
        pixels = np.empty((len(places), 2), np.float64)
        np.multiply(places[:, 0], self.zoom, out=pixels[:, 0])
        np.multiply(places[:, 1], -self.zoom, out=pixels[:, 1])
        pixels += (self.width / 2 - x * self.zoom, self.height / 2 + y * self.zoom)
        return pixels

    def to_plane(self, pixels: Floats) -> Floats:
        """Return places on the plane of (x, y) in pixels, both ``(n, 2)``."""
        moved = np.asarray(pixels) - (self.width / 2, self.height / 2)
        return np.asarray(moved / (self.zoom, -self.zoom) + self.center)

    def panned(self, right: float, down: float) -> PlaneView:
        """Return the view after the picture was dragged by some pixels."""
        x, y = self.center
        return replace(self, center=(x - right / self.zoom, y + down / self.zoom))

    def zoomed(self, factor: float, at: tuple[float, float]) -> PlaneView:
        """Return the view zoomed, with the place under a pixel staying there."""
        held = np.array([at], dtype=np.float64)
        before = self.to_plane(held)[0]
        nearer = replace(self, zoom=self.zoom * factor)
        x, y = np.array(nearer.center) + before - nearer.to_plane(held)[0]
        return replace(nearer, center=(float(x), float(y)))

    def resized(self, width: int, height: int) -> PlaneView:
        """Return the view in another picture, with as much in it."""
        share = min(width / self.width, height / self.height)
        return replace(self, zoom=self.zoom * share, width=width, height=height)


def whole_view(places: NDArray[np.floating], width: int, height: int) -> PlaneView:
    """Return the view that has all places in it, with a margin.

    Parameters
    ----------
    places
        (x, y), shape ``(n, 2)``, finite.
    width, height
        Of the picture, in pixels.
    """
    width, height = max(width, 1), max(height, 1)
    if not len(places):
        return PlaneView((0.0, 0.0), 1.0, width, height)
    low, high = (np.asarray(one, float) for one in (places.min(0), places.max(0)))
    room = np.array([width, height]) * (1 - 2 * _MARGIN)
    zoom = float((room / np.maximum(high - low, 1e-9)).min())
    x, y = (low + high) / 2
    return PlaneView((float(x), float(y)), zoom, width, height)


def limit_view(view: PlaneView, home: PlaneView) -> PlaneView:
    """Return a view that is neither far out nor far in, measured by the whole."""
    zoom = float(np.clip(view.zoom, home.zoom / 4, home.zoom * _MOST_ZOOM))
    return view if zoom == view.zoom else replace(view, zoom=zoom)


def points_of_pixels(
    pixels: Floats, view: PlaneView, points: NDArray[np.integer], size: int
) -> NDArray[np.int32]:
    """Return which point each pixel shows, `NO_POINT` for none, ``(height, width)``.

    Parameters
    ----------
    pixels
        (x, y) of the points to show, shape ``(n_shown, 2)``; later ones lie on top.
    view
        The picture's size is used.
    points
        Their numbers, shape ``(n_shown,)``.
    size
        Diameter of a point in pixels.
    """
    image = np.full((view.height, view.width), NO_POINT, np.int32)
    x, y = pixels[:, 0], pixels[:, 1]
    inside = (x >= 0) & (x < view.width) & (y >= 0) & (y < view.height)
    if not inside.all():
        x, y, points = x[inside], y[inside], points[inside]
    place = y.astype(np.int64) * view.width + x.astype(np.int64)
    image.ravel()[place] = points
    # Points grow over what is empty: it costs the picture's pixels, not the points.
    grown = image.copy()
    for down, right in _disc(size):
        to, of = _shifted(view.height, down), _shifted(view.height, -down)
        left, by = _shifted(view.width, right), _shifted(view.width, -right)
        target, source = grown[to, left], image[of, by]
        np.copyto(target, source, where=target == NO_POINT)
    return grown


def paint_pixels(
    numbers: NDArray[np.int32],
    rgba: NDArray[np.floating],
    background: tuple[int, int, int],
) -> NDArray[np.uint8]:
    """Return a picture, ``(height, width, 4)`` in 0 to 255, without transparency.

    Parameters
    ----------
    numbers
        As from `points_of_pixels`.
    rgba
        Colour of every point in 0 to 1, shape ``(n_points, 4)``.
    background
        Colour below, 0 to 255.
    """
    picture = np.empty((*numbers.shape, 4), np.uint8)
    picture[:] = (*background, 255)
    there = numbers != NO_POINT
    found = np.asarray(rgba, np.float32)[numbers[there]]
    behind = np.array(background, np.float32)
    found[:, :3] = (found[:, :3] * 255 - behind) * found[:, 3:] + behind + 0.5
    found[:, 3] = 255
    picture[there] = found
    return picture


def _disc(size: int) -> list[tuple[int, int]]:
    """Return the steps from a point's pixel to its others, the near ones first."""
    reach = np.arange(-(size // 2), (size + 1) // 2 + (size % 2 == 0))
    down, right = (one.ravel() for one in np.meshgrid(reach, reach, indexing="ij"))
    half = 0.0 if size % 2 else 0.5
    far = (down - half) ** 2 + (right - half) ** 2
    # Of an even size the pixel itself is the upper left of the middle four.
    kept = np.flatnonzero((far <= size**2 / 4) & ((down != 0) | (right != 0)))
    near = kept[np.argsort(far[kept], kind="stable")]
    return [(int(down[one]), int(right[one])) for one in near]


def _shifted(length: int, step: int) -> slice:
    return slice(max(step, 0), length + min(step, 0))
