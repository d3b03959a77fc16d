"""What the comparison of image and expression reads of each spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.chunks import chunks
from napari_semst.prepare.components import FITTED_SPOTS, smooth_over_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.prepare.section import Section

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

# Components of expression that are predicted, and rounds of averaging over neighbours.
_COMPONENTS, _ROUNDS = 20, 1
# Axes of the image itself, and of it with its surroundings.
_OWN_AXES, _AXES = 50, 30
_CHUNK_SPOTS = 8192
# Part of the largest variance below which an axis is rounding.
_ROUNDING = 1e-9


def expression_of(inputs: GuidedInputs, section: Section) -> Floats:
    """Return components of expression with variances of 1, ``(n_spots, width)``."""
    values = smooth_over_neighbours(
        inputs.components.logged[:, :_COMPONENTS], section.average, _ROUNDS
    )
    values = _inside(values, inputs)
    variance, axes = leading_axes(values, inputs.usable, values.shape[1])
    return projected(values, axes / np.sqrt(variance))


def image_of(inputs: GuidedInputs, section: Section) -> Floats:
    """Return axes of each spot's image and its surroundings, ``(n_spots, width)``.

    Returns
    -------
    numpy.ndarray
        The mean squared distance of two usable spots is 2.
    """
    image, usable = inputs.image, inputs.usable
    assert image is not None, "a prediction was asked for without an image"
    own = projected(image, leading_axes(image, usable, _OWN_AXES)[1])
    own = _inside(own, inputs)
    around = _inside(average_of_usable(own, section, usable, 1), inputs)
    size = np.sqrt(own[usable].var(axis=0).sum() / around[usable].var(axis=0).sum())
    both = np.hstack([own, around * size])
    variance, axes = leading_axes(both, usable, _AXES)
    # Between the image's own scale and one on which all axes count alike.
    scale = variance**-0.25 / np.sqrt(np.sqrt(variance).sum())
    return projected(both, axes * scale)


def _inside(values: Floats, inputs: GuidedInputs) -> Floats:
    """Return values less the means of their sections' usable spots."""
    centred = np.array(values, np.float32)
    codes = np.zeros(len(centred), np.int64)
    codes = codes if inputs.sections is None else inputs.sections
    for section in range(int(codes.max()) + 1):
        inside = codes == section
        known = inside & inputs.usable
        if known.any():
            centred[inside] -= centred[known].mean(axis=0, dtype=np.float64)
    return centred


def average_of_usable(
    values: Floats, section: Section, usable: NDArray[np.bool_], rounds: int
) -> Floats:
    """Return the mean of each spot's usable neighbours, itself among them.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, width)``, 0 where no spot near is usable.
    """
    share = smooth_over_neighbours(
        usable[:, None].astype(np.float32), section.average, rounds
    )
    kept = np.where(usable[:, None], values, np.float32(0))
    total = smooth_over_neighbours(kept, section.average, rounds)
    mean: Floats = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    return mean


def leading_axes(
    values: Floats, kept: NDArray[np.bool_], width: int
) -> tuple[Doubles, Doubles]:
    """Return variances about 0 and axes, ``(n,)`` and ``(width_in, n)``, largest first.

    Of many spots those that stand evenly apart are read.

    Parameters
    ----------
    values
        Shape ``(n_spots, width_in)``.
    kept
        Spots that count.
    width
        How many at most; axes of no variance are left out.
    """
    spots = np.flatnonzero(kept)
    spots = spots[:: max(len(spots) // FITTED_SPOTS, 1)]
    square = np.zeros((values.shape[1],) * 2)
    for part in chunks(len(spots), _CHUNK_SPOTS):
        some = values[spots[part]].astype(np.float64)
        square += some.T @ some
    variance, axes = falling(square / max(len(spots), 1))
    real = int((variance > _ROUNDING * max(variance[0], 1e-300)).sum())
    wanted = max(min(width, real), 1)
    return variance[:wanted], axes[:, :wanted]


def falling(symmetric: Doubles) -> tuple[Doubles, Doubles]:
    """Return eigenvalues, largest first, and eigenvectors with a sign of their own."""
    values, axes = np.linalg.eigh(symmetric)
    # An axis has no direction of its own: its largest entry shall be positive.
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(len(axes))]
    axes = axes * np.where(largest < 0, -1.0, 1.0)
    return values[::-1], axes[:, ::-1]


def projected(values: Floats, axes: Doubles) -> Floats:
    """Return values on axes, ``(n_spots, n_axes)``."""
    found: Floats = values @ axes.astype(np.float32)
    return found
