"""Which spots have an image that can be relied upon, and why others have not.

What is measured on each patch is compared with the section's own: images differ far
too much in resolution, stain and focus for fixed bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.morphology.stain import WHITE, optical_density

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FLAGS = ("outside", "background", "blurred", "folded")
# Least share of a patch on the image, and of a spot on tissue.
LEAST_INSIDE, LEAST_TISSUE = 0.5, 0.3
# Blurred: edges this many robust deviations below the section's, and half as strong;
# for scales each half as fine as the one before, where tissue itself differs more.
_BLUR_DEVIATIONS, _BLUR_FACTOR = (5.0, 6.0, 6.0), 2.0
# Folded: density so far above the section's in this share of the spot.
_FOLD_DEVIATIONS, _FOLD_FACTOR, _FOLD_SHARE = 4.0, 1.7, 0.4
# Without so many good spots nothing can be said of what is usual.
_LEAST_SPOTS = 10
# The finest difference of optical densities that 8 bits tell, about.
_FINEST = 0.004


@dataclass(frozen=True, eq=False)
class ImageQuality:
    """What is wrong with the image of which spot.

    Parameters
    ----------
    flags
        By name (`FLAGS`), each ``(n_spots,)``. A spot may have several, but one that
        is outside has no other, and one on background is neither blurred nor folded.
    usable
        Spots without any, shape ``(n_spots,)``.
    notes
        Plain values for the provenance.
    """

    flags: Mapping[str, NDArray[np.bool_]]
    usable: NDArray[np.bool_]
    notes: dict[str, Any]


def measure_quality(
    spot: NDArray[np.uint8],
    context: NDArray[np.uint8],
    glass: tuple[float, float, float] = WHITE,
) -> NDArray[np.float32]:
    """Return how sharp and how dense patches are, shape ``(m, 4)``.

    Sharpness is the logarithm of the mean strength of the Laplacian of the optical
    density, relative to the median density: pale tissue is not blurred tissue. It is
    measured at three scales, as enlarged patches have no fine edges in any case.
    Density, the last column, is what the densest part of a spot, as large as a fold
    must be, has at least.

    Parameters
    ----------
    spot
        Patches of the spots' own diameter, ``(m, p, p, 3)``.
    context
        Patches with their surroundings, ``(m, q, q, 3)``: one spot alone has too few
        nuclei to tell of focus.
    glass
        Colour of bare glass.
    """
    wide = optical_density(context, glass).mean(axis=3)
    dense = np.median(wide, axis=(1, 2)) + 10 * _FINEST
    columns = []
    for _ in _BLUR_DEVIATIONS:
        strength = _edges(wide) + _FINEST
        columns.append(np.log(strength / dense))
        wide = _halved(wide)
    own = optical_density(spot, glass).mean(axis=3).reshape(len(spot), -1)
    columns.append(np.quantile(own, 1 - _FOLD_SHARE, axis=1))
    return np.stack(columns, axis=1).astype(np.float32)


def _edges(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean strength of each image's Laplacian, none of tiny images."""
    if min(images.shape[1:]) < 3:
        return np.zeros(len(images), np.float32)
    laplacian = 4 * images[:, 1:-1, 1:-1]
    laplacian -= images[:, :-2, 1:-1]
    laplacian -= images[:, 2:, 1:-1]
    laplacian -= images[:, 1:-1, :-2]
    laplacian -= images[:, 1:-1, 2:]
    return np.asarray(np.abs(laplacian, out=laplacian).mean(axis=(1, 2)))


def _halved(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images of half the side, each pixel the mean of four."""
    height, width = (n // 2 * 2 for n in images.shape[1:])
    whole = images[:, :height, :width]
    rows = whole[:, ::2] + whole[:, 1::2]
    return np.asarray((rows[:, :, ::2] + rows[:, :, 1::2]) / 4)


def flag_spots(
    measured: NDArray[np.float32],
    inside: NDArray[np.floating],
    tissue: NDArray[np.floating],
) -> ImageQuality:
    """Return the flags of a section's spots.

    Parameters
    ----------
    measured
        As `measure_quality` returns it, of a whole section, shape ``(n_spots, 4)``.
    inside
        Share of each spot's patch that lies on the image, ``(n_spots,)``; see
        `napari_semst.morphology.patches.patches`.
    tissue
        Share of the spot that lies on tissue, ``(n_spots,)``; see
        `napari_semst.morphology.tissue_mask.TissueMask.share`.
    """
    outside = inside < LEAST_INSIDE
    background = ~outside & (tissue < LEAST_TISSUE)
    good = ~outside & ~background
    blurred = np.zeros(len(measured), bool)
    folded = np.zeros(len(measured), bool)
    notes: dict[str, Any] = {}
    if good.sum() >= _LEAST_SPOTS:
        for values, deviations in zip(measured.T, _BLUR_DEVIATIONS, strict=False):
            sharp, spread = _usual(values[good])
            least = sharp - max(deviations * spread, float(np.log(_BLUR_FACTOR)))
            blurred |= good & (values < least)
        dense, spread = _usual(measured[good, -1])
        most = dense + max(_FOLD_DEVIATIONS * spread, (_FOLD_FACTOR - 1) * dense)
        folded = good & (measured[:, -1] > most)
        notes["density"] = round(dense, 3)
    else:
        notes["not_judged"] = (
            f"Blur and folds were not looked for: only {int(good.sum())} spots lie on "
            "tissue."
        )
    found = (outside, background, blurred, folded)
    flags = dict(zip(FLAGS, found, strict=True))
    notes["flagged"] = {name: int(one.sum()) for name, one in flags.items()}
    return ImageQuality(flags, ~np.any(found, axis=0), notes)


def _usual(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the median, and the deviation that the median deviation stands for."""
    middle = float(np.median(values))
    return middle, float(1.4826 * np.median(np.abs(values - middle)))
