"""What share of the names that domains are given is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray


def domain_q_values(
    chance: NDArray[np.float64],
    other: NDArray[np.float64],
    may_be_named: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the share of wrong names to be expected where a domain is just named.

    A name can be wrong by chance, or because another is right. The first is a p-value,
    whose false discovery rate is Benjamini's and Hochberg's. The second is a share of
    draws, how probably this very name is wrong: its rate among names is their mean
    (Newton 2004, doi:10.1093/biostatistics/5.2.155). Domains are named in the order of
    the sum of both, those alone that may be: one that is refused for another reason is
    no name, however sure it looks, and says nothing of the names that are given.

    Parameters
    ----------
    chance
        The p-value of each domain, ``(n_groups,)``.
    other
        In what share of draws another name was the best, ``(n_groups,)``.
    may_be_named
        Which domains nothing else speaks against, ``(n_groups,)``.

    Returns
    -------
    numpy.ndarray
        Of domains that may be named, the least rate of all sets of surest names that
        hold this one; of others, the rate if it was named after all surer ones.
    """
    if not len(chance):
        return chance
    by_chance = np.asarray(stats.false_discovery_control(chance), np.float64)
    unsure = by_chance + other
    named = np.flatnonzero(may_be_named)
    named = named[np.argsort(unsure[named], kind="stable")]
    most, wrong = np.maximum.accumulate(by_chance[named]), np.cumsum(other[named])
    # Names that are equally sure are given together.
    last = np.searchsorted(unsure[named], unsure[named], side="right") - 1
    rate = (most + wrong / np.arange(1, len(named) + 1))[last]
    surer = np.searchsorted(unsure[named], unsure, side="right")
    most, wrong = np.append(0.0, most)[surer], np.append(0.0, wrong)[surer]
    q = np.maximum(most, by_chance) + (wrong + other) / (surer + 1)
    q[named] = np.minimum.accumulate(rate[::-1])[::-1]
    return np.minimum(q, 1.0)
