"""Domains of a network that is still learning: quick, rough, only to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Centres are sought among these many spots; all are then given the nearest.
_SPOTS = 5000
_ROUNDS = 30


class ProvisionalDomains:
    """k-means of a latent, again and again; domains keep their numbers between looks.

    Parameters
    ----------
    n_domains
        How many; with more than there are spots, as many as spots.
    """

    def __init__(self, n_domains: int) -> None:
        self._n_domains = n_domains
        self._centres: NDArray[np.float64] | None = None

    def labels(self, latent: NDArray[np.float32]) -> NDArray[np.int32]:
        """Return the domain of every spot, counted from 0.

        Parameters
        ----------
        latent
            Shape ``(n_spots, width)``.

        Returns
        -------
        numpy.ndarray
            Shape ``(n_spots,)``.
        """
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        spots = np.asarray(latent, np.float64)
        step = -(-len(spots) // _SPOTS)
        some = spots[::step]
        # Beginning where the last look ended keeps numbers, and takes few rounds.
        begin = "k-means++" if self._centres is None else self._centres
        model = KMeans(
            min(self._n_domains, len(some)),
            init=begin,
            n_init=1,
            max_iter=_ROUNDS,
            random_state=0,
        )
        with threadpool_limits(limits=1):
            model.fit(some)
            self._centres = model.cluster_centers_
            found: NDArray[np.int32] = model.predict(spots).astype(np.int32)
        return found
