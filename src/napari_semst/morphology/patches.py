"""Square patches of a slide around spots, read block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import MorphologyConfig
    from napari_semst.core.progress import RunControl
    from napari_semst.morphology.levels import SlideLevel
    from napari_semst.morphology.slide import Slide

# Spots are taken together in squares of this side, in pixels of their level.
_BLOCK = 1024
# Columns of such squares that are gone through from top to bottom before the next.
_STRIP = 12
# Bytes of the patches that are handed out at once.
_AT_ONCE = 32 * 2**20
# Largest side of a patch in pixels of the level it is cut from.
_LARGEST = 8192


def patches(
    slide: Slide,
    coordinates: NDArray[np.floating],
    side: float,
    pixels: int,
    control: RunControl,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield patches centred on spots, some hundred at a time, each spot once.

    They come from the level of the slide that suits and are resampled with a triangle
    as wide as two pixels of the patch, or of the level where those are larger. What
    lies outside of the image is filled with its nearest pixels.

    Parameters
    ----------
    coordinates
        Of the spots, (x, y), shape ``(n_spots, 2)``.
    side
        Of the square, in units of the coordinates.
    pixels
        Along a side of a patch.

    Yields
    ------
    spots
        Which spots, shape ``(m,)``, in the order of where they lie on the slide.
    pixels
        RGB, shape ``(m, pixels, pixels, 3)``.
    inside
        Share of the patch that lies on the image, shape ``(m,)``.

    Raises
    ------
    InputError
        If coordinates or the side are not finite, or patches are too large.
    """
    level, starts, step = _placed(slide, coordinates, side, pixels)
    covered = _inside(starts, step * pixels, level.shape)
    most = max(1, min(4096, _AT_ONCE // (pixels * pixels * 3), len(starts)))
    spots = np.empty(most, np.intp)
    cut = np.empty((most, pixels, pixels, 3), np.uint8)
    held = 0
    for block in _blocks(starts, step * pixels, level):
        control.check()
        while len(block):
            now, block = block[: most - held], block[most - held :]
            _fill(level, starts[now], step, cut[held : held + len(now)])
            spots[held : held + len(now)] = now
            held += len(now)
            if held == most:
                yield spots.copy(), cut, covered[spots]
                cut, held = np.empty_like(cut), 0
    if held:
        yield spots[:held].copy(), cut[:held], covered[spots[:held]]


def patch_at(
    slide: Slide, xy: tuple[float, float], side: float, pixels: int
) -> NDArray[np.uint8]:
    """Return the patch around one place, RGB of shape ``(pixels, pixels, 3)``."""
    level, starts, step = _placed(slide, np.array([xy], float), side, pixels)
    found = np.empty((1, pixels, pixels, 3), np.uint8)
    _fill(level, starts, step, found)
    return np.asarray(found[0])


def diameter_and_source(
    tissue: AnnData, coordinates: NDArray[np.floating], config: MorphologyConfig
) -> tuple[float, str]:
    """Return the diameter of a spot in units of the coordinates, and where it is from.

    Parameters
    ----------
    tissue
        May state the diameter in its scale factors.
    coordinates
        Of the spots, (x, y), shape ``(n_spots, 2)``.
    config
        Its ``spot_diameter`` goes before all else.

    Raises
    ------
    InputError
        If all spots lie at one place and nothing states a diameter.
    """
    from napari_semst.io.alignment import nearest_distance, stated_size

    if config.spot_diameter > 0:
        return float(config.spot_diameter), "The spot diameter is as it was set."
    stated = stated_size(tissue)
    if stated is not None:
        return stated, "The spot diameter is the one that the file states."
    diameter = nearest_distance(np.asarray(coordinates, float))
    if diameter is None:
        raise InputError(
            "Expected spots at different places, or a spot diameter; found neither. "
            "Set the spot diameter (morphology.spot_diameter)."
        )
    return diameter, (
        "The file states no spot diameter: it is taken as the median distance to the "
        "nearest spot."
    )


def _placed(
    slide: Slide, coordinates: NDArray[np.floating], side: float, pixels: int
) -> tuple[SlideLevel, NDArray[np.float64], NDArray[np.float64]]:
    """Return the level, the patches' corners there, and its pixels per patch pixel."""
    xy = np.asarray(coordinates, np.float64)
    if not np.isfinite(xy).all():
        missing = int((~np.isfinite(xy).all(axis=1)).sum())
        raise InputError(
            f"Expected coordinates for every spot; {missing:,} of {len(xy):,} have "
            "none. Leave these spots out."
        )
    if not (np.isfinite(side) and side > 0 and pixels > 0):
        raise InputError(
            f"Expected patches of a positive side; got {side} with {pixels} pixels."
        )
    level = slide.level_for(side / pixels)
    step = side / pixels / (np.asarray(slide.unit) * level.factor)
    if (step * pixels).max() > _LARGEST:
        raise InputError(
            f"Expected patches of at most {_LARGEST:,} pixels of the image; a side of "
            f"{side:g} has {int((step * pixels).max()):,}. Give the image smaller "
            "copies of itself (a pyramidal TIFF), or set a smaller spot diameter."
        )
    return level, slide.pixel_of(level, xy) - step * pixels / 2, step


def _inside(
    starts: NDArray[np.float64], sides: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the share of each patch that lies on the level."""
    last = np.minimum(starts + sides, shape)
    shares = np.clip((last - np.maximum(starts, 0)) / sides, 0, 1)
    return np.asarray(shares.prod(axis=1), np.float32)


def _blocks(
    starts: NDArray[np.float64], sides: NDArray[np.float64], level: SlideLevel
) -> Iterator[NDArray[np.intp]]:
    """Yield spots that lie near each other, so that neighbours come soon after."""
    own = np.maximum(_BLOCK, sides)
    last = np.asarray(level.shape) / own
    cells = np.clip((starts + sides / 2) / own, 0, last).astype(np.int64)
    # Where a level can only be read in strips, strips are gone through.
    strip = _STRIP if level.block_shape[1] < level.shape[1] else 2**40
    order = np.lexsort((starts[:, 0], cells[:, 1], cells[:, 0], cells[:, 1] // strip))
    sorted_cells = cells[order]
    edges = np.flatnonzero((np.diff(sorted_cells, axis=0) != 0).any(axis=1)) + 1
    yield from np.split(order, edges)


def _fill(
    level: SlideLevel,
    starts: NDArray[np.float64],
    step: NDArray[np.float64],
    found: NDArray[np.uint8],
) -> None:
    """Cut patches whose corners are near each other out of one window."""
    from napari_semst.morphology.resample import resample_patches

    reach = np.maximum(1.0, step)
    size = np.asarray(level.shape)
    first = np.floor(starts.min(axis=0) - reach).astype(np.int64) - 1
    last = np.ceil(starts.max(axis=0) + step * found.shape[1] + reach).astype(int) + 2
    first = np.clip(first, 0, size - 1)
    last = np.clip(last, first + 1, size)
    window = level.window(first[0], last[0], first[1], last[1])
    resample_patches(window, first, size, starts, step, found)
