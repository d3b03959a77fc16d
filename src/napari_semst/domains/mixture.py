"""Gaussian mixtures with one shared covariance, from many starts."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.core.chunks import chunks
from napari_semst.core.threads import keep_limits, side_by_side
from napari_semst.domains.k_means_starts import k_means_starts
from napari_semst.domains.tied_steps import (
    ComponentSums,
    climbed,
    component_logits,
    normalise_logits,
    sums_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_semst.domains.tied_steps import ClimbedMixtures

# Short runs from several starts, the best carried on (em-EM, Biernacki et al. 2003).
# The likelihood ranks local optima well and a single start rarely finds the best one:
# that, not the representation, is why one seed disagrees with the next.
SHORT_STEPS = 15
LONG_STEPS = 200
TOLERANCE = 1e-5
# Of short runs, which are but ranked; the likeliest is carried on in full precision.
_SHORT_PRECISION = np.float32
_RIDGE = 1e-6
_START_ITERATIONS = 20
# Starts that are one batch: of few spots many, of many spots at least so many.
_SPOTS_AT_ONCE = 2**15
_LEAST_AT_ONCE = 3


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
        shares = component_logits(values, self.white, self.centres, self.weight)
        normalise_logits(shares)
        return _by_spot(shares)

    def log_posterior(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the log of the same, up to what a spot's domains share."""
        logits = component_logits(values, self.white, self.centres, self.weight)
        logits -= logits.max(axis=0)
        return _by_spot(logits)


def _by_spot(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(rows.T, np.float32)


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
    sums = sums_of(values, posterior)
    return _mixture(values, climbed(values, sums, steps, ridge, tolerance))


def _mixture(values: NDArray[np.float64], found: ClimbedMixtures) -> Mixture:
    """Return the first of some mixtures, with its posterior of the spots."""
    white, centres, weight = (part[0] for part in found.parameters)
    shares = component_logits(values, white, centres, weight)
    normalise_logits(shares)
    likelihood = float(found.log_likelihood[0])
    return Mixture(shares.T, likelihood, white, centres, weight)


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
    from sklearn.cluster import KMeans

    keep_limits()
    search = KMeans(n_clusters, n_init=n_starts, max_iter=iterations, random_state=seed)
    with alike_spots_allowed():
        if fitted is None or len(fitted) == len(points):
            return np.asarray(search.fit_predict(points))
        return np.asarray(search.fit(points[fitted]).predict(points))


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
    states = [int(random.integers(2**31)) for _ in range(n_starts)]
    # So many that a step is long beside its calls; never by the number of cores, on
    # which the last bits of a product would then depend.
    at_once = max(_LEAST_AT_ONCE, _SPOTS_AT_ONCE // len(points))
    n_groups = -(-n_starts // at_once)
    groups = [states[part::n_groups] for part in range(n_groups)]
    jobs = [partial(_short, points, n_components, group) for group in groups]
    runs: list[ClimbedMixtures | None] = [None] * n_starts
    for part, found in enumerate(side_by_side(jobs)):
        runs[part::n_groups] = found
    for start, state in enumerate(states):
        if runs[start] is None:
            labels = k_means(points, n_components, 1, state, _START_ITERATIONS)
            hard = sums_of(points, one_hot(labels, n_components))
            # Spots are alike: in full precision, as nothing else tells them apart.
            runs[start] = _climbed_shortly(points, hard, np.float64)
    # The first of equals, so that the order in which starts end cannot matter.
    best = max(filter(None, runs), key=lambda run: run.log_likelihood[0])
    return _mixture(points, climbed(points, best.sums, LONG_STEPS, _RIDGE, TOLERANCE))


def _short(
    points: NDArray[np.float64], n_components: int, states: Sequence[int]
) -> list[ClimbedMixtures | None]:
    """Return short runs from some starts, `None` for those with an empty cluster."""
    try:
        return _short_in(_SHORT_PRECISION, points, n_components, states)
    except np.linalg.LinAlgError:
        # Spots on a few places leave a covariance smaller than the rounding of sums.
        return _short_in(np.float64, points, n_components, states)


def _short_in(
    precision: type[np.floating[Any]],
    points: NDArray[np.float64],
    n_components: int,
    states: Sequence[int],
) -> list[ClimbedMixtures | None]:
    sums, sound = k_means_starts(
        points, n_components, states, _START_ITERATIONS, precision
    )
    runs: list[ClimbedMixtures | None] = [None] * len(states)
    if sound.any():
        kept = ComponentSums(*(part[sound] for part in sums))
        run = _climbed_shortly(points, kept, precision)
        for place, start in enumerate(np.flatnonzero(sound)):
            runs[start] = run.of_start(place)
    return runs


def _climbed_shortly(
    points: NDArray[np.float64], sums: ComponentSums, precision: type[np.floating[Any]]
) -> ClimbedMixtures:
    # Never cut short by tolerance: starts are compared after equal effort.
    return climbed(points, sums, SHORT_STEPS, _RIDGE, -np.inf, precision)
