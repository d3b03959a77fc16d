"""Sections brought into one frame by spots that are each other's nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.sampling import fitted_spots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.several import Sections

    Scores = NDArray[np.float32]

# Neighbours that two spots of different sections must be among, of each other.
NEIGHBOURS = 20
# Leading components by which they are sought.
_WIDTH = 20
_ROUNDS = 10
# A shift has settled when it moves by less than this share of the spread.
_SETTLED = 5e-3
# Spots of a section that are compared, each with all of those before: 36 million pairs.
COMPARED_SPOTS = 6_000


class Alignment(NamedTuple):
    """What brings sections into the frame of the largest.

    Parameters
    ----------
    shifts
        For each kind of scores, what is added to those of a section,
        ``(n_sections, width)``.
    pairs
        Mutual nearest neighbours of different sections, symmetric and binary,
        ``(n_spots, n_spots)``.
    paired
        Share of every section's spots, of those looked at, that have such a
        neighbour; 1 for the section that all others are brought to.
    """

    shifts: tuple[NDArray[np.float32], ...]
    pairs: sparse.csr_matrix
    paired: NDArray[np.float64]

    def notes(self) -> dict[str, object]:
        """Return what the provenance tells of it."""
        return {
            "mutual_pairs": self.pairs.nnz // 2,
            "paired_shares": [round(float(share), 4) for share in self.paired],
        }


def align_sections(
    scores: Sequence[Scores], averaged: Sequence[Scores], sections: Sections, seed: int
) -> Alignment:
    """Find the shift that takes every section to those before it, largest first.

    Mutual nearest neighbours (Haghverdi et al. 2018) are taken to be of one kind: what
    lies between them is the difference of the sections. Here it is one shift for a
    section, the mean over its pairs, repeated until it settles, and not one for every
    spot: on real sections shifts by spot followed noise (docs/method.md). A domain
    that another section lacks has no mutual neighbours there and is not pulled.

    Parameters
    ----------
    scores
        Components of one or more kinds, each ``(n_spots, width)``.
    averaged
        The same averaged over spatial neighbours; the first are compared.
    sections
        Which spots are of which section.
    seed
        Seed of the sample of large sections that is compared.
    """
    random = np.random.default_rng([seed, 2])
    order = np.argsort(-sections.sizes, kind="stable")
    spots = list(sections.spots())
    looked = [own[fitted_spots(len(own), random, COMPARED_SPOTS)] for own in spots]
    shifts = [np.zeros((len(spots), one.shape[1]), np.float32) for one in scores]
    paired = np.ones(len(spots))
    rows, columns = [], []
    reference = looked[order[0]]
    for code in order[1:]:
        own = looked[code]
        there, here = _settle(averaged, shifts, sections.codes, reference, own, code)
        paired[code] = len(np.unique(here)) / len(own)
        rows.append(reference[there])
        columns.append(own[here])
        both = np.concatenate([reference, own])
        reference = both[fitted_spots(len(both), random, COMPARED_SPOTS)]
    return Alignment(tuple(shifts), _graph(rows, columns, len(scores[0])), paired)


def _settle(
    averaged: Sequence[Scores],
    shifts: list[NDArray[np.float32]],
    codes: NDArray[np.int32],
    reference: NDArray[np.int64],
    own: NDArray[np.int64],
    code: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Move one section's shift until it rests; return the last mutual pairs."""
    target = averaged[0][reference, :_WIDTH] + shifts[0][codes[reference], :_WIDTH]
    spread = float(target.std(axis=0).max()) or 1.0
    there = here = np.empty(0, np.int64)
    for _ in range(_ROUNDS):
        now = averaged[0][own, :_WIDTH] + shifts[0][code, :_WIDTH]
        there, here = mutual_neighbours(target, now, NEIGHBOURS)
        moved = 0.0
        for values, shift in zip(averaged, shifts, strict=True):
            goal = values[reference] + shift[codes[reference]]
            step = _between(goal, values[own] + shift[code], there, here)
            shift[code] += step
            moved = max(moved, float(np.abs(step[:_WIDTH]).max()))
        if moved < _SETTLED * spread:
            break
    return there, here


def _between(
    goal: Scores,
    now: Scores,
    there: NDArray[np.int64],
    here: NDArray[np.int64],
) -> Scores:
    """Return the mean way from spots to their neighbours; each spot counts once."""
    weight = 1.0 / np.bincount(here, minlength=len(now))[here]
    weight /= weight.sum()
    way: Scores = (weight @ goal[there] - weight @ now[here]).astype(np.float32)
    return way


def mutual_neighbours(
    first: Scores, second: Scores, n_neighbours: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of spots that are among each other's nearest.

    Parameters
    ----------
    first, second
        Places of the spots of two sections, each ``(n_spots, width)``.
    n_neighbours
        Among so many nearest spots.

    Returns
    -------
    first, second
        Indices of the two spots of every pair.
    """
    there = _nearest(first, second, n_neighbours)
    back = _nearest(second, first, n_neighbours).T
    pairs = there.multiply(back).tocoo()
    return pairs.row.astype(np.int64), pairs.col.astype(np.int64)


def _nearest(asked: Scores, among: Scores, n_neighbours: int) -> sparse.csr_matrix:
    """Return which spots are nearest to each asked one, as ones."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(
        n_neighbors=min(n_neighbours, len(among)), algorithm="brute"
    ).fit(among)
    # At most some thousands by as many, a block of rows at a time.
    return search.kneighbors_graph(asked)


def _graph(
    rows: Sequence[NDArray[np.int64]], columns: Sequence[NDArray[np.int64]], n: int
) -> sparse.csr_matrix:
    from napari_semst.prepare.graphs import symmetric_graph

    return symmetric_graph(np.concatenate(rows), np.concatenate(columns), n)
