"""Steps of mixtures with one shared covariance, those of many starts in one pass.

Starts lie side by side as rows of one matrix: a step of all of them is one product for
the densities and one for the statistics, read chunk by chunk of spots so that what
lies between the two never leaves the processor's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.core.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Numbers between the two products, of all starts: a quarter of a megabyte.
_CACHED_NUMBERS = 2**15
_FEWEST_SPOTS = 256
# Keeps the mean of a component without a spot finite.
_NO_SPOT = 1e-9
# In single precision; of a share far below what rounding leaves of the others.
_LEAST_LOG_SHARE = np.float32(-40.0)


class ComponentSums(NamedTuple):
    """What a step needs of the spots of every component.

    Parameters
    ----------
    size
        Sum of the probabilities, ``(n_starts, n_components)``.
    total
        Sum of the spots, each by its probability,
        ``(n_starts, n_components, width)``.
    """

    size: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def of_raised(cls, sums: NDArray[np.float64], n_starts: int) -> ComponentSums:
        """Return both from sums of what `with_ones` returns, a row per component."""
        by_start = sums.reshape(n_starts, -1, sums.shape[1])
        return cls(by_start[..., -1], by_start[..., :-1])


class TiedParameters(NamedTuple):
    """Mixtures, one for each start.

    Parameters
    ----------
    white
        Inverse roots of the shared covariances, ``(n_starts, width, width)``.
    centres
        Means of the components after ``white``, ``(n_starts, n_components, width)``.
    weight
        Shares of the components, ``(n_starts, n_components)``.
    """

    white: NDArray[np.float64]
    centres: NDArray[np.float64]
    weight: NDArray[np.float64]


class ClimbedMixtures(NamedTuple):
    """Mixtures after some steps, the sums behind the next, and how likely they are.

    Parameters
    ----------
    parameters
        Of every start.
    sums
        Under these parameters.
    log_likelihood
        Mean over spots, ``(n_starts,)``.
    """

    parameters: TiedParameters
    sums: ComponentSums
    log_likelihood: NDArray[np.float64]

    def of_start(self, start: int) -> ClimbedMixtures:
        """Return the mixture of a single start."""
        one = slice(start, start + 1)
        return ClimbedMixtures(
            TiedParameters(*(part[one] for part in self.parameters)),
            ComponentSums(*(part[one] for part in self.sums)),
            self.log_likelihood[one],
        )


def with_ones(
    points: NDArray[np.float64], precision: type[np.floating[Any]] = np.float64
) -> NDArray[Any]:
    """Return points with a column of ones, so that products add and count as well."""
    return np.column_stack([points, np.ones(len(points))]).astype(precision, copy=False)


def cached_chunks(n_spots: int, n_rows: int) -> Iterator[slice]:
    """Yield slices of spots so that ``n_rows`` numbers of each stay in the cache."""
    return chunks(n_spots, max(_FEWEST_SPOTS, _CACHED_NUMBERS // n_rows))


def sums_of(
    points: NDArray[np.float64], posterior: NDArray[np.float64]
) -> ComponentSums:
    """Return the sums of one start whose posterior ``(n_spots, n_components)`` is."""
    return ComponentSums(posterior.sum(axis=0)[None], (posterior.T @ points)[None])


def climbed(
    points: NDArray[np.float64],
    sums: ComponentSums,
    steps: int,
    ridge: float,
    tolerance: float,
    precision: type[np.floating[Any]] = np.float64,
) -> ClimbedMixtures:
    """Return mixtures after steps of expectation maximisation from some sums.

    Parameters
    ----------
    points
        Scaled values, shape ``(n_spots, width)``.
    steps
        Steps at most, at least one.
    ridge
        Added to the covariances' diagonals.
    tolerance
        Gain in mean log-likelihood below which they have converged, all of them.
    precision
        Of what is done for every spot; chunks are added up, and parameters made, in
        full precision.
    """
    n_spots, width = points.shape
    second = points.T @ points / n_spots
    raised = with_ones(points, precision)
    last = np.full(len(sums.size), -np.inf)
    for _ in range(steps):
        now = _maximised(sums, second, n_spots, ridge)
        sums, evidence = _expected(raised, now)
        # The mean of squared lengths after whitening is a trace.
        square = ((now.white @ second) * now.white).sum(axis=(1, 2))
        roots = np.log(np.diagonal(now.white, axis1=1, axis2=2)).sum(axis=1)
        likelihood = evidence - 0.5 * square + roots - 0.5 * width * np.log(2 * np.pi)
        if (likelihood - last).max() < tolerance:
            break
        last = likelihood
    return ClimbedMixtures(now, sums, likelihood)


def component_logits(
    points: NDArray[np.float64],
    white: NDArray[np.float64],
    centres: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return log densities of one mixture, up to what a spot's components share.

    Parameters
    ----------
    points
        Shape ``(n_spots, width)``.
    white, centres, weight
        As in `TiedParameters`, of one start.

    Returns
    -------
    logits
        Shape ``(n_components, n_spots)``.
    """
    logits = (centres @ white) @ points.T
    logits += (np.log(weight) - 0.5 * (centres**2).sum(axis=1))[:, None]
    return np.asarray(logits)


def normalise_logits(logits: NDArray[Any]) -> NDArray[Any]:
    """Turn logits into probabilities in place; return every spot's log evidence.

    Parameters
    ----------
    logits
        Components on the last axis but one, spots on the last.
    """
    top = logits.max(axis=-2)
    logits -= top[..., None, :]
    if logits.dtype == np.float32:
        # What is smaller than a normal number takes a hundred times as long, in the
        # products that follow as well.
        np.maximum(logits, _LEAST_LOG_SHARE, out=logits)
    np.exp(logits, out=logits)
    total = logits.sum(axis=-2)
    logits *= (1 / total)[..., None, :]
    return np.asarray(top + np.log(total))


def _maximised(
    sums: ComponentSums, second: NDArray[np.float64], n_spots: int, ridge: float
) -> TiedParameters:
    """Return the likeliest parameters for some sums."""
    width = len(second)
    size = sums.size + _NO_SPOT
    mean, weight = sums.total / size[..., None], size / n_spots
    covariance = second - (mean * weight[..., None]).swapaxes(1, 2) @ mean
    covariance[:, np.arange(width), np.arange(width)] += ridge
    white = np.linalg.inv(np.linalg.cholesky(covariance))
    return TiedParameters(white, mean @ white.swapaxes(1, 2), weight)


def _expected(
    raised: NDArray[Any], parameters: TiedParameters
) -> tuple[ComponentSums, NDArray[np.float64]]:
    """Return the sums under some parameters, and the mean log-evidence of a start.

    The evidence is up to what all components share.
    """
    n_starts, n_components, _ = parameters.centres.shape
    slopes = parameters.centres @ parameters.white
    offsets = np.log(parameters.weight) - 0.5 * (parameters.centres**2).sum(axis=2)
    planes = np.concatenate([slopes, offsets[..., None]], axis=2)
    planes = planes.reshape(n_starts * n_components, -1)
    rounded = planes.astype(raised.dtype, copy=False)
    total, evidence = np.zeros(planes.shape), np.zeros(n_starts)
    for part in cached_chunks(len(raised), len(planes)):
        some = raised[part]
        flat = rounded @ some.T
        shares = flat.reshape(n_starts, n_components, -1)
        evidence += normalise_logits(shares).sum(axis=1, dtype=np.float64)
        total += flat @ some
    return ComponentSums.of_raised(total, n_starts), evidence / len(raised)
