"""The growth of random connected domains, compiled: imported where it is wanted."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def grow(starts, touching, size, own, sums, wanted, seed, inside):  # type: ignore[no-untyped-def]
    """Divide patches into random connected domains, and add up what is in each.

    All domains grow at the same time, each from a patch of its own by a random patch
    that touches it, the more often the more it lacks. A domain that is shut in goes
    on from another free patch.

    Parameters
    ----------
    starts, touching
        Which patches touch which, in CSR form.
    size
        Spots of each patch.
    own
        The patches of the section that is divided.
    sums
        What is added up, ``(n_patches, width)`` float32.
    wanted
        Spots of each domain, ``(n_domains,)``.
    seed
        Of the draws.
    inside
        Changed in place, ``(n_draws, n_domains, width)`` float64.
    """
    np.random.seed(seed)
    n_domains, width = wanted.size, sums.shape[1]
    # In which draw a patch was last taken: nothing has to be wiped.
    taken = np.full(starts.size - 1, -1, np.int64)
    # A patch may wait once for every patch that touches it.
    edge = np.empty((n_domains, touching.size + own.size), np.int32)
    n_edge = np.empty(n_domains, np.int64)
    lacks = np.empty(n_domains, np.float64)
    for draw in range(inside.shape[0]):
        free = np.random.permutation(own)
        n_edge[:] = 0
        lacks[:] = wanted
        next_free, left = 0, own.size
        while left > 0:
            domain = _most_lacking(lacks)
            patch = -1
            while n_edge[domain] > 0 and patch < 0:
                chosen = np.random.randint(n_edge[domain])
                patch = edge[domain, chosen]
                n_edge[domain] -= 1
                edge[domain, chosen] = edge[domain, n_edge[domain]]
                if taken[patch] == draw:
                    patch = -1
            if patch < 0:
                while taken[free[next_free]] == draw:
                    next_free += 1
                patch = free[next_free]
            taken[patch] = draw
            left -= 1
            lacks[domain] -= size[patch]
            for column in range(width):
                inside[draw, domain, column] += sums[patch, column]
            for other in touching[starts[patch] : starts[patch + 1]]:
                if taken[other] != draw:
                    edge[domain, n_edge[domain]] = other
                    n_edge[domain] += 1


@njit(nogil=True, cache=True)
def _most_lacking(lacks):  # type: ignore[no-untyped-def]
    """Return a domain drawn by what it lacks, or the one least over its size."""
    total = 0.0
    for lack in lacks:
        total += max(lack, 0.0)
    if total <= 0:
        return np.argmax(lacks)
    drawn = np.random.random() * total
    domain = 0
    for place in range(lacks.size):
        if lacks[place] > 0:
            domain = place
            drawn -= lacks[place]
            if drawn <= 0:
                break
    return domain
