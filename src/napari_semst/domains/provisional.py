"""Domains of a network that is still learning: quick, rough, only to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.domains.mixture import (
    SHORT_STEPS,
    Standardizer,
    fit_tied,
    k_means,
    one_hot,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The mixture is fitted to these many spots at most; all are then given a domain.
_SPOTS = 5000
_STARTS, _START_ROUNDS, _STEPS = 6, 20, 40
# Latents of few spots, or that hardly vary, have no covariance to speak of.
_RIDGE = 1e-4


class ProvisionalDomains:
    """A mixture of a latent, again and again; domains keep their numbers.

    Parameters
    ----------
    n_domains
        How many; with more than there are spots, as many as spots.
    """

    def __init__(self, n_domains: int) -> None:
        self._n_domains = n_domains
        self._posterior: NDArray[np.float64] | None = None

    def labels(self, latent: NDArray[np.float32]) -> NDArray[np.int32]:
        """Return the domain of every spot, counted from 0.

        Parameters
        ----------
        latent
            Shape ``(n_spots, width)``, the same spots at every call.
        """
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            spots = Standardizer.fit(latent).transform(latent)
            # Drawn alike at every look; every n-th spot would follow the lattice.
            drawn = np.random.default_rng(0).permutation(len(spots))[:_SPOTS]
            some = spots[drawn]
            if self._posterior is None:
                self._posterior = self._start(some)
            # Beginning where the last look ended keeps numbers, and is quick.
            mixture = fit_tied(some, self._posterior, _STEPS, _RIDGE)
            self._posterior = mixture.posterior
            nearest: NDArray[np.int32] = mixture.predict(spots).argmax(axis=1)
        return nearest.astype(np.int32)

    def _start(self, spots: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the likeliest of several short fits."""
        n_domains = min(self._n_domains, len(spots))
        fits = []
        for seed in range(_STARTS):
            begin = k_means(spots, n_domains, 1, seed, _START_ROUNDS)
            hard = one_hot(begin, n_domains)
            fits.append(fit_tied(spots, hard, SHORT_STEPS, _RIDGE))
        return max(fits, key=lambda fit: fit.log_likelihood).posterior
