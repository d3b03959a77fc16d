"""A stain that fades across the slide is levelled before images are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]

STAIN_TREND = 0.08
"""Share of the image's variance from which on a trend across the slide is the stain's:
without any it was 0.02 to 0.05 of simulated sections, with one 0.13 and more."""


# Share of a coordinate that expression may tell: of layers straight across the slide
# nobody can say what is the stain's.
_ANATOMY = 0.95


def without_stain_trend(
    image: Floats,
    expression: Floats,
    places: Doubles,
    sections: NDArray[np.int64],
    usable: Bools,
    regional: Callable[[Floats], Floats],
) -> tuple[Floats, float]:
    """Return features of the image less a stain that changes across the slide.

    A trend is what changes straight along the coordinates beyond what expression leads
    to expect: anatomy changes both. It has to be there in spots and in regional means:
    single spots tell anatomy with noise, which leaves some of it to the coordinates.
    Where it is small, or expression tells the place along it, it is anatomy and stays.

    Parameters
    ----------
    image
        Features of variances about 1, ``(n_spots, n_features)``.
    expression
        Components of expression, ``(n_spots, width)``.
    places
        Coordinates, ``(n_spots, 2)``.
    regional
        From values of spots to means over near and usable ones, of the same shape.

    Returns
    -------
    image, share
        The features, and what share of their variance the trend is, at most of any
        section.
    """
    level, largest = image, 0.0
    near_image, near_expression = regional(image), regional(expression)
    for one in range(int(sections.max()) + 1):
        inside = np.flatnonzero((sections == one) & usable)
        if len(inside) <= 4 * (2 * expression.shape[1] + 3):
            continue
        whole = float(image[inside].var(axis=0, dtype=np.float64).sum())
        apart = places[inside] - places[inside].mean(axis=0)
        apart /= max(float(np.abs(apart).max()), 1e-12)
        along = _untold(apart, near_expression[inside])
        if not along.shape[1]:
            continue
        slopes = _beyond(along, expression[inside], image[inside])
        near = _beyond(along, near_expression[inside], near_image[inside])
        found = [float((along @ one).var(axis=0).sum()) for one in (slopes, near)]
        share = min(found) / max(whole, 1e-12)
        largest = max(largest, share)
        if share >= STAIN_TREND:
            level = level.copy() if level is image else level
            level[inside] -= (along @ near).astype(np.float32)
    return level, largest


def _untold(apart: Doubles, told: Floats) -> Doubles:
    """Return the coordinates that expression does not tell, ``(n, 0 to 2)``."""
    from scipy.linalg import eigh

    if np.linalg.matrix_rank(apart) < apart.shape[1]:
        # Spots along a line: one coordinate, and none where all are at one place.
        found, size, _ = np.linalg.svd(apart, full_matrices=False)
        apart = (found * size)[:, size > 1e-9]
        if not apart.shape[1]:
            return apart
    terms = _terms(told)
    rest = apart - terms @ np.linalg.lstsq(terms, apart, rcond=None)[0]
    # Shares of two coordinates that are left, from least to most.
    left, axes = eigh(rest.T @ rest, apart.T @ apart)
    beyond: Doubles = apart @ axes[:, left >= 1 - _ANATOMY]
    return beyond


def _beyond(along: Doubles, told: Floats, seen: Floats) -> Doubles:
    """Return how features change along coordinates beyond expression."""
    both = np.column_stack([_terms(told), along])
    found = np.linalg.lstsq(both, seen.astype(np.float64), rcond=None)[0]
    slopes: Doubles = found[-along.shape[1] :]
    return slopes


def _terms(told: Floats) -> Doubles:
    known = told.astype(np.float64)
    return np.column_stack([np.ones(len(known)), known, known**2])
