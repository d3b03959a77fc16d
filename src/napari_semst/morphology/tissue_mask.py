"""Tissue against glass and against what no scanner saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.morphology.slide import Slide

# Brightest channel of what was not scanned; nuclei and folds are brighter or small.
_DARK = 50
_LEAST_DARK = 0.002
# Colour of tissue, as the range of its natural optical densities against the glass,
# is more than this. Otsu's threshold is taken within: without any glass it would cut
# the tissue in two.
_PALE, _COLOURED = 0.04, 0.09
# Share of the image up to which a hole belongs to its tissue, and debris does not.
_HOLE, _DEBRIS = 2e-4, 1e-4
# A second picture inside the image fills its frame.
_FRAME = 0.97
_WHITE = (255.0, 255.0, 255.0)
_GREY = (
    "The image has no colours: tissue was not told from background, and all of it is "
    "taken as tissue."
)


@dataclass(frozen=True, eq=False)
class TissueMask:
    """Where a slide shows tissue.

    Parameters
    ----------
    mask
        Shape ``(height, width)``.
    corner
        World position of the outer corner of its first pixel, (y, x).
    unit
        World units along a pixel, (y, x).
    glass
        Colour of the slide without tissue, RGB from 0 to 255; white where none was
        found.
    note
        What people should know, or empty.
    """

    mask: NDArray[np.bool_]
    corner: tuple[float, float]
    unit: tuple[float, float]
    glass: tuple[float, float, float]
    note: str = ""

    def share(
        self, coordinates: NDArray[np.floating], diameter: float
    ) -> NDArray[np.float32]:
        """Return the share of tissue around each place, outside of the image none.

        Parameters
        ----------
        coordinates
            (x, y), shape ``(n, 2)``.
        diameter
            Of the spot; taken as a square of the same area.
        """
        side = diameter * np.sqrt(np.pi) / 2
        xy = np.asarray(coordinates, np.float64)
        centre = (xy[:, ::-1] - self.corner) / self.unit
        half = side / np.asarray(self.unit) / 2
        first, last = centre - half, centre + half
        sums = _sums(self.mask)
        area = 4 * half.prod()
        found = (
            _at(sums, last[:, 0], last[:, 1])
            - _at(sums, first[:, 0], last[:, 1])
            - _at(sums, last[:, 0], first[:, 1])
            + _at(sums, first[:, 0], first[:, 1])
        )
        return np.asarray(np.clip(found / area, 0, 1), np.float32)


def tissue_mask(slide: Slide) -> TissueMask:
    """Return where a slide shows tissue, from a small copy of it.

    Tissue is coloured, glass is not: the range of a pixel's optical densities against
    the glass is split by Otsu's threshold (Otsu, 1979), within bounds that hold for
    stained tissue. What the scanner left black and pictures within the picture are no
    tissue; small holes are. An image of greys has no colour to tell by: there all is
    tissue, and the note says so.
    """
    from scipy.ndimage import gaussian_filter

    image, unit = slide.overview()
    if (image[..., :1] == image).all():
        everywhere = np.ones(image.shape[:2], bool)
        return TissueMask(everywhere, slide.corner, unit, _WHITE, _GREY)
    smooth = gaussian_filter(image.astype(np.float32), (1, 1, 0))
    seen = _seen(smooth)
    glass = _glass(smooth, seen)
    colour = _colour(smooth, glass)
    mask = seen & (colour > _threshold(colour[seen]))
    return TissueMask(_tidy(mask), slide.corner, unit, glass)


def _seen(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return what was scanned: neither large black parts nor pictures set into them."""
    from scipy.ndimage import find_objects, label

    dark = _large(image.max(axis=2) < _DARK, _LEAST_DARK)
    if not dark.any():
        return np.ones(dark.shape, bool)
    seen = ~dark
    pieces, _ = label(seen)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    for piece, place in enumerate(find_objects(pieces), 1):
        frame = pieces[place]
        # The largest piece is the slide itself, which may well be a rectangle.
        if piece != sizes.argmax() and sizes[piece] > _FRAME * frame.size:
            seen[place][frame == piece] = False
    return seen


def _glass(
    image: NDArray[np.float32], seen: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Return the colour of bare glass, white where there seems to be none."""
    pixels = image[seen][:: max(1, int(seen.sum()) // 1_000_000)]
    if not len(pixels):
        return _WHITE
    grey = np.ptp(pixels, axis=1) < 15
    bright = pixels.min(axis=1) > 0.6 * np.percentile(pixels.max(axis=1), 99)
    bare = pixels[grey & bright]
    if len(bare) < 0.01 * len(pixels):
        return _WHITE
    red, green, blue = np.median(bare, axis=0).tolist()
    return red, green, blue


def _colour(
    image: NDArray[np.float32], glass: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Return the range of each pixel's optical densities against the glass."""
    density = -np.log((image + 1) / (np.asarray(glass, np.float32) + 1))
    return np.asarray(np.ptp(density, axis=2), np.float32)


def _threshold(values: NDArray[np.float32]) -> float:
    """Return Otsu's threshold of the values' roots, squared, within its bounds."""
    if not len(values):
        return _COLOURED
    counts, edges = np.histogram(np.sqrt(values), bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * apart**2, posinf=0)
    return float(np.clip(middles[between.argmax()] ** 2, _PALE, _COLOURED))


def _tidy(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask without debris and small holes."""
    mask = _large(mask, _DEBRIS)
    return ~_large(~mask, _HOLE)


def _large(mask: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Return the pieces of a mask that have at least a share of the image."""
    from scipy.ndimage import label

    pieces, _ = label(mask)
    kept = np.bincount(pieces.ravel()) >= max(2, share * mask.size)
    kept[0] = False
    return np.asarray(kept[pieces])


def _sums(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return sums over all pixels above and left of each corner."""
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    np.cumsum(np.cumsum(mask, axis=0), axis=1, out=sums[1:, 1:])
    return sums


def _at(
    sums: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sums up to places between corners; beyond the edge, those there."""
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(sums, [y, x], order=1, mode="nearest"))
