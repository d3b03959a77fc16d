"""Random pictures: smooth noise, soft ellipses, strands that follow a direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.sample.section import SimulatedSection

    Floats = NDArray[np.float32]

_SPLAT_CHUNK = 4096


def smooth_noise(rng: np.random.Generator, size: int, width: float) -> Floats:
    """Return noise of zero mean and unit variance.

    Parameters
    ----------
    size
        Side of the square picture in pixels.
    width
        Distance in pixels over which the noise varies.
    """
    from PIL import Image

    coarse = max(3, round(size / max(width, 1.0)) + 3)
    small = Image.fromarray(rng.standard_normal((coarse, coarse), dtype=np.float32))
    # A random crop, so that the knots of two calls do not coincide.
    x, y = rng.random(2)
    box = (x, y, x + coarse - 1.0, y + coarse - 1.0)
    large = small.resize((size, size), Image.Resampling.BICUBIC, box=box)
    values: Floats = np.array(large)
    values -= values.mean()
    values /= values.std() + 1e-9
    return values


def splat_ellipses(
    size: int,
    centres: Floats,
    long: Floats,
    short: Floats,
    angle: Floats,
    weight: Floats,
    softness: float = 0.6,
) -> Floats:
    """Return the sum of soft-edged ellipses.

    Parameters
    ----------
    size
        Side of the square picture in pixels.
    centres
        ``(n, 2)`` centres (x, y) in pixels.
    long, short
        ``(n,)`` half axes in pixels.
    angle
        ``(n,)`` direction of the long axis in radians.
    weight
        ``(n,)`` height at the centre.
    softness
        Width of the edge in pixels; also what keeps small ellipses smooth.
    """
    where: list[NDArray[np.integer]] = [np.zeros(0, dtype=np.int32)]
    heights: list[Floats] = [np.zeros(0, dtype=np.float32)]
    # Alike sizes share a patch, so that one vessel does not enlarge every nucleus.
    order = np.argsort(long, kind="stable")
    for start in range(0, len(order), _SPLAT_CHUNK):
        part = order[start : start + _SPLAT_CHUNK]
        reach = int(np.ceil(long[part].max() + 2 * softness)) + 1
        steps = np.arange(-reach, reach + 1, dtype=np.float32)
        dy, dx = (s.ravel() for s in np.meshgrid(steps, steps, indexing="ij"))
        base = np.floor(centres[part]).astype(np.int32)
        offset = (centres[part] - base).astype(np.float32)
        x = dx[None] - offset[:, :1]
        y = dy[None] - offset[:, 1:]
        cos, sin = np.cos(angle[part])[:, None], np.sin(angle[part])[:, None]
        a, b = long[part][:, None], short[part][:, None]
        radius = np.hypot((x * cos + y * sin) / a, (y * cos - x * sin) / b)
        # Signed distance to the rim, in pixels, along the smaller axis.
        rim = np.minimum((radius - 1) * np.minimum(a, b) * (2.2 / softness), 30)
        height = weight[part][:, None] / (1 + np.exp(rim))
        column = base[:, :1] + dx.astype(np.int32)
        row = base[:, 1:] + dy.astype(np.int32)
        inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
        where.append((row * size + column)[inside])
        heights.append(height[inside])
    return _summed(where, heights, size)


def strands(
    rng: np.random.Generator,
    section: SimulatedSection,
    size: int,
    starts: Floats,
    *,
    steps: int,
    pixel: float,
    tangential: bool,
    wobble: float,
) -> Floats:
    """Return thin strands that follow the layers or cross them.

    Parameters
    ----------
    size
        Side of the square picture in pixels.
    starts
        ``(n, 2)`` first points in the unit square.
    steps
        Points per strand, a pixel apart.
    pixel
        Width of a pixel in the unit square.
    tangential
        Along the layers; otherwise from the pia towards the white matter.
    wobble
        Deviation in radians of a strand from the direction it follows.

    Returns
    -------
    numpy.ndarray
        ``(size, size)`` picture; a strand adds 1 where it passes.
    """
    from napari_semst.sample.section import MARGIN

    place = starts.astype(np.float32).copy()
    turn = rng.normal(0, wobble, len(place)).astype(np.float32)
    turn += np.float32(np.pi / 2) if tangential else np.float32(0)
    points = []
    scale = size / (1 + 2 * MARGIN)
    for _ in range(steps):
        x, y = section.at("radial_x", place), section.at("radial_y", place)
        cos, sin = np.cos(turn), np.sin(turn)
        place += pixel * np.column_stack([x * cos - y * sin, x * sin + y * cos])
        turn += rng.normal(0, wobble * 0.12, len(turn)).astype(np.float32)
        points.append((place + MARGIN) * scale - 0.5)
    return _shared_points(np.concatenate(points), size)


def _shared_points(points: Floats, size: int) -> Floats:
    """Return points ``(n, 2)`` in pixels, each shared among its four pixels."""
    points = points[((points >= 0) & (points < size - 1)).all(axis=1)]
    base = np.floor(points).astype(np.int32)
    x, y = (points - base).T.astype(np.float32)
    flat = base[:, 1] * size + base[:, 0]
    where = [flat, flat + 1, flat + size, flat + size + 1]
    share = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y]
    return _summed(where, share, size)


def _summed(
    where: Sequence[NDArray[np.integer]], heights: Sequence[Floats], size: int
) -> Floats:
    """Return a square picture with every height added at its flat place."""
    picture = np.bincount(np.concatenate(where), np.concatenate(heights), size * size)
    return picture.astype(np.float32).reshape(size, size)
