"""Gaussian mixtures with one shared covariance, from many starts."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.core.chunks import chunks
from napari_semst.core.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Short runs from several starts, the best carried on (em-EM, Biernacki et al. 2003).
# The likelihood ranks local optima well and a single start rarely finds the best one:
# that, not the representation, is why one seed disagrees with the next.
SHORT_STEPS = 15
LONG_STEPS = 200
TOLERANCE = 1e-5
_RIDGE = 1e-6
_START_ITERATIONS = 20


class Mixture(NamedTuple):
    """A fitted mixture.

    Parameters
    ----------
    posterior
        Probability of each component for each spot it was fitted to,
        ``(n_spots, n_components)``.
    log_likelihood
        Mean over spots.
    white
        Inverse root of the shared covariance, ``(width, width)``.
    centres
        Means of the components after ``white``, ``(n_components, width)``.
    weight
        Shares of the components.
    """

    posterior: NDArray[np.float64]
    log_likelihood: float
    white: NDArray[np.float64]
    centres: NDArray[np.float64]
    weight: NDArray[np.float64]

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the posterior of any spots, scaled as those of the fit."""
        spots = values @ self.white.T
        return _expected(spots, self.centres, self.weight)[0].astype(np.float32)

    def log_posterior(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the log of the same, up to what a spot's domains share."""
        logits = _logits(values @ self.white.T, self.centres, self.weight)
        logits -= logits.max(axis=1, keepdims=True)
        return logits.astype(np.float32)


class Standardizer(NamedTuple):
    """The centre and size of a section's values, so that a ridge means the same.

    Parameters
    ----------
    centre
        Mean of every column, ``(width,)``.
    size
        Root mean square of all values about it; 1 where they are all alike.
    """

    centre: NDArray[np.float64]
    size: float

    @classmethod
    def fit(cls, values: NDArray[np.floating[Any]]) -> Standardizer:
        """Return the units of values ``(n_spots, width)``."""
        centre = values.mean(axis=0, dtype=np.float64)
        square = sum(
            float(((values[part] - centre) ** 2).sum()) for part in chunks(len(values))
        )
        return cls(centre, float(np.sqrt(square / max(values.size, 1))) or 1.0)

    def transform(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return values in these units."""
        return np.asarray((values - self.centre) / self.size)


def scaled(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return values centred and of mean square 1."""
    return Standardizer.fit(values).transform(values)


def one_hot(labels: NDArray[np.integer[Any]], n_components: int) -> NDArray[np.float64]:
    """Return labels as rows with a single 1."""
    rows = np.zeros((len(labels), n_components))
    rows[np.arange(len(labels)), labels] = 1.0
    return rows


def fit_tied(
    values: NDArray[np.float64],
    posterior: NDArray[np.float64],
    steps: int = LONG_STEPS,
    ridge: float = _RIDGE,
    tolerance: float = TOLERANCE,
) -> Mixture:
    """Fit a mixture with one shared covariance by expectation maximisation.

    The model of scikit-learn's ``GaussianMixture(covariance_type="tied")`` (mclust's
    EEE); ours starts from any posterior and needs two matrix products a step.

    Parameters
    ----------
    values
        Scaled values, shape ``(n_spots, width)``.
    posterior
        Where to start, ``(n_spots, n_components)``.
    steps
        Steps at most, at least one.
    ridge
        Added to the covariance's diagonal.
    tolerance
        Gain in mean log-likelihood below which it has converged.
    """
    n_spots, width = values.shape
    second, last = values.T @ values / n_spots, -np.inf
    for _ in range(steps):
        size = posterior.sum(axis=0) + 1e-9
        mean, weight = (posterior.T @ values) / size[:, None], size / n_spots
        covariance = second - (mean * weight[:, None]).T @ mean
        covariance.flat[:: width + 1] += ridge
        white = np.linalg.inv(np.linalg.cholesky(covariance))
        spots, centres = values @ white.T, mean @ white.T
        posterior, evidence = _expected(spots, centres, weight)
        likelihood = float(
            evidence
            - 0.5 * (spots**2).sum() / n_spots
            + np.log(np.diag(white)).sum()
            - 0.5 * width * np.log(2 * np.pi)
        )
        if likelihood - last < tolerance:
            break
        last = likelihood
    return Mixture(posterior, likelihood, white, centres, weight)


def _expected(
    spots: NDArray[np.float64],
    centres: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Return the posterior, and the mean log-evidence up to what all share."""
    logits = _logits(spots, centres, weight)
    top = logits.max(axis=1, keepdims=True)
    posterior = np.exp(logits - top)
    total = posterior.sum(axis=1, keepdims=True)
    posterior /= total
    return posterior, float((top + np.log(total)).mean())


def _logits(
    spots: NDArray[np.float64],
    centres: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    logits = spots @ centres.T
    logits += np.log(weight) - 0.5 * (centres**2).sum(axis=1)
    return np.asarray(logits)


def k_means(
    points: NDArray[np.floating[Any]],
    n_clusters: int,
    n_starts: int,
    seed: int,
    iterations: int = 300,
    fitted: NDArray[np.int64] | None = None,
) -> NDArray[np.integer[Any]]:
    """Return the cluster of each spot; clusters stay empty where spots are alike.

    Parameters
    ----------
    points
        Shape ``(n_spots, width)``.
    n_clusters, n_starts, seed, iterations
        As scikit-learn's ``KMeans``.
    fitted
        Spots that centres are found in; all of them where `None`.
    """
    search = _search(n_clusters, n_starts, seed, iterations)
    with alike_spots_allowed():
        if fitted is None or len(fitted) == len(points):
            return np.asarray(search.fit_predict(points))
        return np.asarray(search.fit(points[fitted]).predict(points))


def _search(n_clusters: int, n_starts: int, seed: int, iterations: int) -> Any:
    from sklearn.cluster import KMeans

    return KMeans(n_clusters, n_init=n_starts, max_iter=iterations, random_state=seed)


@contextmanager
def alike_spots_allowed() -> Iterator[None]:
    """Hold back the warning of fewer distinct spots than clusters.

    The run says so itself, once. Filters belong to the process: not for single threads.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def fit_many_starts(
    points: NDArray[np.float64],
    n_components: int,
    n_starts: int,
    random: np.random.Generator,
) -> Mixture:
    """Return the likeliest of several mixtures, each begun by a k-means of its own.

    Parameters
    ----------
    points
        Shape ``(n_spots, width)``, as `scaled` returns them.
    """

    def short(state: int) -> Mixture:
        search = _search(n_components, 1, state, _START_ITERATIONS)
        start = np.asarray(search.fit_predict(points))
        # Never cut short by tolerance: starts are compared after equal effort.
        return fit_tied(
            points, one_hot(start, n_components), SHORT_STEPS, tolerance=-np.inf
        )

    states = [int(random.integers(2**31)) for _ in range(n_starts)]
    with alike_spots_allowed():
        mixtures = side_by_side([partial(short, state) for state in states])
    # The first of equals, so that the order in which starts end cannot matter.
    best = max(mixtures, key=lambda mixture: mixture.log_likelihood)
    return fit_tied(points, best.posterior)
