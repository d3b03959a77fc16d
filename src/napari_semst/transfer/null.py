"""Whether a name says anything, or nothing does and it is none of these.

Four things could make a piece of tissue look like a domain of the reference, and each
has its answer:

- any weights of genes give something a high score: scores are compared with those by
  the same weights given to other genes of like expression;
- neighbouring spots are alike, so that any piece of tissue has something of its own:
  domains are compared with random connected ones of their size;
- another domain of the reference may be as near: genes are drawn anew with replacement,
  and the name has to stay;
- another domain of the target may bear the name far better: one that is not half as
  like it as the most alike one is not named so;
- tissues of one body have much in common: of what sets the piece apart the name must
  explain some share, and so must all names of what sets the section's spots apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from napari_semst.core.chunks import chunks
from napari_semst.core.progress import run_in_thread
from napari_semst.transfer.domain_rates import domain_q_values
from napari_semst.transfer.profiles import mean_of_groups
from napari_semst.transfer.tissue_fit import LEAST_FIT, tissue_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress, RunControl, ThreadReporter
    from napari_semst.transfer.estimator import TransferScores
    from napari_semst.transfer.settings import TransferSettings

# Genes of like expression among which names are dealt.
STRATA = 10
# Correlation over genes that a name needs at least: 4 % of what sets a piece apart.
LEAST_CORRELATION = 0.2
# How like a name a domain has to be at least, in shares of the section's most alike.
_LEAST_OF_BEST = 0.5
# Spots from which the shape of the null is learnt.
_NULL_SPOTS = 2_000
# Draws that every spot gets of its own, for the spread of its scores.
_OWN_DRAWS = 32
# Columns that are averaged at once.
_WIDTH = 32
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
        Correlation over genes of each with each label, ``(n_groups, n_labels)``.
    p, q
        Of the best label, ``(n_groups,)``. Of spots q is by Benjamini and Hochberg; of
        domains, that of chance and the share of other names, see `domain_q_values`.
    fit
        Share of what could be explained of the section's spots that the references
        explain; see `tissue_fit`.
    """

    best: NDArray[np.int64]
    ranked: NDArray[np.int64]
    scores: NDArray[np.float32]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    fit: float


def strata_of(values: NDArray[np.floating[Any]], n_strata: int) -> NDArray[np.int64]:
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
    codes: NDArray[np.integer[Any]],
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
        means = scores.profiles.group_means(mean_of_groups(codes, n_groups))
        of = 3 * settings.n_draws
        own = means @ scores.weights.T
        chance = np.maximum(
            _by_genes(scores, means, own, settings, lambda done: tell(done, of)),
            by_random_domains(scores, own, codes, settings),
        )
        tell(2 * settings.n_draws, of)
        other = by_runners_up(scores, means, own, settings)
        fit, likeness = tissue_fit(scores, settings.seed), correlations(scores, means)
        told = near_best(own) & like_enough(own, likeness, fit)
        p, q = np.maximum(chance, other), domain_q_values(chance, other, told)
        return _named(own, likeness, p, q, told & (q <= settings.fdr), fit)

    return (yield from run_in_thread("explain", "Naming domains", work, control))


def near_best(own: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return which groups are at least half as like their name as the most alike one.

    Parameters
    ----------
    own
        Scores, ``(n_groups, n_labels)``.
    """
    if not len(own):
        return np.zeros(0, bool)
    name = own.argmax(axis=1)
    near: NDArray[np.bool_] = own.max(axis=1) >= _LEAST_OF_BEST * own.max(axis=0)[name]
    return near


def correlations(
    scores: TransferScores, means: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the correlation over genes of profiles with what labels lead to expect.

    Parameters
    ----------
    means
        Shape ``(n_groups, n_genes)``.
    """
    told = scores.target.known | (np.abs(scores.expected).sum(axis=0) > 0)
    seen, expected = means[:, told].astype(np.float64), scores.expected[:, told]
    seen = seen - seen.mean(axis=1, keepdims=True)
    expected = expected - expected.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(seen, axis=1)[:, None] * np.linalg.norm(expected, axis=1)
    return np.asarray(seen @ expected.T / np.maximum(lengths, 1e-12), np.float32)


def _by_genes(
    scores: TransferScores,
    means: NDArray[np.float32],
    own: NDArray[np.float64],
    settings: TransferSettings,
    tell: Callable[[int], None],
) -> NDArray[np.float64]:
    """Return how often names dealt anew give as high a score, as p-values."""
    random = np.random.default_rng((settings.seed, 2))
    strata, weights = _strata(scores), scores.weights.astype(np.float32)
    as_high, top = np.zeros(len(own)), own.max(axis=1)
    for draw in range(settings.n_draws):
        order = dealt_anew(strata, 1, random)[0]
        as_high += (means @ weights[:, order].T).max(axis=1) >= top
        if draw % 50 == 0:
            tell(draw)
    p: NDArray[np.float64] = (1 + as_high) / (settings.n_draws + 1)
    return p


def by_random_domains(
    scores: TransferScores,
    own: NDArray[np.float64],
    codes: NDArray[np.integer[Any]],
    settings: TransferSettings,
) -> NDArray[np.float64]:
    """Return p-values by random connected domains of equal sizes.

    Parameters
    ----------
    own
        Mean scores, ``(n_groups, n_labels)``.
    """
    from napari_semst.explanation.markers import membership
    from napari_semst.explanation.random_domains import make_patches, random_domains
    from napari_semst.prepare.graphs import touching_graph

    profiles, n_groups = scores.profiles, len(own)
    sections = profiles.sections
    touching = touching_graph(profiles.average)
    patches = make_patches(profiles.coordinates, sections, touching)
    # Spots of no domain are a domain of their own, which takes its place.
    all_codes = np.where(codes < 0, n_groups, codes)
    wanted = np.zeros((len(sections.names), n_groups + 1), np.int64)
    np.add.at(wanted, (sections.codes, all_codes), 1)
    together = membership(patches.of_spot, len(patches.size))
    columns = np.column_stack([np.ones(profiles.n_spots, np.float32), scores.scores])
    sums = np.asarray(together @ columns, np.float32)
    name = own.argmax(axis=1)
    group = np.arange(n_groups)
    as_high = np.zeros(n_groups)
    draws = random_domains(patches, sums, wanted, settings.n_draws, settings.seed)
    for inside in draws:
        count = np.maximum(inside[:, :n_groups, 0], 1e-9)
        mean = inside[:, group, 1 + name] / count
        as_high += (mean >= own[group, name]).sum(axis=0)
    p: NDArray[np.float64] = (1 + as_high) / (settings.n_draws + 1)
    return p


def by_runners_up(
    scores: TransferScores,
    means: NDArray[np.float32],
    own: NDArray[np.float64],
    settings: TransferSettings,
) -> NDArray[np.float64]:
    """Return how often another name is best when genes are drawn anew.

    Genes are drawn with replacement (bootstrap), all names from the same draws.
    """
    random = np.random.default_rng((settings.seed, 4))
    weights, n_genes = scores.weights, means.shape[1]
    spread = weights * scores.expected
    name, other = own.argmax(axis=1), np.zeros(len(own))
    for _ in range(settings.n_draws):
        times = np.bincount(random.integers(n_genes, size=n_genes), minlength=n_genes)
        drawn = np.flatnonzero(times)
        weighted = weights[:, drawn] * times[drawn]
        variance = spread[:, drawn] @ times[drawn]
        # A name that a draw leads to expect nothing of says nothing there, as
        # `of_one_spread` has it: neither for itself nor against others.
        length = np.sqrt(np.where(variance > 1e-12, variance, np.inf))
        again = means[:, drawn] @ (weighted / length[:, None]).T
        other += again.argmax(axis=1) != name
    p: NDArray[np.float64] = (1 + other) / (settings.n_draws + 1)
    return p


def name_each_spot(
    scores: TransferScores, settings: TransferSettings, control: RunControl
) -> Generator[Progress, None, GroupNames]:
    """Return the names of single spots, with p-values of their own."""

    def work(tell: ThreadReporter) -> GroupNames:
        p = spot_p_values(scores, settings, tell)
        length = np.maximum(scores.profiles.lengths(), 1e-6)
        size = np.linalg.norm(scores.expected, axis=1, keepdims=True)
        unit = scores.expected / np.maximum(size, 1e-12)
        along = scores.profiles.weighted_sums(unit.T)
        correlation = along / length[:, None]
        fit = tissue_fit(scores, settings.seed)
        shown = np.clip(correlation, -1, 1).astype(np.float32)
        q = stats.false_discovery_control(p) if len(p) else p
        told = (q <= settings.fdr) & like_enough(scores.scores, shown, fit)
        return _named(scores.scores, shown, p, q, told, fit)

    return (yield from run_in_thread("explain", "Testing names", work, control))


def spot_p_values(
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
    n_labels, n_genes = weights.shape
    total, square = np.zeros((2, profiles.n_spots))
    sample = np.sort(random.permutation(profiles.n_spots)[:_NULL_SPOTS])
    highest = np.empty((len(sample), _OWN_DRAWS), np.float32)
    orders = dealt_anew(_strata(scores), _OWN_DRAWS, random)
    # Several draws at once: averaging takes as long for few columns as for some.
    for part in chunks(_OWN_DRAWS, max(_WIDTH // n_labels, 1)):
        dealt = weights[:, orders[part]].transpose(1, 0, 2).reshape(-1, n_genes)
        found = profiles.weighted_sums(dealt.T)
        total += found.sum(axis=1)
        square += np.einsum("ij,ij->i", found, found)
        by_draw = found[sample].reshape(len(sample), -1, n_labels)
        highest[:, part] = by_draw.max(axis=2)
        tell(part.stop, _OWN_DRAWS)
    count = _OWN_DRAWS * n_labels
    centre = total / count
    spread = np.sqrt(np.maximum(square / count - centre**2, 1e-12))
    null = np.sort(((highest - centre[sample, None]) / spread[sample, None]).ravel())
    seen = (scores.scores.max(axis=1) - centre) / spread
    above = len(null) - np.searchsorted(null, seen, side="left")
    return np.asarray((1 + above) / (1 + len(null)), np.float64)


def like_enough(
    own: NDArray[np.floating[Any]], correlation: NDArray[np.float32], fit: float
) -> NDArray[np.bool_]:
    """Return which groups' names explain enough of them, if all do of the section.

    Parameters
    ----------
    own, correlation
        Scores, and correlations over genes, ``(n_groups, n_labels)``.
    fit
        See `tissue_fit`.
    """
    name = own.argmax(axis=1)[:, None]
    of_name = np.take_along_axis(correlation, name, axis=1).ravel()
    enough: NDArray[np.bool_] = (of_name >= LEAST_CORRELATION) & (fit >= LEAST_FIT)
    return enough


def _named(
    own: NDArray[np.floating[Any]],
    correlation: NDArray[np.float32],
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    told: NDArray[np.bool_],
    fit: float,
) -> GroupNames:
    ranked = np.argsort(-own, axis=1, kind="stable")
    best = np.where(told, ranked[:, 0], NONE)
    return GroupNames(best, ranked, correlation, p, q, fit)
