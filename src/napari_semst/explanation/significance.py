"""Which terms a domain's meaning lies near, and whether that says anything.

Two things could make a term look near. Neighbouring spots are alike, so that any piece
of tissue has something of its own: a domain is compared with random connected domains
of its size. And some gene or other is always listed more often inside: the excess of
genes is given to other genes at random. A term counts where neither explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse, stats

from napari_semst.explanation.markers import membership
from napari_semst.explanation.random_domains import random_domains

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.explanation.random_domains import Patches
    from napari_semst.explanation.semantic_contrast import Listed, Meaning
    from napari_semst.explanation.terms import TermSet

# Genes of a term that must be in excess inside a domain.
_LEAST_IN_EXCESS = 3
# What a term's own genes must at least make of its nearness: the rest comes from genes
# that are like them.
_LEAST_OWN = 0.1
# Only the nearest terms get a p-value by draws; all others count as 1, which can only
# raise what is told of them.
_MOST_DRAWN = 300
_DRAWS_AT_ONCE = 200


@dataclass(frozen=True)
class TermTests:
    """Each term in each domain, all ``(n_domains, n_terms)``.

    Parameters
    ----------
    cosine
        Of the term and the difference of mean semantic vectors.
    own
        Share of the term's nearness that its own genes make.
    p_domains
        By random connected domains of the domain's size: whether it has more of the
        term than they have.
    p_genes
        By excess given to genes at random: whether the term's genes are behind it.
    q
        Of the larger of both p-values, over all terms tested in the domain (Benjamini
        and Hochberg); 1 where not asked.
    q_genes
        Of `p_genes` alone: a term may be near, and no more than elsewhere.
    """

    cosine: NDArray[np.float64]
    own: NDArray[np.float64]
    p_domains: NDArray[np.float64]
    p_genes: NDArray[np.float64]
    q: NDArray[np.float64]
    q_genes: NDArray[np.float64]


def compare_terms(
    tested: TermSet,
    listed: Listed,
    meaning: Meaning,
    patches: Patches,
    wanted: NDArray[np.int64],
    n_draws: int,
    seed: int,
    tell: Callable[[int, int], None],
) -> TermTests:
    """Return how near terms are to each domain's meaning, with p-values.

    Parameters
    ----------
    wanted
        Spots of each domain in each section, ``(n_sections, n_domains)``.
    n_draws
        How often random connected domains are drawn, and the excess is given to genes
        at random.
    tell
        Called with (draws done, draws in all).
    """
    directions = tested.directions.astype(np.float64)
    score = meaning.difference @ directions.T
    length = np.linalg.norm(meaning.difference, axis=1, keepdims=True)
    own = _own_share(tested, listed, meaning, score)
    asked = _asked(tested, listed, meaning, score, own)
    of = 2 * n_draws
    p_domains = by_places(
        tested, listed, patches, wanted, score, np.flatnonzero(asked.any(axis=0)),
        n_draws, seed, lambda done: tell(done, of),
    )  # fmt: skip
    p_genes = _by_genes(
        tested, listed, meaning, score, asked, n_draws, seed,
        lambda done: tell(n_draws + done, of),
    )  # fmt: skip
    # Told is what neither explains, so that the larger p-value is that of both.
    q = _adjusted(np.maximum(p_domains, p_genes), asked)
    cosine = score / np.maximum(length, 1e-12)
    q_genes = _adjusted(p_genes, asked)
    return TermTests(cosine, own, p_domains, p_genes, q, q_genes)


def _adjusted(p: NDArray[np.float64], asked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return q-values over all terms of each domain; terms not asked count as 1."""
    if not p.size:
        return p
    adjusted = stats.false_discovery_control(np.where(asked, p, 1.0), axis=1)
    q: NDArray[np.float64] = np.where(asked, adjusted, 1.0)
    return q


def _own_share(
    tested: TermSet, listed: Listed, meaning: Meaning, score: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what the terms' own genes make of their nearness."""
    pairs = tested.members.tocoo()
    near = np.einsum(
        "ij,ij->i", listed.vectors[pairs.row], tested.directions[pairs.col]
    )
    part = sparse.csr_matrix((near, (pairs.row, pairs.col)), shape=pairs.shape)
    made = (part.T @ meaning.excess.T).T
    own: NDArray[np.float64] = np.zeros_like(score)
    np.divide(made, score, out=own, where=score > 0)
    return own


def _asked(
    tested: TermSet,
    listed: Listed,
    meaning: Meaning,
    score: NDArray[np.float64],
    own: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which terms get p-values in which domains: the nearest that qualify.

    Nearness is measured by its spread when the excess is given to genes at random,
    which is known without drawing.
    """
    in_excess = (tested.members.T @ (meaning.excess > 0).T.astype(np.float64)).T
    fit = (score > 0) & (in_excess >= _LEAST_IN_EXCESS) & (own >= _LEAST_OWN)
    spread = (listed.vectors @ tested.directions.T).std(axis=0)
    surprise = np.where(fit, score / np.maximum(spread, 1e-12), -np.inf)
    most = min(_MOST_DRAWN, surprise.shape[1])
    nearest = np.argsort(-surprise, axis=1, kind="stable")[:, :most]
    asked: NDArray[np.bool_] = np.zeros(fit.shape, bool)
    np.put_along_axis(asked, nearest, True, axis=1)
    asked &= fit
    return asked


def _by_genes(
    tested: TermSet,
    listed: Listed,
    meaning: Meaning,
    score: NDArray[np.float64],
    asked: NDArray[np.bool_],
    n_draws: int,
    seed: int,
    tell: Callable[[int], None],
) -> NDArray[np.float64]:
    """Return p-values by giving each gene's excess to a gene drawn at random."""
    random = np.random.default_rng((seed, 1))
    excess = meaning.excess.astype(np.float32)
    chosen = [np.flatnonzero(one) for one in asked]
    counts = [np.zeros(len(one)) for one in chosen]
    order = np.tile(np.arange(excess.shape[1]), (_DRAWS_AT_ONCE, 1))
    for start in range(0, n_draws, _DRAWS_AT_ONCE):
        n = min(_DRAWS_AT_ONCE, n_draws - start)
        random.permuted(order, axis=1, out=order)
        for domain, terms in enumerate(chosen):
            drawn = excess[domain][order[:n]] @ listed.vectors
            near = drawn @ tested.directions[terms].T
            counts[domain] += (near >= score[domain, terms]).sum(axis=0)
        tell(start + n)
    p = np.ones(score.shape)
    for domain, terms in enumerate(chosen):
        p[domain, terms] = (1 + counts[domain]) / (n_draws + 1)
    return p


def by_places(
    tested: TermSet,
    listed: Listed,
    patches: Patches,
    wanted: NDArray[np.int64],
    score: NDArray[np.float64],
    some: NDArray[np.int64],
    n_draws: int,
    seed: int,
    tell: Callable[[int], None],
) -> NDArray[np.float64]:
    """Return p-values of terms in domains, by random connected domains of equal sizes.

    Each domain is compared with the random ones of its own size, which keep the
    likeness of neighbours, so that no spot is taken for independent of the next. One
    more than the draws with as much, of one more than all draws: never 0 (Phipson and
    Smyth 2010, doi:10.2202/1544-6115.1585).

    Parameters
    ----------
    wanted
        Spots of each domain in each section, ``(n_sections, n_domains)``.
    score
        Of every term in every domain: difference of the means inside and outside,
        along the term, ``(n_domains, n_terms)``.
    some
        Terms that are asked for.
    n_draws, seed
        How often the sections are divided anew, and from which seed.
    tell
        Called with the draws done.

    Returns
    -------
    numpy.ndarray
        ``(n_domains, n_terms)``; 1 for terms that are not asked for.
    """
    directions = tested.directions[some].astype(np.float32)
    together = membership(patches.of_spot, len(patches.size))
    told = together @ listed.told.astype(np.float64)
    sums = (together @ listed.shares) @ listed.vectors
    columns = np.column_stack([told, sums]).astype(np.float32)
    total = columns.sum(axis=0, dtype=np.float64)
    high, done = np.zeros((len(score), len(some))), 0
    # Sums in single precision: a random domain that is the domain itself is as high.
    least = score[:, some] - 1e-6 * np.abs(score[:, some])
    for inside in random_domains(patches, columns, wanted, n_draws, seed):
        high += (_apart(inside, total, directions) >= least).sum(axis=0)
        done += len(inside)
        tell(done)
    p: NDArray[np.float64] = np.ones(score.shape)
    p[:, some] = (1 + high) / (n_draws + 1)
    return p


def _apart(
    inside: NDArray[np.float64],
    total: NDArray[np.float64],
    directions: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return each domain's mean less all others', ``(n_draws, n_domains, n_terms)``."""
    n_in = np.maximum(inside[..., :1], 1e-9)
    n_out = np.maximum(total[0] - inside[..., :1], 1e-9)
    mean_in, mean_out = inside[..., 1:] / n_in, (total[1:] - inside[..., 1:]) / n_out
    apart: NDArray[np.float32] = (mean_in - mean_out).astype(np.float32) @ directions.T
    return apart
