"""Domains of sections that were found apart, named alike where they mean the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

# Pairs count by exp(cosine / this): a few domains that are surely alike say more than
# many that are somewhat alike, as they are when every layer is taken for the next one.
_SHARPNESS = 0.2
_SHUFFLES = 100
_LEVEL = 0.95


@dataclass(frozen=True)
class CommonNames:
    """Which domains of all sections have which name.

    Parameters
    ----------
    names
        For every section, the common name of each of its domains, numbers from 0.
    similarity
        For every section, how like each domain is to those before it of that name, a
        cosine; NaN where it is the first.
    chance
        For every section, the cosine that one in twenty pairs reaches where the names
        of its genes are shuffled; NaN for the first.
    """

    names: list[NDArray[np.int64]]
    similarity: list[Floats]
    chance: list[float]


def common_names(
    signatures: Sequence[Floats],
    shuffled: Callable[[int, int], Floats],
    order: Sequence[int],
    seed: int,
) -> CommonNames:
    """Match the domains of sections one to one, and leave what is like nothing apart.

    Parameters
    ----------
    signatures
        Of the domains of every section, unit rows ``(n_domains, width)``.
    shuffled
        Returns, for a section and a seed, the signatures of its domains by gene names
        that are dealt anew.
    order
        The sections in the order they are matched in, each to all before it.
    seed
        Of the shuffles.
    """
    n = len(signatures)
    names: list[Any] = [None] * n
    similarity: list[Any] = [None] * n
    chance = [float("nan")] * n
    first = order[0]
    names[first] = np.arange(len(signatures[first]))
    similarity[first] = np.full(len(signatures[first]), np.nan)
    sums = np.array(signatures[first], dtype=np.float64)
    for code in order[1:]:
        known = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        states = np.random.default_rng([seed, 29, code]).integers(2**31, size=_SHUFFLES)
        null = [_matched(shuffled(code, int(s)) @ known.T)[2] for s in states]
        chance[code] = float(np.quantile(np.concatenate(null), _LEVEL))
        rows, columns, cosine = _matched(signatures[code] @ known.T)
        sure = cosine > chance[code]
        own = np.full(len(signatures[code]), -1)
        own[rows[sure]] = columns[sure]
        like = np.full(len(own), np.nan)
        like[rows[sure]] = cosine[sure]
        new = np.flatnonzero(own < 0)
        own[new] = len(sums) + np.arange(len(new))
        sums = np.vstack([sums, np.zeros((len(new), sums.shape[1]))])
        sums[own] += signatures[code]
        names[code], similarity[code] = own, like
    return CommonNames(names, similarity, chance)


def _matched(
    cosine: Floats,
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Return pairs of rows and columns, one to one, and their cosines."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-np.exp(cosine / _SHARPNESS))
    return rows, columns, cosine[rows, columns]
