"""The terms that are tested in a section, and which of them say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.explanation.semantic_contrast import Listed
    from napari_semst.genes.table import GeneTable
    from napari_semst.genes.terms import TermTable

# A term needs so many listed genes in the section.
_LEAST_LISTED = 5
_LARGEST_TERM = 300
# Listed genes shared, of all of two terms, from which on only one of them is tested.
_SAME_GENES = 0.6
# Of two terms told of a domain: the cosine, and the share of the smaller excess, from
# which on they say the same.
_SAME_DIRECTION, _SAME_EXCESS = 0.7, 0.5


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
