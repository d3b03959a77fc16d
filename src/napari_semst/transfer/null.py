"""Whether a name says anything: what names would be told of genes dealt anew.

Two things could make a spot look like a domain of the reference. Any weights of genes
give some spot a high score: scores are compared with those by the same weights given
to other genes of like expression. And neighbouring spots are alike, so that any piece
of tissue has something of its own: domains are compared with random connected ones too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from napari_semst.core.progress import run_in_thread
from napari_semst.transfer.profiles import mean_of_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress, RunControl, ThreadReporter
    from napari_semst.transfer.estimator import TransferScores
    from napari_semst.transfer.settings import TransferSettings

# Genes of like expression among which names are dealt.
STRATA = 10
# Spots from which the shape of the null is learnt.
_NULL_SPOTS = 2_000
# Draws that every spot gets of its own, for the spread of its scores.
_OWN_DRAWS = 32
NONE = -1


@dataclass(frozen=True)
class GroupNames:
    """The names of domains, or of spots.

    Parameters
    ----------
    best
        Label of each, `NONE` where nothing is significant.
    ranked
        All labels, best first, ``(n_groups, n_labels)``.
    scores
        Shape ``(n_groups, n_labels)``.
    p, q
        Of the best label, ``(n_groups,)``; q by Benjamini and Hochberg.
    """

    best: NDArray[np.int64]
    ranked: NDArray[np.int64]
    scores: NDArray[np.float32]
    p: NDArray[np.float64]
    q: NDArray[np.float64]


def strata_of(values: NDArray[np.floating], n_strata: int) -> NDArray[np.int64]:
    """Return the stratum of each gene by the rank of its value; equal sizes."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return rank * n_strata // max(len(values), 1)


def dealt_anew(
    strata: NDArray[np.int64], n_draws: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return permutations of genes inside strata, ``(n_draws, n_genes)``."""
    order = np.argsort(strata, kind="stable")
    grouped = strata[order]
    drawn = np.empty((n_draws, len(strata)), np.int64)
    for draw in range(n_draws):
        shuffled = order[np.lexsort((random.random(len(order)), grouped))]
        drawn[draw, order] = shuffled
    return drawn


def _strata(scores: TransferScores) -> NDArray[np.int64]:
    n_genes = len(scores.profiles.genes)
    # A stratum of few genes could deal nothing anew.
    return strata_of(scores.profiles.mean, max(min(STRATA, n_genes // 10), 1))


def name_groups(
    scores: TransferScores,
    codes: NDArray[np.integer],
    n_groups: int,
    settings: TransferSettings,
    control: RunControl,
) -> Generator[Progress, None, GroupNames]:
    """Return the names of the target's domains.

    Parameters
    ----------
    codes
        Domain of each spot, ``-1`` where it has none.
    n_groups
        How many domains there are.
    """

    def work(tell: ThreadReporter) -> GroupNames:
        return _name_groups(scores, codes, n_groups, settings, tell)

    return (yield from run_in_thread("explain", "Naming domains", work, control))


def _name_groups(
    scores: TransferScores,
    codes: NDArray[np.integer],
    n_groups: int,
    settings: TransferSettings,
    tell: Callable[[int, int], None],
) -> GroupNames:
    random = np.random.default_rng((settings.seed, 2))
    means = scores.profiles.group_means(mean_of_groups(codes, n_groups))
    own = means @ scores.weights.T
    top = own.max(axis=1)
    as_high = np.zeros(n_groups)
    strata = _strata(scores)
    for draw in range(settings.n_draws):
        order = dealt_anew(strata, 1, random)[0]
        as_high += (means @ scores.weights[:, order].T).max(axis=1) >= top
        if draw % 50 == 0:
            tell(draw, settings.n_draws)
    p = (1 + as_high) / (settings.n_draws + 1)
    return _named(own.astype(np.float32), p, settings.fdr)


def name_each_spot(
    scores: TransferScores, settings: TransferSettings, control: RunControl
) -> Generator[Progress, None, GroupNames]:
    """Return the names of single spots, with p-values of their own."""

    def work(tell: ThreadReporter) -> GroupNames:
        p = _spot_p_values(scores, settings, tell)
        return _named(scores.scores, p, settings.fdr)

    return (yield from run_in_thread("explain", "Testing names", work, control))


def _spot_p_values(
    scores: TransferScores,
    settings: TransferSettings,
    tell: Callable[[int, int], None],
) -> NDArray[np.float64]:
    """Return p-values of each spot's highest score.

    How widely a spot's scores are spread when names are dealt anew is learnt of each
    spot; how their maximum is distributed then, of a sample of spots together.
    """
    random = np.random.default_rng((settings.seed, 3))
    profiles, weights = scores.profiles, scores.weights
    n_labels = len(weights)
    drawn = dealt_anew(_strata(scores), _OWN_DRAWS, random)
    # (genes, draws x labels): each draw deals all labels' weights alike.
    dealt = weights[:, drawn].transpose(2, 1, 0).reshape(weights.shape[1], -1)
    total, square = np.zeros((2, profiles.n_spots))
    sample = np.sort(
        random.permutation(profiles.n_spots)[: min(_NULL_SPOTS, profiles.n_spots)]
    )
    highest = np.empty((len(sample), _OWN_DRAWS), np.float32)
    for draw in range(_OWN_DRAWS):
        part = slice(draw * n_labels, (draw + 1) * n_labels)
        one = profiles.weighted_sums(dealt[:, part])
        total += one.sum(axis=1)
        square += (one**2).sum(axis=1)
        highest[:, draw] = one[sample].max(axis=1)
        tell(draw + 1, _OWN_DRAWS)
    count = _OWN_DRAWS * n_labels
    centre = total / count
    spread = np.sqrt(np.maximum(square / count - centre**2, 1e-12))
    null = np.sort(((highest - centre[sample, None]) / spread[sample, None]).ravel())
    seen = (scores.scores.max(axis=1) - centre) / spread
    above = len(null) - np.searchsorted(null, seen, side="left")
    return np.asarray((1 + above) / (1 + len(null)), np.float64)


def _named(
    scores: NDArray[np.float32], p: NDArray[np.float64], fdr: float
) -> GroupNames:
    ranked = np.argsort(-scores, axis=1, kind="stable")
    q = stats.false_discovery_control(p) if len(p) else p
    best = np.where(q <= fdr, ranked[:, 0], NONE)
    return GroupNames(best, ranked, scores, p, q)
