"""Genes that set each domain apart from all others: rank sums, never dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse, stats

from napari_semst.prepare.normalise import scale_depth, with_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from napari_semst.pipeline.inputs import SectionInputs


_CHUNK_VALUES = 4_000_000
# As scanpy has it, so that fold changes of genes that are nowhere stay finite.
_NOTHING = 1e-9


@dataclass(frozen=True)
class Markers:
    """Each gene in each domain against all other spots, all ``(n_domains, n_genes)``.

    Parameters
    ----------
    score
        Standardised rank sum, positive where the gene is higher inside.
    p_adjusted
        Two-sided, by the normal approximation, Benjamini-Hochberg over genes.
    auc
        Chance that a spot inside has more of the gene than one outside, ties half.
    log2_fold_change
        Of mean counts per 10,000, as scanpy has it.
    share_in, share_out
        Share of spots inside and outside that have the gene at all.
    """

    score: NDArray[np.float64]
    p_adjusted: NDArray[np.float64]
    auc: NDArray[np.float64]
    log2_fold_change: NDArray[np.float64]
    share_in: NDArray[np.float64]
    share_out: NDArray[np.float64]


def log_normalised(
    counts: sparse.csr_matrix, target_sum: float = 1e4
) -> sparse.csr_matrix:
    """Return log(1 + counts per ``target_sum``); the counts are not changed."""
    scaled = scale_depth(counts, target_sum)
    return with_values(scaled, np.log1p(scaled.data))


def find_markers(
    logged: sparse.csr_matrix,
    codes: NDArray[np.int32],
    n_domains: int,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Markers:
    """Return Wilcoxon's rank sums of every gene, each domain against all other spots.

    The same as scanpy's ``rank_genes_groups`` with ``method="wilcoxon"`` and
    ``tie_correct=True``, but zeros are ranked together without being stored, so that
    cost goes with the counts that are there.

    Parameters
    ----------
    logged
        Log-normalised counts, shape ``(n_spots, n_genes)``, not negative.
    codes
        Domain of each spot.
    n_domains
        How many there are, two or more, none of them empty.
    tell
        Called with (genes done, genes in all).
    """
    n_spots, n_genes = logged.shape
    inside = np.bincount(codes, minlength=n_domains).astype(np.float64)[:, None]
    ranks, seen = np.zeros((2, n_domains, n_genes))
    ties = np.zeros(n_genes)
    columns = logged.tocsc()
    for part in _chunks(columns.indptr):
        ranks[:, part], seen[:, part], ties[part] = _rank_sums(
            columns[:, part], codes, n_domains
        )
        tell(part.stop, n_genes)
    outside = n_spots - inside
    centre = inside * (n_spots + 1) / 2
    spread = inside * outside * (n_spots + 1) / 12 * ties
    score = (ranks - centre) / np.sqrt(np.where(spread > 0, spread, np.inf))
    p = 2 * stats.norm.sf(np.abs(score))
    total = (membership(codes, n_domains) @ logged).toarray()
    mean_in, mean_out = inside_and_outside(total, inside)
    fold = (np.expm1(mean_in) + _NOTHING) / (np.expm1(mean_out) + _NOTHING)
    share_in, share_out = inside_and_outside(seen, inside)
    return Markers(
        score,
        stats.false_discovery_control(p, axis=1),
        (ranks - inside * (inside + 1) / 2) / (inside * outside),
        np.log2(fold),
        share_in,
        share_out,
    )


def _chunks(pointers: NDArray[np.integer]) -> Iterator[slice]:
    """Yield slices of genes that hold few enough values each."""
    start, n_genes = 0, len(pointers) - 1
    while start < n_genes:
        upto = np.searchsorted(pointers, pointers[start] + _CHUNK_VALUES, "right") - 1
        stop = min(max(int(upto), start + 1), n_genes)
        yield slice(start, stop)
        start = stop


def _rank_sums(
    columns: sparse.csc_matrix, codes: NDArray[np.int32], n_domains: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return rank sums, spots with the gene, and the correction for ties."""
    n_spots, n_genes = columns.shape
    lengths = np.diff(columns.indptr).astype(np.int64)
    gene = np.repeat(np.arange(n_genes), lengths)
    order = np.lexsort((columns.data, gene))
    values, spots = columns.data[order], columns.indices[order]
    first = np.ones(len(values), bool)
    first[1:] = (values[1:] != values[:-1]) | (gene[1:] != gene[:-1])
    starts = np.flatnonzero(first)
    tied = np.diff(starts, append=len(values))
    zeros = n_spots - lengths
    # Ranks from 1; all zeros come first.
    lowest = starts - columns.indptr[:-1][gene[starts]] + zeros[gene[starts]]
    rank = np.repeat(lowest + (tied + 1) / 2, tied)
    cell = codes[spots] * n_genes + gene
    shape = n_domains, n_genes
    ranks = np.bincount(cell, rank, n_domains * n_genes).reshape(shape)
    seen = np.bincount(cell, minlength=n_domains * n_genes).reshape(shape)
    inside = np.bincount(codes, minlength=n_domains)[:, None]
    ranks = ranks + (inside - seen) * (zeros + 1) / 2
    runs = np.bincount(gene[starts], _cubes(tied), n_genes) + _cubes(zeros)
    return ranks, seen.astype(np.float64), 1 - runs / _cubes(np.array(n_spots))


def _cubes(tied: NDArray[np.integer]) -> NDArray[np.float64]:
    n = tied.astype(np.float64)
    return n**3 - n


def membership(codes: NDArray[np.integer[Any]], n_groups: int) -> sparse.csr_matrix:
    """Return which spots are of which group, ``(n_groups, n_spots)``; -1 is of none."""
    spots = np.flatnonzero(codes >= 0)
    ones = np.ones(len(spots))
    shape = n_groups, len(codes)
    return sparse.csr_matrix((ones, (codes[spots], spots)), shape=shape)


def inside_and_outside(
    sums: NDArray[np.floating[Any]], inside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means over the spots of each group, and over all other groups' spots.

    Parameters
    ----------
    sums
        Sums over each group's spots, shape ``(n_groups, width)``.
    inside
        Spots of each group, shape ``(n_groups, 1)``; neither none nor all.
    """
    outside = inside.sum() - inside
    total = sums.sum(axis=0, dtype=np.float64)
    return sums / inside, (total - sums) / outside


def informative_expression(
    inputs: SectionInputs,
) -> tuple[NDArray[np.str_], sparse.csr_matrix]:
    """Return the genes that are seen often enough and say something, and their logs.

    Returns
    -------
    tuple
        Symbols, ``(n_kept,)``, and log-normalised expression, ``(n_spots, n_kept)``.
    """
    from napari_semst.prepare.genes import expressed_genes, least_spots
    from napari_semst.prepare.normalise import canonical_csr
    from napari_semst.semantics import is_uninformative

    settings, counts, symbols = (
        inputs.settings,
        canonical_csr(inputs.counts),
        inputs.symbols,
    )
    n_spots, n_genes = counts.shape
    least = least_spots(n_spots, n_genes, settings.min_cells, settings.min_share)
    seen = expressed_genes(counts, least)
    seen = seen[~is_uninformative(symbols[seen])]
    return symbols[seen], log_normalised(counts, settings.target_sum)[:, seen]
