"""Which terms a domain's meaning lies near, and whether that says anything.

Two things could make a term look near. Neighbouring spots are alike, so that any piece
of tissue has something of its own: domains are compared with random connected domains
of equal sizes. And some gene or other is always listed more often inside: the excess of
genes is given to other genes at random. A term counts where neither explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse, stats

from napari_semst.explanation.groups import membership
from napari_semst.explanation.regions import random_domains

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.explanation.meaning import Listed, Meaning
    from napari_semst.explanation.regions import Patches
    from napari_semst.semantics.table import GeneTable
    from napari_semst.semantics.terms import TermTable

# A term needs so many listed genes in the section, and in excess inside a domain.
_LEAST_LISTED, _LEAST_IN_EXCESS = 5, 3
# What a term's own genes must at least make of its nearness: the rest comes from genes
# that are like them.
_LEAST_OWN = 0.1
_LARGEST_TERM = 300
# Listed genes shared, of all of two terms, from which on only one of them is tested.
_SAME_GENES = 0.6
# Of two terms told of a domain: the cosine, and the share of the smaller excess, from
# which on they say the same.
_SAME_DIRECTION, _SAME_EXCESS = 0.7, 0.5
# Only the nearest terms get a p-value by draws; all others count as 1, which can only
# raise what is told of them.
_MOST_DRAWN = 300
_DRAWS_AT_ONCE = 200
_GENE_DRAWS = 20


@dataclass(frozen=True)
class TermSet:
    """Terms that are tested in a section.

    Parameters
    ----------
    index
        Which terms of the table, shape ``(n_terms,)``.
    members
        Which listed genes are in which term, boolean, ``(n_genes, n_terms)``.
    directions
        Unit vectors of the terms, ``(n_terms, n_dimensions)``.
    """

    index: NDArray[np.int64]
    members: sparse.csc_matrix
    directions: NDArray[np.float32]


def choose_terms(terms: TermTable, table: GeneTable, listed: Listed) -> TermSet:
    """Return the terms that the listed genes can say something about.

    No domain is looked at. Of terms with nearly the same listed genes the one stays of
    which most genes are listed.

    Parameters
    ----------
    terms, table
        The terms, and the table whose rows they refer to.
    listed
        The genes of the section's lists.
    """
    found = sparse.csc_matrix((listed.rows @ terms.members.T) > 0, dtype=np.float64)
    here = np.diff(found.indptr)
    whole = np.diff(terms.members.indptr)
    fit = np.flatnonzero((here >= _LEAST_LISTED) & (whole <= _LARGEST_TERM))
    members = sparse.csc_matrix(found[:, fit])
    shared = sparse.coo_matrix(members.T @ members)
    n_here = here[fit]
    of_both = n_here[shared.row] + n_here[shared.col] - shared.data
    alike = shared.data >= _SAME_GENES * of_both
    pairs = sparse.csr_matrix(
        (alike[alike], (shared.row[alike], shared.col[alike])), shape=shared.shape
    )
    kept, met = [], np.zeros(len(fit), bool)
    for term in np.argsort(-n_here / whole[fit], kind="stable"):
        if not met[term]:
            kept.append(term)
            met[pairs.indices[pairs.indptr[term] : pairs.indptr[term + 1]]] = True
    chosen = np.sort(np.array(kept, np.int64))
    index = fit[chosen]
    return TermSet(index, members[:, chosen], terms.directions(table)[index])


@dataclass(frozen=True)
class TermTests:
    """Each term in each domain, all ``(n_domains, n_terms)``.

    Parameters
    ----------
    cosine
        Of the term and the difference of mean semantic vectors.
    own
        Share of the term's nearness that its own genes make.
    p_space
        By random connected domains: whether the term follows the section's domains.
    region
        Share of random connected domains of this size with as much of the term.
    p_genes
        By excess given to genes at random: whether the term's genes are behind it.
    q
        The larger of two: of `p_genes` over the terms of the domain, and of `p_space`
        over the terms of the section (Benjamini-Hochberg); 1 where not asked.
    """

    cosine: NDArray[np.float64]
    own: NDArray[np.float64]
    p_space: NDArray[np.float64]
    region: NDArray[np.float64]
    p_genes: NDArray[np.float64]
    q: NDArray[np.float64]


def compare_terms(
    tested: TermSet,
    listed: Listed,
    meaning: Meaning,
    patches: Patches,
    wanted: NDArray[np.int64],
    codes: NDArray[np.int32],
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
    codes
        Domain of each spot.
    n_draws
        How often random connected domains are drawn; the excess is given to genes at
        random twenty times as often.
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
    of = (1 + _GENE_DRAWS) * n_draws
    p_space, region = _by_domains(
        tested, listed, patches, wanted, codes, score, asked, n_draws, seed,
        lambda done: tell(done, of),
    )  # fmt: skip
    p_genes = _by_genes(
        tested, listed, meaning, score, asked, _GENE_DRAWS * n_draws, seed,
        lambda done: tell(n_draws + done, of),
    )  # fmt: skip
    q = p_genes
    if q.size:
        q_space, q_genes = (
            stats.false_discovery_control(p, axis=1) for p in (p_space, p_genes)
        )
        q = np.where(asked, np.maximum(q_space, q_genes), 1.0)
    cosine = score / np.maximum(length, 1e-12)
    p_space = np.broadcast_to(p_space, score.shape)
    return TermTests(cosine, own, p_space, region, p_genes, q)


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


def _by_domains(
    tested: TermSet,
    listed: Listed,
    patches: Patches,
    wanted: NDArray[np.int64],
    codes: NDArray[np.int32],
    score: NDArray[np.float64],
    asked: NDArray[np.bool_],
    n_draws: int,
    seed: int,
    tell: Callable[[int], None],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return p-values of terms, and shares of random domains with as much of them.

    A term follows the domains as far as its spot scores vary between them; random
    connected domains of the same sizes say how far any would.
    """
    some = np.flatnonzero(asked.any(axis=0))
    directions = tested.directions[some].astype(np.float32)
    together = membership(patches.of_spot, len(patches.size))
    told = together @ listed.told.astype(np.float64)
    sums = (together @ listed.shares) @ listed.vectors
    columns = np.column_stack([told, sums]).astype(np.float32)
    total = columns.sum(axis=0, dtype=np.float64)
    domains = membership(codes, wanted.shape[1])
    real = np.column_stack(
        [
            domains @ listed.told.astype(float),
            (domains @ listed.shares) @ listed.vectors,
        ]
    )
    between, _ = _between(real[None], total, directions)
    follows, high, done = np.zeros(len(some)), np.zeros((len(score), len(some))), 0
    for inside in random_domains(patches, columns, wanted, n_draws, seed):
        spread, apart = _between(inside, total, directions)
        follows += (spread >= between).sum(axis=0)
        high += (apart >= score[:, some]).sum(axis=0)
        done += len(inside)
        tell(done)
    p_space, region = np.ones((1, score.shape[1])), np.ones(score.shape)
    p_space[:, some] = (1 + follows) / (n_draws + 1)
    region[:, some] = high / n_draws
    return p_space, region


def _between(
    inside: NDArray[np.float64],
    total: NDArray[np.float64],
    directions: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how terms vary between domains, and each domain less the others.

    Shapes ``(n_draws, n_terms)`` and ``(n_draws, n_domains, n_terms)``.
    """
    n_in = np.maximum(inside[..., :1], 1e-9)
    n_out = np.maximum(total[0] - inside[..., :1], 1e-9)
    mean_in, mean_out = inside[..., 1:] / n_in, (total[1:] - inside[..., 1:]) / n_out
    apart = (mean_in - mean_out).astype(np.float32) @ directions.T
    # A domain's mean less that of all spots is that share of what it is apart.
    weight = (n_in * (n_out / total[0]) ** 2).astype(np.float32)
    return (weight * apart**2).sum(axis=1), apart


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


def distinct(
    order: NDArray[np.int64], tested: TermSet, excess: NDArray[np.float64], most: int
) -> list[int]:
    """Return terms in their order, without those that say the same as one before.

    Two do where the same listed genes speak for both, or where they lie in nearly the
    same direction, for which it is enough that their other genes are alike.

    Parameters
    ----------
    order
        Terms, best first.
    tested
        The terms.
    excess
        Of each gene; only what is above 0 speaks for a term.
    most
        How many terms at most.
    """
    members, directions = tested.members, tested.directions
    taken: list[int] = []
    weights: list[NDArray[np.float64]] = []
    positive = np.maximum(excess, 0)
    for term in order:
        weight = np.zeros(len(excess))
        genes = members.indices[members.indptr[term] : members.indptr[term + 1]]
        weight[genes] = positive[genes]
        least = [min(weight.sum(), other.sum()) for other in weights]
        common = [np.minimum(weight, other).sum() for other in weights]
        apart = (directions[taken] @ directions[term] < _SAME_DIRECTION).all()
        if apart and (np.array(common) < _SAME_EXCESS * np.array(least)).all():
            taken.append(int(term))
            weights.append(weight)
        if len(taken) == most:
            break
    return taken
