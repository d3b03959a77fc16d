"""What sets a domain apart in meaning, and which listed genes that comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from napari_semst.explanation.markers import inside_and_outside, membership
from napari_semst.semantics.weights import gene_list_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.genes.table import GeneTable
    from napari_semst.semantics import GeneLists, Species


@dataclass(frozen=True)
class Listed:
    """The listed genes that have a vector, and how each spot is made of them.

    Parameters
    ----------
    genes
        Names, shape ``(n_genes,)``.
    vectors
        ``(n_genes, n_dimensions)``; the table's have unit length.
    rows
        Which rows of the table stand for each gene, ``(n_genes, n_table_genes)``; no
        columns where vectors are not the table's.
    shares
        What each gene is of each spot's semantic vector, ``(n_spots, n_genes)``; rows
        sum to 1, or to 0 where no listed gene is known.
    coverage
        Share of the listed genes that are known, over all spots.
    """

    genes: NDArray[np.str_]
    vectors: NDArray[np.float32]
    rows: sparse.csr_matrix
    shares: sparse.csr_matrix
    coverage: float

    @property
    def told(self) -> NDArray[np.bool_]:
        """Which spots list a known gene, shape ``(n_spots,)``."""
        told: NDArray[np.bool_] = np.diff(self.shares.indptr) > 0
        return told


def listed_genes(
    lists: GeneLists, table: GeneTable, species: Species, gene_weights: str = "equal"
) -> Listed:
    """Return what the built-in table makes of each spot's list."""
    used = lists.used
    genes, ids = lists.genes[used], lists.ids_of(used)
    vectors, known = table.map_genes(genes, species, ids)
    listed = listed_by(lists, vectors, known, gene_weights)
    told = [""] * len(used) if ids is None else ids.tolist()
    pairs = zip(genes.tolist(), told, known, strict=True)
    found = [table.rows(name, species, one) for name, one, there in pairs if there]
    gene = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
    flat = np.array([row for rows in found for row in rows], dtype=np.int64)
    shape = len(found), len(table.symbols)
    rows = sparse.csr_matrix((np.ones(len(flat)), (gene, flat)), shape=shape)
    return replace(listed, rows=rows)


def listed_by(
    lists: GeneLists,
    vectors: NDArray[np.float32],
    known: NDArray[np.bool_],
    gene_weights: str = "equal",
) -> Listed:
    """Return what spots are made of, by vectors of any origin; of no table's rows.

    Parameters
    ----------
    vectors, known
        Of the listed genes in the order of their positions, each once: ``(n_listed,
        n_dimensions)`` and ``(n_listed,)``.
    """
    used = np.unique(lists.indices[lists.listed])
    column = np.full(len(lists.genes), -1)
    column[used[known]] = np.arange(known.sum())
    places = np.where(lists.listed, column[lists.indices], -1)
    shares = _shares(lists, places, int(known.sum()), gene_weights)
    coverage = shares.nnz / max(int(lists.listed.sum()), 1)
    names = lists.genes[used[known]]
    none = sparse.csr_matrix((len(names), 0))
    return Listed(names, vectors[known], none, shares, coverage)


def _shares(
    lists: GeneLists, places: NDArray[np.int64], n_known: int, gene_weights: str
) -> sparse.csr_matrix:
    """Return what each known gene is of each spot's mean; places are -1 for others."""
    known = places >= 0
    weights = gene_list_weights(lists, gene_weights)
    share = known * (1.0 if weights is None else weights)
    total = share.sum(axis=1, keepdims=True)
    share = share / np.where(total > 0, total, 1)
    ends = np.append(0, np.cumsum(known.sum(axis=1)))
    return sparse.csr_matrix(
        (share[known], places[known], ends), shape=(lists.n_spots, n_known)
    )


@dataclass(frozen=True)
class Meaning:
    """What each domain's mean semantic vector has beyond all other spots'.

    Parameters
    ----------
    share_in, share_out
        Mean share of each gene inside and outside, ``(n_domains, n_genes)``.
    difference
        Of the mean semantic vectors, ``(n_domains, n_dimensions)``.
    contribution
        Share of each gene in the squared length of that difference, ``(n_domains,
        n_genes)``; rows sum to 1, where there is a difference.
    """

    share_in: NDArray[np.float64]
    share_out: NDArray[np.float64]
    difference: NDArray[np.float64]
    contribution: NDArray[np.float64]

    @property
    def excess(self) -> NDArray[np.float64]:
        """How much more each gene is of the spots inside; rows sum to 0."""
        return self.share_in - self.share_out


def find_meaning(listed: Listed, codes: NDArray[np.int32], n_domains: int) -> Meaning:
    """Return what sets each domain apart from all other spots, gene by gene.

    A semantic vector is the mean of the vectors of listed genes, and so is exactly the
    sum of what each gene is of it: no gene's part is estimated.

    Parameters
    ----------
    listed
        Spots as made of genes; those without a known gene are left out.
    """
    codes = np.where(listed.told, codes, -1)
    inside = np.bincount(codes[codes >= 0], minlength=n_domains)[:, None]
    sums = (membership(codes, n_domains) @ listed.shares).toarray()
    # A domain of which nothing is told, or beside which nothing is, has no difference.
    one_sided = (inside == 0) | (inside == inside.sum())
    share_in, share_out = inside_and_outside(sums, np.where(one_sided, 0.5, inside))
    excess = np.where(one_sided, 0, share_in - share_out)
    share_in, share_out = (np.where(one_sided, 0, s) for s in (share_in, share_out))
    vectors = listed.vectors.astype(np.float64)
    difference = excess @ vectors
    length = (difference**2).sum(axis=1, keepdims=True)
    part = excess * (difference @ vectors.T)
    contribution = np.divide(part, length, out=np.zeros_like(part), where=length > 0)
    return Meaning(share_in, share_out, difference, contribution)
