"""Clustering of a latent into a given number of domains."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import ConfigError, one_of
from napari_semst.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_semst.config import DomainsConfig
    from napari_semst.progress import RunControl

# Short runs from many starts, the best few carried to convergence (em-EM, Biernacki
# et al. 2003): the likelihood ranks the optima well, and one start finds the best
# one rarely, which is why a single run disagrees with the next seed's.
_SHORT_ITERATIONS = 15
_FINALISTS = 3
_LONG_ITERATIONS = 200
_REGULARISATION = 1e-6


@dataclass(frozen=True, slots=True)
class Assignment:
    """Domains of all spots.

    Parameters
    ----------
    codes
        Domain of each spot, ``0 .. n_domains - 1``, largest domain first.
    score
        What the starts were ranked by: mean log-likelihood, or minus the inertia.
    """

    codes: NDArray[np.int32]
    score: float

    @property
    def n_domains(self) -> int:
        """The number of domains that have a spot."""
        return int(self.codes.max()) + 1


def assign_domains(
    latent: NDArray[np.floating[Any]],
    config: DomainsConfig,
    seed: int,
    control: RunControl,
) -> Generator[Progress, None, Assignment]:
    """Cluster the latent; the best of several starts is kept.

    Parameters
    ----------
    latent
        Shape ``(n_spots, width)``.
    config
        ``n_domains``, ``readout`` and ``n_starts`` are read.
    seed
        Seed of the starts.
    control
        Asked for cancelling between starts.

    Raises
    ------
    ConfigError
        If there are fewer spots than domains, or no number of domains is given.
    """
    k, n_spots = config.n_domains, len(latent)
    if k < 1:
        raise ConfigError(
            "Expected the number of domains (k) to be given; got none. Set it, for "
            "instance -k 7."
        )
    if n_spots < k:
        raise ConfigError(
            f"Expected at most as many domains as spots; got {k} domains for {n_spots} "
            "spots. Choose a smaller number of domains."
        )
    if k == 1:
        return Assignment(np.zeros(n_spots, np.int32), 0.0)
    readouts = {"gmm": _mixture, "kmeans": _k_means}
    if config.readout not in readouts:
        raise ConfigError(one_of("domains.readout", config.readout, readouts))
    values = np.asarray(latent, dtype=np.float64)
    labels, score = yield from readouts[config.readout](
        values, k, config.n_starts, seed, control
    )
    return Assignment(largest_first(labels), score)


def largest_first(labels: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Return labels renumbered by falling size, ties by first appearance."""
    _, first, inverse, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[inverse]


def _k_means(
    values: NDArray[np.float64], k: int, n_starts: int, seed: int, control: RunControl
) -> Generator[Progress, None, tuple[NDArray[np.int32], float]]:
    from sklearn.cluster import KMeans

    best: KMeans | None = None
    for start in range(n_starts):
        control.check()
        yield Progress("assign", start, n_starts, "k-means")
        state = np.random.RandomState([seed, start])
        found = KMeans(k, n_init=1, random_state=state).fit(values)
        if best is None or found.inertia_ < best.inertia_:
            best = found
    assert best is not None
    return best.labels_.astype(np.int32), -float(best.inertia_)


def _mixture(
    values: NDArray[np.float64], k: int, n_starts: int, seed: int, control: RunControl
) -> Generator[Progress, None, tuple[NDArray[np.int32], float]]:
    """Fit a Gaussian mixture with one shared covariance from several starts."""
    short = []
    for start in range(n_starts):
        control.check()
        yield Progress("assign", start, n_starts, "Gaussian mixture")
        state = np.random.RandomState([seed, start])
        short.append(_fit(values, k, _SHORT_ITERATIONS, state))
    short.sort(key=lambda fit: -fit.lower_bound_)
    long = []
    for fit in short[:_FINALISTS]:
        control.check()
        state = np.random.RandomState(seed)
        long.append(_fit(values, k, _LONG_ITERATIONS, state, fit))
    best = max(long, key=lambda fit: float(fit.lower_bound_))
    return best.predict(values).astype(np.int32), float(best.lower_bound_)


def _fit(
    values: NDArray[np.float64],
    k: int,
    iterations: int,
    state: np.random.RandomState,
    begin: Any = None,
) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    given = {}
    if begin is not None:
        given = {
            "weights_init": begin.weights_,
            "means_init": begin.means_,
            "precisions_init": begin.precisions_,
        }
    scale = float(values.var(axis=0).mean()) or 1.0
    mixture = GaussianMixture(
        k,
        covariance_type="tied",
        max_iter=iterations,
        reg_covar=_REGULARISATION * scale,
        random_state=state,
        **given,
    )
    with warnings.catch_warnings():
        # Short runs are cut on purpose; duplicates of spots shrink k-means' start.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(values)
