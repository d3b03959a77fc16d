"""Which genes and terms carried a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.transfer.kernel import same_genes
from napari_semst.transfer.profiles import mean_of_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.transfer.estimator import TransferScores

_MOST_GENES, _MOST_TERMS = 6, 3


@dataclass(frozen=True)
class CarriedBy:
    """What a group of spots got its name from.

    Parameters
    ----------
    genes
        Genes of the target that added most, with their share of what speaks for it.
    reference_genes
        For each of them the gene of a reference that told most of it; itself where
        it is shared.
    terms
        Terms whose genes added most.
    semantic_share
        Share of what speaks for the name that comes from genes not shared.
    """

    genes: tuple[tuple[str, float], ...]
    reference_genes: tuple[str, ...]
    terms: tuple[str, ...]
    semantic_share: float


def carried_by(
    scores: TransferScores,
    codes: NDArray[np.integer],
    labels: NDArray[np.integer],
) -> tuple[CarriedBy, ...]:
    """Return for each group of spots what carried its label.

    Parameters
    ----------
    codes
        Group of each spot, ``0 .. n_groups - 1``, or ``-1``.
    labels
        Label of each group, index into ``scores.labels``.
    """
    # Of genes themselves: what axes make of them is no fact of one gene.
    means = scores.profiles.whole.group_means(mean_of_groups(codes, len(labels)))
    return tuple(
        _one(scores, means[group] * scores.weights[label], int(label))
        for group, label in enumerate(labels)
    )


def _one(scores: TransferScores, added: NDArray[np.float64], label: int) -> CarriedBy:
    speaks = np.maximum(added, 0)
    total = max(float(speaks.sum()), 1e-12)
    order = np.argsort(-speaks, kind="stable")[:_MOST_GENES]
    order = order[speaks[order] > 0]
    symbols = scores.target.symbols
    shared = np.zeros(len(symbols), bool)
    for part in scores.references:
        shared |= part.prediction.shared
    return CarriedBy(
        tuple((str(symbols[gene]), float(speaks[gene] / total)) for gene in order),
        tuple(_told_by(scores, int(gene), label) for gene in order),
        _terms(scores, speaks),
        float(speaks[~shared].sum() / total),
    )


def _told_by(scores: TransferScores, gene: int, label: int) -> str:
    """Return the reference gene that adds most to what is expected of a gene."""
    best, name = -np.inf, ""
    for part in scores.references:
        own = np.flatnonzero(part.columns == label)
        if not len(own):
            continue
        seen = part.signature.scores[own[0]].astype(np.float64)
        if part.prediction.shared[gene]:
            row = same_genes(part.genes, scores.target)[gene].toarray().ravel()
        else:
            like = scores.target.features[gene] @ part.prediction.semantic
            row = part.weight * like
        added = row * seen * np.sign(scores.weights[label, gene])
        top = int(added.argmax())
        if added[top] > best:
            best, name = float(added[top]), str(part.genes.symbols[top])
    return name


def _terms(scores: TransferScores, speaks: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the terms whose genes speak more for the name than others do."""
    from napari_semst.genes.terms import builtin_terms

    terms = builtin_terms()
    # Terms are known of the genes of the table that ships.
    if terms.members.shape[1] != scores.target.n_rows:
        return ()
    identity = scores.target.identity[:, : scores.target.n_rows]
    here = (terms.members @ identity.T).tocsr()
    here.data[:] = 1.0
    count = np.asarray(here.sum(axis=1)).ravel()
    fit = (count >= 3) & (count <= max(len(speaks) // 3, 3))
    mean, spread = speaks.mean(), max(float(speaks.std()), 1e-12)
    apart = (here @ speaks - count * mean) / (np.sqrt(np.maximum(count, 1)) * spread)
    apart[~fit] = -np.inf
    order = np.argsort(-apart, kind="stable")[:_MOST_TERMS]
    return tuple(terms.names[term] for term in order if apart[term] > 2)
