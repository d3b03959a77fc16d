"""What can be measured of a patch without any network: stains, texture, nuclei.

Every number is of one patch alone, so that it does not matter which patches are
measured together. Patches are read inside the disc that fits into them: what a
section's orientation puts into their corners does not count.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.errors import InputError
from napari_semst.morphology.stain import REFERENCE_STAINS, optical_density

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.morphology.stain import Stains


# Optical density above its surroundings at which haematoxylin is taken for a nucleus.
_NUCLEUS = 0.18
# Smallest nucleus, in pixels of a patch.
_LEAST_AREA = 6
# Optical density under which a pixel is called pale: glass, fat, a vessel's lumen.
_PALE = 0.18
_BANDS = ("fine", "middle", "coarse")
_TOLERANCE = 0.023
# Circle of eight neighbours, in order.
_AROUND = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
_PATTERNS = ("peak", "corner", "edge", "hollow", "mixed")


class _Stained(NamedTuple):
    """The pixels of patches as stains have it, each ``(m, p, p)``."""

    haematoxylin: NDArray[np.float32]
    eosin: NDArray[np.float32]
    rest: NDArray[np.float32]
    density: NDArray[np.float32]


def describe_patches(
    spot_patches: NDArray[np.uint8],
    context_patches: NDArray[np.uint8],
    stains: Stains = REFERENCE_STAINS,
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Measure stains, intensity, texture and nuclei of patches.

    Parameters
    ----------
    spot_patches
        As wide as the spot, shape ``(m, p, p, 3)``.
    context_patches
        As wide as its surroundings, shape ``(m, q, q, 3)``.

    Returns
    -------
    features, names
        Shape ``(m, n_features)``, and what each of them is.

    Raises
    ------
    InputError
        If the patches are of other shapes, or of another type than ``uint8``.
    """
    parts, names = [], []
    for patches, where in ((spot_patches, "spot"), (context_patches, "context")):
        _check(patches, where)
        for name, values in _measured(patches, stains).items():
            names.append(f"{name}, {where}")
            parts.append(values.astype(np.float32))
    if len(spot_patches) != len(context_patches):
        raise InputError(
            "Expected as many patches of spots as of their context; got "
            f"{len(spot_patches)} and {len(context_patches)}."
        )
    return np.stack(parts, axis=1), tuple(names)


def _check(patches: NDArray[np.uint8], where: str) -> None:
    shape = patches.shape
    fits = len(shape) == 4 and shape[3] == 3 and shape[1] == shape[2] >= 16
    if not fits or patches.dtype != np.uint8:
        raise InputError(
            f"Expected patches of the {where} as uint8 of shape (m, p, p, 3), p at "
            f"least 16; found {patches.dtype} of shape {shape}."
        )


def _measured(
    patches: NDArray[np.uint8], stains: Stains
) -> dict[str, NDArray[np.float32]]:
    """Return every measure of patches by its name, each ``(m,)``."""
    disc = _disc(patches.shape[1])
    stained = _separated(patches, stains)
    return {
        **_colours(patches, stained, disc),
        **_texture(stained.haematoxylin, "haematoxylin", disc),
        **_texture(stained.density, "density", disc),
        **_patterns(stained.density, disc),
        **_orientation(stained.density, disc),
        **_nuclei(stained.haematoxylin, disc),
    }


@lru_cache(maxsize=8)
def _disc(side: int) -> NDArray[np.bool_]:
    """Return which pixels of a patch lie in its disc, shape ``(side, side)``."""
    from_centre = (np.arange(side) - (side - 1) / 2) ** 2
    return np.asarray(from_centre[:, None] + from_centre <= (side / 2) ** 2)


def _separated(patches: NDArray[np.uint8], stains: Stains) -> _Stained:
    """Return the density of each stain: colour deconvolution."""
    third = np.cross(*stains.vectors)
    basis = np.vstack([stains.vectors, third / np.linalg.norm(third)])
    density = optical_density(patches, stains.glass)
    amounts = density @ np.linalg.inv(basis).astype(np.float32)
    first, second, rest = (
        np.ascontiguousarray(amounts[..., stain]) for stain in range(3)
    )
    return _Stained(first, second, rest, density.mean(axis=3))


def _colours(
    patches: NDArray[np.uint8], stained: _Stained, disc: NDArray[np.bool_]
) -> dict[str, NDArray[np.float32]]:
    measures: dict[str, NDArray[np.float32]] = {}
    for name in ("haematoxylin", "eosin"):
        values = getattr(stained, name)[:, disc]
        measures[f"{name}, mean"] = values.mean(axis=1)
        measures[f"{name}, deviation"] = values.std(axis=1)
        low, high = np.percentile(values, (10, 90), axis=1)
        measures[f"{name}, 10th percentile"] = low
        measures[f"{name}, 90th percentile"] = high
    measures["other colour, mean"] = stained.rest[:, disc].mean(axis=1)
    density = stained.density[:, disc]
    measures["density, deviation"] = density.std(axis=1)
    measures["pale pixels, share"] = (density < _PALE).mean(axis=1)
    pixels = patches[:, disc].astype(np.float32) / 255
    red, green, blue = (pixels[..., channel] for channel in range(3))
    for name, channel in (("red", red), ("green", green), ("blue", blue)):
        measures[f"{name}, mean"] = channel.mean(axis=1)
    brightest = np.maximum(np.maximum(red, green), blue)
    spread = brightest - np.minimum(np.minimum(red, green), blue)
    measures["saturation, mean"] = (spread / np.maximum(brightest, 1e-3)).mean(axis=1)
    return measures


def _gaussian(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    smooth: NDArray[np.float32] = gaussian_filter(
        values, (0, sigma, sigma), mode="nearest", truncate=3.0
    )
    return smooth


def _texture(
    values: NDArray[np.float32], name: str, disc: NDArray[np.bool_]
) -> dict[str, NDArray[np.float32]]:
    """Return how much there is of structures of three sizes."""
    measures = {}
    levels = _smoother(values)
    for scale, finer, coarser in zip(_BANDS, levels[:-1], levels[1:], strict=True):
        step = values.shape[1] // coarser.shape[1]
        every = finer.shape[1] // coarser.shape[1]
        difference = finer[:, ::every, ::every] - coarser
        band = difference[:, disc[::step, ::step]]
        square = band * band
        energy = np.sqrt(square.mean(axis=1))
        measures[f"{name}, {scale} texture"] = np.log(energy + 1e-3)
        if name == "haematoxylin":
            # Above 0 for dark dots on bright ground, below for the reverse.
            cubed = (square * band).mean(axis=1)
            measures[f"{name}, {scale} dots"] = cubed / (energy**3 + 1e-6)
    return measures


def _smoother(values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return patches at Gaussian scales of 1, 2, 4 and 8 pixels.

    The two last have every second pixel only: nothing finer is left in them.
    """
    first = _gaussian(values, 1.0)
    second = _gaussian(first, 3**0.5)
    half = np.ascontiguousarray(second[:, ::2, ::2])
    third = _gaussian(half, 3**0.5)
    return [first, second, third, _gaussian(third, 12**0.5)]


@lru_cache(maxsize=1)
def _pattern_classes() -> NDArray[np.uint8]:
    """Return which of `_PATTERNS` each of 256 circles of neighbours is.

    By how many neighbours are denser, where they are one arc; mixed where they are
    several (Ojala, Pietikainen and Maenpaa, 2002).
    """
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    one_arc = np.array([0, 1, 1, 2, 2, 2, 3, 3, 3])[bits.sum(axis=1)]
    return np.where(changes <= 2, one_arc, 4).astype(np.uint8)


def _patterns(
    density: NDArray[np.float32], disc: NDArray[np.bool_]
) -> dict[str, NDArray[np.float32]]:
    """Return shares of local binary patterns at two scales."""
    measures = {}
    n_patches, side = density.shape[:2]
    offsets = np.arange(n_patches, dtype=np.int32)[:, None] * len(_PATTERNS)
    for scale, radius, sigma in (("fine", 1, 0.7), ("coarse", 4, 2.0)):
        smooth = _gaussian(density, sigma)
        inner = slice(radius, side - radius)
        middle = smooth[:, inner, inner] + _TOLERANCE
        codes = np.zeros(middle.shape, np.uint8)
        for bit, (down, right) in enumerate(_AROUND):
            rows = slice(radius + down * radius, side - radius + down * radius)
            columns = slice(radius + right * radius, side - radius + right * radius)
            codes |= (smooth[:, rows, columns] > middle).astype(np.uint8) << bit
        classes = _pattern_classes()[codes[:, disc[inner, inner]]] + offsets
        counts = np.bincount(classes.ravel(), minlength=n_patches * len(_PATTERNS))
        shares = counts.reshape(n_patches, -1) / classes.shape[1]
        for name, share in zip(_PATTERNS, shares.T, strict=True):
            measures[f"{scale} pattern, {name}"] = share
    return measures


def _orientation(
    density: NDArray[np.float32], disc: NDArray[np.bool_]
) -> dict[str, NDArray[np.float32]]:
    """Return how steep and how parallel gradients are: the structure tensor."""
    measures = {}
    for scale, sigma in (("fine", 1.0), ("coarse", 3.0)):
        smooth = _gaussian(density, sigma)
        down, right = (np.gradient(smooth, axis=axis)[:, disc] for axis in (1, 2))
        square_down, square_right = (down**2).mean(axis=1), (right**2).mean(axis=1)
        both = square_down + square_right
        mixed = (down * right).mean(axis=1)
        along = np.sqrt((square_down - square_right) ** 2 + 4 * mixed**2)
        measures[f"{scale} gradient"] = np.log(np.sqrt(both) + 1e-3)
        measures[f"{scale} gradient, parallel"] = along / (both + 1e-7)
    return measures


def _nuclei(
    haematoxylin: NDArray[np.float32], disc: NDArray[np.bool_]
) -> dict[str, NDArray[np.float32]]:
    """Return how many blobs of haematoxylin there are, and their size and darkness."""
    from scipy import ndimage

    n_patches, side = haematoxylin.shape[:2]
    around = ndimage.uniform_filter(haematoxylin, (1, side // 2, side // 2))
    above = _gaussian(haematoxylin, 0.8) - around
    dark = (above > _NUCLEUS) & disc
    # Pixels of one patch hang together, those of different patches never.
    structure = np.zeros((3, 3, 3), bool)
    structure[1] = ndimage.generate_binary_structure(2, 1)
    labels, count = ndimage.label(dark, structure)
    flat = labels.ravel()
    areas = np.bincount(flat, minlength=count + 1)[1:]
    weights = np.bincount(flat, haematoxylin.ravel(), count + 1)[1:]
    first = np.unique(flat, return_index=True)[1][-count:] if count else flat[:0]
    owner = first // side**2
    kept = areas >= _LEAST_AREA
    owner, areas, weights = owner[kept], areas[kept], weights[kept]
    number = np.bincount(owner, minlength=n_patches)
    area = np.bincount(owner, areas, n_patches)
    squares = np.bincount(owner, areas.astype(float) ** 2, n_patches)
    some = np.maximum(number, 1)
    pixels = disc.sum()
    variance = np.maximum(squares / some - (area / some) ** 2, 0)
    dense = np.bincount(owner, weights, n_patches) / np.maximum(area, 1)
    return {
        "nuclei, number": np.log1p(number),
        "nuclei, share of area": area / pixels,
        "nuclei, mean area": np.sqrt(area / some / pixels),
        "nuclei, deviation of area": np.sqrt(np.sqrt(variance) / pixels),
        "nuclei, haematoxylin": dense,
    }
