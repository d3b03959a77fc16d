"""What one gene says of another: a gene says all of itself, and some of its like.

The signature of a domain is read as a function of genes, of which the reference shows
some. Of other genes it is predicted by ridge regression on the gene table's vectors,
which is a Gaussian process with these vectors' kernel; how much is believed, the ridge,
is what predicts left-out genes of the reference best (closed form; Golub, Heath and
Wahba 1979, doi:10.1080/00401706.1979.10489751). A gene that both sections hold keeps
what the reference shows of it.

Predictions err together: a direction of the vectors of which the reference has few
genes and the target many would outvote all others by one error, many times over.
Predicted genes therefore count by the inverse of the process's predictive covariance,
as in a linear discriminant (Rasmussen and Williams 2006, sections 2.2 and 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.genes.gene_names import Species
    from napari_semst.genes.table import GeneTable
    from napari_semst.transfer.signature import Signature

_RIDGES = np.geomspace(1e-2, 1e4, 25)
# Directions along which the table's genes hardly differ are not blown up further.
_LEAST_SPREAD = 0.01
# How much less a reference is believed to know of coefficients than of its own
# section: the target is another donor, or another species.
_STRANGER = 5.0


@dataclass(frozen=True)
class NamedGenes:
    """Genes of a section, and what the table knows of them.

    Parameters
    ----------
    symbols
        As the section has them, ``(n_genes,)``.
    features
        Vectors, ``(n_genes, n_dimensions)``; zero where unknown.
    known
        Whether the table knows them, ``(n_genes,)``.
    identity
        Which genes they are, ``(n_genes, n_identities)``; rows of the table first.
    n_rows
        Of the table.
    """

    symbols: NDArray[np.str_]
    features: NDArray[np.float64]
    known: NDArray[np.bool_]
    identity: sparse.csr_matrix
    n_rows: int


def named_genes(
    symbols: Sequence[str] | NDArray[np.str_],
    species: Species,
    table: GeneTable,
    places: dict[str, int],
    ids: Sequence[str] | NDArray[np.str_] | None = None,
) -> NamedGenes:
    """Return what the table knows of a section's genes.

    A gene is the row, or the rows, of the table that its symbol stands for, so that
    mouse and human genes are the same where they are homologues. One that the table
    does not know is its symbol.

    Parameters
    ----------
    places
        Column of each symbol that the table does not know; new ones are added.
    ids
        Ensembl ids of the genes, which go before their names; None where there are
        none.
    """
    names = np.asarray(symbols, dtype=np.str_)
    told = np.full(len(names), "") if ids is None else np.asarray(ids, dtype=np.str_)
    vectors, known = table.map_genes(names, species, told)
    n_rows = len(table.symbols)
    rows: list[int] = []
    columns: list[int] = []
    for place, (name, gene_id) in enumerate(zip(names, told, strict=True)):
        found = table.rows(str(name), species, str(gene_id))
        if not found:
            found = (n_rows + places.setdefault(str(name).upper(), len(places)),)
        rows += [place] * len(found)
        columns += found
    ones = np.ones(len(rows))
    shape = len(names), n_rows + len(places)
    identity = sparse.csr_matrix((ones, (rows, columns)), shape=shape)
    features = vectors.astype(np.float64) @ _evened(table)
    return NamedGenes(names, features, known, identity, n_rows)


def _evened(table: GeneTable) -> NDArray[np.float64]:
    """Return the transform that brings the table's dimensions nearer to one spread.

    Half way to whitening: dimensions count by the square root of their spread.
    """
    vectors = table.vectors.astype(np.float64)
    spread, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    floor = _LEAST_SPREAD * spread.mean()
    scale = (np.maximum(spread, 0) + floor) ** -0.25 * np.sqrt(np.sqrt(spread.mean()))
    transform: NDArray[np.float64] = axes * scale
    return transform


@dataclass(frozen=True)
class PredictedSignature:
    """A reference's signature as it is expected of a target's genes.

    Parameters
    ----------
    own
        What the reference shows of the genes that it holds itself,
        ``(n_labels, n_target_genes)``; zero of others.
    foreseen
        What these lead to expect of genes that it lacks, of the same shape; zero of
        those it holds, and of such that the table does not know.
    like
        What genes that it lacks count: ``foreseen``, less along directions of which
        it knows little.
    shared
        Which of the target's genes the reference holds itself.
    explained
        Share of the signature's variance over genes that the vectors predict of
        reference genes left out; 0 where semantics say nothing.
    ridge
        Of the regression.
    semantic
        What each reference gene adds to ``like`` along each dimension,
        ``(n_dimensions, n_reference_genes)``.
    """

    own: NDArray[np.float64]
    foreseen: NDArray[np.float64]
    like: NDArray[np.float64]
    shared: NDArray[np.bool_]
    explained: float
    ridge: float
    semantic: NDArray[np.float64]

    def joint(self, weight: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each gene counts for a label, and what is expected of it.

        Parameters
        ----------
        weight
            Of genes that the reference lacks.

        Returns
        -------
        weights, expected
            Scaled as `of_one_spread` does.
        """
        weights = self.own + weight * self.like
        return of_one_spread(weights, self.own + weight * self.foreseen)


def of_one_spread(
    weights: NDArray[np.float64], expected: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both so that sums over genes err by one for each label.

    The inverse covariance of errors times what is expected makes the weights; the sum
    of products of both is thus the variance of a sum with these weights. A label of
    which references disagree so far that there is none says nothing: zeros.
    """
    variance = (weights * expected).sum(axis=1)[:, None]
    scale = np.where(variance > 1e-12, np.sqrt(np.maximum(variance, 1e-12)), np.inf)
    return weights / scale, expected / scale


def predict_signature(
    signature: Signature, reference: NamedGenes, target: NamedGenes
) -> PredictedSignature:
    """Return what is expected of the target's genes in each domain of the reference."""
    scores = signature.scores.astype(np.float64)
    # Of domains with more of every gene it says how deep they were read.
    scores -= scores.mean(axis=1, keepdims=True)
    used = np.flatnonzero(reference.known)
    features = reference.features[used]
    same = same_genes(reference, target)
    own = np.asarray((same @ scores.T).T)
    shared = np.diff(same.indptr) > 0
    foreign = np.where(shared[:, None], 0.0, target.features)
    semantic = np.zeros((features.shape[1], scores.shape[1]))
    foreseen, explained, ridge = np.zeros_like(own), 0.0, float(_RIDGES[-1])
    if len(used):
        ridge, explained, solve = fit_ridge(features, scores[:, used].T)
        foreseen = (scores[:, used] @ solve.T) @ foreign.T
        # Woodbury: weighing by the predictive covariance of the target's genes is to
        # count these among the genes that hold coefficients small.
        held = features.T @ features + ridge * np.eye(features.shape[1])
        held += _STRANGER * foreign.T @ foreign
        semantic[:, used] = np.linalg.solve(held, features.T)
    like = (scores @ semantic.T) @ foreign.T
    return PredictedSignature(
        own, foreseen, like, shared, max(explained, 0.0), ridge, semantic
    )


def same_genes(reference: NamedGenes, target: NamedGenes) -> sparse.csr_matrix:
    """Return the mean over each target gene's own genes of the reference.

    Returns
    -------
    scipy.sparse.csr_matrix
        Shape ``(n_target_genes, n_reference_genes)``; rows add up to 1, or are empty.
    """
    # Symbols that the table does not know were met by and by.
    width = min(target.identity.shape[1], reference.identity.shape[1])
    mine, others = target.identity[:, :width], reference.identity[:, :width]
    same = sparse.csr_matrix(mine @ others.T)
    same.data[:] = 1.0
    count = np.maximum(np.diff(same.indptr), 1)
    return sparse.csr_matrix(sparse.diags_array(1.0 / count) @ same)


def fit_ridge(
    features: NDArray[np.float64], observed: NDArray[np.float64]
) -> tuple[float, float, NDArray[np.float64]]:
    """Return the ridge that predicts left-out rows best, how well, and the solver.

    Parameters
    ----------
    features
        Shape ``(n_genes, n_dimensions)``.
    observed
        Shape ``(n_genes, n_labels)``.

    Returns
    -------
    ridge, explained, solve
        The share of variance that is predicted of left-out rows, below 0 where a row
        is worse predicted than by nothing; and what makes coefficients of
        observations, ``(n_dimensions, n_genes)``.
    """
    spread, axes = np.linalg.eigh(features.T @ features)
    spread = np.maximum(spread, 0)
    along = features @ axes
    turned = along.T @ observed
    total = max(float((observed**2).sum()), 1e-12)
    best = (-np.inf, float(_RIDGES[-1]))
    shrunk = 1 / (spread[:, None] + _RIDGES)
    leverages = np.minimum(along**2 @ shrunk, 1 - 1e-9)
    for place, ridge in enumerate(_RIDGES):
        residual = observed - along @ (shrunk[:, place, None] * turned)
        left_out = residual / (1 - leverages[:, place, None])
        best = max(best, (1 - float((left_out**2).sum()) / total, float(ridge)))
    explained, ridge = best
    solve = axes @ ((1 / (spread + ridge))[:, None] * along.T)
    return ridge, explained, solve
