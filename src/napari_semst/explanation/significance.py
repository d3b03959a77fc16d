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

from napari_semst.explanation.places import by_places

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.explanation.regions import Patches
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
    tested
        The terms.
    listed, meaning
        What spots are made of, and what sets domains apart.
    patches
        Spots, or groups of them.
    wanted
        Spots of each domain in each section, ``(n_sections, n_domains)``.
    n_draws
        How often random connected domains are drawn, and the excess is given to genes
        at random.
    seed
        Of the draws.
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
