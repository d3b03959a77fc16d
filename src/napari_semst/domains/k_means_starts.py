"""K-means from many starts in one pass, as beginnings of mixtures.

What scikit-learn's ``KMeans(n_init=1)`` finds from each of several random states, with
all starts in the same products. It draws the same random numbers, so that the starts
are those that scikit-learn has, but for rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.domains.tied_steps import ComponentSums, cached_chunks, with_ones

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Points = NDArray[np.float64]

# Of the mean variance of columns: centres that move less have settled.
_TOLERANCE = 1e-4


def k_means_starts(
    points: Points,
    n_clusters: int,
    states: Sequence[int],
    iterations: int,
    precision: type[np.floating[Any]] = np.float64,
) -> tuple[ComponentSums, NDArray[np.bool_]]:
    """Return the sums of the clusters of every start, and which starts are sound.

    Parameters
    ----------
    points
        Centred, shape ``(n_spots, width)``.
    n_clusters
        At most the number of spots.
    states
        Random state of each start.
    iterations
        At most so many.
    precision
        Of distances and, inside a chunk, of sums; centres are kept in full precision.

    Returns
    -------
    sums
        Numbers of spots of every cluster, and the sums of those.
    sound
        Whether no cluster of a start was ever empty and no two of them alike; of
        others the sums mean nothing. Spots that are alike have such starts.

    Notes
    -----
    Centres begin by k-means++ with several candidates for each (Arthur and
    Vassilvitskii 2007), then Lloyd's iterations.
    """
    rounded = points.astype(precision, copy=False)
    centres = _spread_centres(rounded, n_clusters, states)
    settled = _TOLERANCE * float(points.var(axis=0).mean())
    sound = np.ones(len(states), bool)
    moving, raised = np.arange(len(states)), with_ones(points, precision)
    for _ in range(iterations):
        sums = _nearest_sums(raised, centres[moving])
        sound[moving] &= _is_sound(sums)
        moved = sums.total / np.maximum(sums.size, 1.0)[..., None]
        shift = ((moved - centres[moving]) ** 2).sum(axis=(1, 2))
        centres[moving] = moved
        moving = moving[(shift > settled) & sound[moving]]
        if not len(moving):
            break
    sums = _nearest_sums(raised, centres)
    return sums, sound & _is_sound(sums)


def _is_sound(sums: ComponentSums) -> NDArray[np.bool_]:
    return np.asarray((sums.size > 0).all(axis=1))


def _nearest_sums(raised: NDArray[Any], centres: Points) -> ComponentSums:
    """Return number and sum of the spots that are nearest to each centre."""
    n_starts, n_clusters, _ = centres.shape
    # What all centres share is left out: nothing but their order matters.
    square = (centres**2).sum(axis=2, keepdims=True)
    planes = np.concatenate([-2.0 * centres, square], axis=2)
    planes = planes.reshape(n_starts * n_clusters, -1)
    rounded = planes.astype(raised.dtype, copy=False)
    total = np.zeros(planes.shape)
    for part in cached_chunks(len(raised), len(planes)):
        some = raised[part]
        distance = rounded @ some.T
        by_start = distance.reshape(n_starts, n_clusters, -1)
        nearest = by_start == by_start.min(axis=1, keepdims=True)
        if np.count_nonzero(nearest) > nearest.size // n_clusters:
            # As near to two centres: the first of them has it. Seldom, and slow.
            first = by_start.argmin(axis=1)[:, None]
            nearest = np.arange(n_clusters)[:, None] == first
        total += nearest.reshape(len(planes), -1).astype(raised.dtype) @ some
    return ComponentSums.of_raised(total, n_starts)


def _spread_centres(
    points: NDArray[Any], n_clusters: int, states: Sequence[int]
) -> Points:
    """Return the first centres of every start, ``(n_starts, n_clusters, width)``."""
    n_spots, n_starts = len(points), len(states)
    randoms = [np.random.RandomState(state) for state in states]
    every, n_tries = np.arange(n_starts), 2 + int(np.log(n_clusters))
    square = (points**2).sum(axis=1)
    alike = np.full(n_spots, 1.0 / n_spots)
    picked = np.array([random.choice(n_spots, p=alike) for random in randoms])
    centres = np.empty((n_starts, n_clusters, points.shape[1]))
    centres[:, 0] = points[picked]
    nearest = _squares(points, square, picked)
    left = nearest.sum(axis=1, dtype=np.float64)
    for cluster in range(1, n_clusters):
        drawn = np.array([random.uniform(size=n_tries) for random in randoms])
        drawn *= left[:, None]
        heights = zip(np.cumsum(nearest, axis=1, dtype=np.float64), drawn, strict=True)
        tried = np.array([np.searchsorted(*pair) for pair in heights])
        np.minimum(tried, n_spots - 1, out=tried)
        apart = _squares(points, square, tried.ravel())
        apart = apart.reshape(n_starts, n_tries, n_spots)
        np.minimum(apart, nearest[:, None], out=apart)
        remaining = apart.sum(axis=2, dtype=np.float64)
        best = remaining.argmin(axis=1)
        left, nearest = remaining[every, best], apart[every, best]
        centres[:, cluster] = points[tried[every, best]]
    return centres


def _squares(
    points: NDArray[Any], square: NDArray[Any], rows: NDArray[np.intp]
) -> NDArray[Any]:
    """Return squared distances of some spots to all, ``(n_rows, n_spots)``."""
    apart = (-2.0 * points[rows]) @ points.T
    apart += square
    apart += square[rows][:, None]
    return np.asarray(np.maximum(apart, 0.0, out=apart))
