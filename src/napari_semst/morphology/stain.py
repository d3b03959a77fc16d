"""Haematoxylin and eosin: how much of each is where, and one look for all images.

Light is weakened exponentially by stain (Beer and Lambert): minus the logarithm of
what is left, the optical density, is a sum of stains. Stain vectors are estimated as
by Macenko et al., "A method for normalizing histology slides for quantitative
analysis", ISBI 2009, with their thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Optical density below which a pixel is taken as bare, and the percentile of angles
# that is taken as the extreme, both Macenko's.
_BARE, _EXTREME = 0.15, 1.0
# Percentile that is taken as the largest density of a stain.
_MOST = 99.0
_LEAST_PIXELS = 500
_SAMPLE = 200_000
# Two vectors closer than this, in degrees, are one stain.
_LEAST_ANGLE = 5.0
# A common look of haematoxylin and eosin, red, green, blue, and how dense both get: the
# target of Macenko's method in the software of M. Veta.
_USUAL = np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]])
_USUAL_MOST = np.array([1.97, 1.03])
# Vectors further than this from the usual ones, in degrees, are other stains.
_LARGEST_ANGLE = 40.0
WHITE = (255.0, 255.0, 255.0)


@dataclass(frozen=True, eq=False)
class Stains:
    """How haematoxylin and eosin look in an image.

    Parameters
    ----------
    vectors
        Optical densities of red, green and blue, rows haematoxylin and eosin, each of
        length 1, shape ``(2, 3)``.
    most
        Large densities of both in this image (99th percentiles), shape ``(2,)``.
    glass
        Colour of light without stain, RGB from 0 to 255.
    source
        Where the vectors are from, in a sentence.
    """

    vectors: NDArray[np.float32]
    most: NDArray[np.float32]
    glass: tuple[float, float, float]
    source: str

    def notes(self) -> dict[str, Any]:
        """Return plain values for the provenance."""
        return {
            "source": self.source,
            "haematoxylin": [round(float(x), 4) for x in self.vectors[0]],
            "eosin": [round(float(x), 4) for x in self.vectors[1]],
            "most": [round(float(x), 4) for x in self.most],
            "glass": [round(float(x), 1) for x in self.glass],
        }


# The look that images are brought to.
REFERENCE_STAINS = Stains(
    (_USUAL / np.linalg.norm(_USUAL, axis=1, keepdims=True)).astype(np.float32),
    _USUAL_MOST.astype(np.float32),
    WHITE,
    "The usual look of haematoxylin and eosin.",
)


def optical_density(
    pixels: NDArray[Any], glass: tuple[float, float, float] = WHITE
) -> NDArray[np.float32]:
    """Return minus the natural logarithm of the light that is left, 0 or more.

    Parameters
    ----------
    pixels
        RGB from 0 to 255, shape ``(..., 3)``.
    glass
        RGB of light that nothing weakened.
    """
    full = np.asarray(glass, np.float32) + 1
    if pixels.dtype == np.uint8:
        # A table of all values is far quicker than their logarithms.
        values = np.arange(1, 257, dtype=np.float32)
        table = np.maximum(-np.log(values[:, None] / full), 0).astype(np.float32)
        density = np.empty(pixels.shape, np.float32)
        for channel in range(3):
            density[..., channel] = table[:, channel][pixels[..., channel]]
        return density
    kept = np.maximum(-np.log((pixels.astype(np.float32) + 1) / full), 0)
    return np.asarray(kept, np.float32)


def estimate_stains(
    pixels: NDArray[np.uint8],
    glass: tuple[float, float, float] = WHITE,
    seed: int = 0,
) -> Stains:
    """Return the stain vectors of an image, estimated from pixels of its tissue.

    Parameters
    ----------
    pixels
        RGB, shape ``(..., 3)``, for instance patches of some hundred spots.
    glass
        Colour of bare glass; see `napari_semst.morphology.tissue_mask`.

    Returns
    -------
    Stains
        Where no two stains can be told apart, the usual vectors; `Stains.source`
        says so.
    """
    flat = pixels.reshape(-1, 3)
    if len(flat) > _SAMPLE:
        flat = flat[np.random.default_rng(seed).choice(len(flat), _SAMPLE, False)]
    density = optical_density(flat, glass)
    # Black and white have no colour that tells of stains.
    good = (density.min(axis=1) > _BARE / 3) & (density.max(axis=1) < 4)
    stained = density[good & (density.mean(axis=1) > _BARE)]
    vectors, why = _vectors(stained)
    if vectors is None:
        vectors = REFERENCE_STAINS.vectors
        source = f"{why}: the usual vectors of haematoxylin and eosin are taken."
    else:
        source = f"Estimated from {len(stained):,} pixels (Macenko et al., 2009)."
    used = stained if len(stained) else density
    amounts = used @ np.linalg.pinv(vectors)
    most = np.maximum(np.percentile(amounts, _MOST, axis=0), 0.05)
    return Stains(vectors, most.astype(np.float32), glass, source)


def _vectors(
    density: NDArray[np.float32],
) -> tuple[NDArray[np.float32] | None, str]:
    """Return haematoxylin and eosin, or None and why they cannot be told apart."""
    if len(density) < _LEAST_PIXELS:
        return None, f"Only {len(density):,} pixels are stained"
    # The plane that holds most of the densities, through the origin.
    _, axes = np.linalg.eigh(np.cov(density, rowvar=False))
    plane = axes[:, [2, 1]]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1, 1)
    on_plane = density @ plane
    angles = np.arctan2(on_plane[:, 1], on_plane[:, 0])
    ends = np.percentile(angles, [_EXTREME, 100 - _EXTREME])
    if np.degrees(ends[1] - ends[0]) < _LEAST_ANGLE:
        return None, "The image has one colour only"
    both = np.stack([np.cos(ends), np.sin(ends)], axis=1) @ plane.T
    both = np.maximum(both, 0)
    lengths = np.linalg.norm(both, axis=1, keepdims=True)
    if (lengths < 1e-3).any():
        return None, "The colours of the image are no stains"
    both = both / lengths
    # Haematoxylin is the one that takes more of the red light, for its amount of all.
    first = int(np.argmax(both[:, 0]))
    pair = both[[first, 1 - first]]
    if _unlike(pair):
        return None, "The colours of the image are unlike haematoxylin and eosin"
    return pair.astype(np.float32), ""


def _unlike(vectors: NDArray[np.floating]) -> bool:
    """Return whether vectors are far from how the stains look in any laboratory."""
    cosines = (vectors * REFERENCE_STAINS.vectors).sum(axis=1)
    return bool((np.degrees(np.arccos(np.clip(cosines, -1, 1))) > _LARGEST_ANGLE).any())


def normalise_stains(
    pixels: NDArray[np.uint8], stains: Stains, reference: Stains = REFERENCE_STAINS
) -> NDArray[np.uint8]:
    """Return pixels as they would look with the stains of a reference.

    Parameters
    ----------
    pixels
        RGB, shape ``(..., 3)``.
    stains
        Of the image that the pixels are from.
    """
    density = optical_density(pixels, stains.glass)
    to_stain = np.linalg.pinv(stains.vectors) * (reference.most / stains.most)
    # What two stains do not explain stays, else folds and blood would vanish.
    apart = np.linalg.pinv(stains.vectors)
    rest = np.eye(3) - apart @ stains.vectors
    change = (to_stain @ reference.vectors + rest).astype(np.float32)
    light = np.exp(-(density @ change)) * (np.asarray(reference.glass, np.float32) + 1)
    return np.asarray(np.clip(light - 1 + 0.5, 0, 255), np.uint8)
