"""A patch of the image that shows another layer than is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.composition import cell_density
from napari_semst.sample.nuclei import draw_nuclei
from napari_semst.sample.section import MARGIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.section import SimulatedSection

    Floats = NDArray[np.float32]
    Nuclei = tuple[Floats, Floats, Floats]

# How far the patch fades in, all within it, as beside it nothing changes: pixels for
# its nuclei, distances between spots for the felt, whose border would show.
_FADE, _FELT_FADE = 3.0, 0.7
# Places tried for a nucleus that is added.
_TRIES = 6


@dataclass(frozen=True)
class ImagePatch:
    """Where another layer is drawn, and which.

    Parameters
    ----------
    points
        ``(n, 2)`` spots in the unit square.
    region
        ``(n,)`` spots whose surroundings are drawn anew, as far as half way to the
        next spot outside.
    depth
        Relative depth whose tissue is drawn.
    strength
        Share of the nuclei that are drawn as there; the felt between goes as far.
    seed
        Seed of the patch, which nothing beside it depends on.
    """

    points: NDArray[np.float64]
    region: NDArray[np.bool_]
    depth: float
    strength: float
    seed: tuple[int, ...]


def draw_image_patch(
    patch: ImagePatch,
    section: SimulatedSection,
    places: NDArray[np.float64],
    nuclei: Nuclei,
    depth: Floats,
    micron: float,
) -> tuple[Nuclei, Floats]:
    """Return dyes of nuclei and depths of pixels with a patch drawn in.

    Parameters
    ----------
    places
        ``(n, 2)`` nuclei of the picture in the unit square.
    nuclei
        Haematoxylin, eosin and cleared share that they gave, ``(size, size)`` each.
    depth
        ``(size, size)`` relative depth of every pixel.
    micron
        Pixels per micron.
    """
    rng = np.random.default_rng(patch.seed)
    size = len(depth)
    cover, felt = _cover(patch, size)
    foreign, home = _shared_out(patch, section, places, cover, rng)
    there = replace(section, depth=np.full_like(section.depth, patch.depth))
    one = draw_nuclei(there, foreign, micron, size, rng)
    other = draw_nuclei(section, home, micron, size, rng)
    drawn = (
        np.minimum(one[0] + other[0], 1.7),
        one[1] + other[1],
        np.clip(one[2] + other[2], 0, 0.6),
    )
    blue, pink, pale = (
        (1 - cover) * old + cover * new for old, new in zip(nuclei, drawn, strict=True)
    )
    shift = np.float32(patch.strength) * (np.float32(patch.depth) - depth)
    return (blue, pink, pale), depth + felt * shift


def _cover(patch: ImagePatch, size: int) -> tuple[Floats, Floats]:
    """Return how far, 0 to 1, nuclei and felt, ``(size, size)``, are the patch's."""
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import cKDTree

    scale = size / (1 + 2 * MARGIN)
    tree = cKDTree(patch.points)
    inside = patch.points[patch.region]
    pitch = float(np.median(tree.query(inside, k=2)[0][:, 1]))
    low = np.floor((inside.min(axis=0) - pitch + MARGIN) * scale).astype(int)
    high = np.ceil((inside.max(axis=0) + pitch + MARGIN) * scale).astype(int)
    (left, top), (right, bottom) = np.clip(low, 0, size), np.clip(high, 0, size)
    rows, columns = np.indices((bottom - top, right - left))
    pixels = np.column_stack([columns.ravel() + left, rows.ravel() + top]) + 0.5
    distance, nearest = tree.query(pixels / scale - MARGIN)
    mine = (patch.region[nearest] & (distance < 0.9 * pitch)).reshape(rows.shape)
    covers = np.zeros((2, size, size), dtype=np.float32)
    # A frame of zeros: the edge of the box is an edge of the patch too.
    depth = distance_transform_edt(np.pad(mine, 1))[1:-1, 1:-1]
    for cover, fade in zip(covers, (_FADE, _FELT_FADE * pitch * scale), strict=True):
        cover[top:bottom, left:right] = np.clip(depth / fade, 0, 1)
    return covers[0], covers[1]


def _shared_out(
    patch: ImagePatch,
    section: SimulatedSection,
    places: NDArray[np.float64],
    cover: Floats,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the nuclei of the patch: those of the other layer, and those that stay.

    Nuclei are added or taken away until there are as many as the mixture has.
    """
    near = places[_at(cover, places) > 0]
    here = cell_density(section.at("depth", near), section.model)
    planted = np.array([patch.depth], dtype=np.float32)
    there = float(cell_density(planted, section.model)[0])
    wanted = (1 - patch.strength) * here + patch.strength * there
    ratio = float(wanted.sum() / here.sum()) if len(near) else 1.0
    near = near[rng.random(len(near)) < ratio]
    new = _between(near, cover, round(len(near) * max(ratio - 1, 0)), rng)
    turned = rng.random(len(near)) < patch.strength
    return np.concatenate([near[turned], new]), near[~turned]


def _between(
    near: NDArray[np.float64], cover: Floats, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return about as many points as asked for, within the patch, that crowd nobody."""
    from scipy.spatial import cKDTree

    if count == 0:
        return near[:0]
    pixel = (1 + 2 * MARGIN) / len(cover)
    rows, columns = np.nonzero(cover)
    step = np.sqrt(len(rows) / count) * pixel
    low = np.array([columns.min(), rows.min()]) * pixel - MARGIN
    high = np.array([columns.max(), rows.max()]) * pixel - MARGIN
    across, down = np.ceil((high - low) / step).astype(int) + 1
    lattice = np.indices((across, down)).reshape(2, 1, -1).transpose(2, 1, 0)
    # Of several places about every point of a lattice, the one farthest from others.
    tried = lattice + rng.uniform(-0.5, 0.5, (lattice.shape[0], _TRIES, 2))
    tried = low + (tried + rng.random(2)) * step
    best = cKDTree(near).query(tried)[0].argmax(axis=1)
    points: NDArray[np.float64] = tried[np.arange(len(tried)), best]
    return points[_at(cover, points) > 0]


def _at(cover: Floats, points: NDArray[np.float64]) -> Floats:
    """Return the cover, ``(n,)``, at points of the unit square."""
    places = (points + MARGIN) * (len(cover) / (1 + 2 * MARGIN))
    column, row = np.clip(places.astype(int), 0, len(cover) - 1).T
    covered: Floats = cover[row, column]
    return covered
