"""Sections brought into one frame by spots that are each other's nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.core.chunks import fitted_spots
from napari_semst.core.threads import keep_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.core.sections import Sections

    Scores = NDArray[np.float32]

# Neighbours that two spots of different sections must be among, of each other.
MUTUAL_NEIGHBOURS = 20
# Leading components by which they are sought.
_WIDTH = 20
# The first rounds go by spots that are truly alike; many more lay whole sections upon
# each other, alike or not (docs/benchmarks.md).
_ROUNDS = 10
# A shift has settled when a step is below this share of the spread.
_SETTLED = 5e-4
# Spots of a section, and of all before it, by which its shift is found, and among which
# pairs are then looked for.
SETTLING_SPOTS = 2_000
COMPARED_SPOTS = 6_000
_LEAST_DRAWN = 100


class SectionAlignment(NamedTuple):
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
    apart
        How far a section's spots are from the nearest of other sections, once shifted,
        over how far from the 20th nearest of their own; the median. Sections of one
        tissue were found at 1.2 to 1.9, others at 2.3 and more.
    """

    shifts: tuple[NDArray[np.float32], ...]
    pairs: sparse.csr_matrix
    paired: NDArray[np.float64]
    apart: NDArray[np.float64]

    def notes(self) -> dict[str, object]:
        """Return its provenance."""
        return {
            "mutual_pairs": self.pairs.nnz // 2,
            "paired_shares": [round(float(share), 4) for share in self.paired],
            "apart": [round(float(ratio), 3) for ratio in self.apart],
        }


def align_sections(
    scores: Sequence[Scores],
    averaged: Sequence[Scores],
    sections: Sections,
    seed: int,
    first: NDArray[np.bool_] | None = None,
) -> SectionAlignment:
    """Find the shift that takes every section to those before it, largest first.

    Mutual nearest neighbours (Haghverdi et al. 2018) are taken to be of one kind: what
    lies between them is the difference of the sections. Here it is one shift for a
    section, the mean over its pairs, repeated a few times, and not one for every
    spot: on real sections shifts by spot followed noise (docs/benchmarks.md).

    Parameters
    ----------
    scores
        Components of one or more kinds, each ``(n_spots, width)``.
    averaged
        The same averaged over spatial neighbours; the first are compared.
    first
        Sections that others are laid upon, and nothing else, ``(n_sections,)``: what
        the others are of moves none of them. `None`: each upon all before it.
    """
    random = np.random.default_rng([seed, 2])
    order = _order(sections, first)
    spots = list(sections.spots())
    frame = _Frame(
        averaged,
        [np.zeros((len(spots), kind.shape[1]), np.float32) for kind in scores],
        sections.codes,
    )
    paired = np.ones(len(spots))
    rows, columns = [], []
    for index, code in enumerate(order[1:], start=1):
        done = [
            spots[other] for other in order[:index] if first is None or first[other]
        ]
        few, many = (
            (_drawn(done, size, random), _drawn([spots[code]], size, random))
            for size in (SETTLING_SPOTS, COMPARED_SPOTS)
        )
        frame.move(*few, code)
        there, here = frame.pairs(*many)
        paired[code] = len(np.unique(here)) / len(many[1])
        rows.append(many[0][there])
        columns.append(many[1][here])
    graph = _graph(rows, columns, len(scores[0]))
    apart = np.array([frame.apart(spots, code, random) for code in range(len(spots))])
    return SectionAlignment(tuple(frame.shifts), graph, paired, apart)


def _order(sections: Sections, first: NDArray[np.bool_] | None) -> list[int]:
    """Return sections from the largest on, those that are first before the others.

    Of sections of one size names decide: in which order they are given does not.
    """
    sizes, names = sections.sizes, sections.names
    behind = np.zeros(len(names), bool) if first is None else ~first
    return sorted(
        range(len(names)), key=lambda one: (behind[one], -sizes[one], names[one])
    )


def _drawn(
    sections: Sequence[NDArray[np.int64]], most: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return spots of all sections alike, so that none is crowded out."""
    each = max(most // len(sections), _LEAST_DRAWN)
    return np.concatenate(
        [own[fitted_spots(len(own), random, each)] for own in sections]
    )


class _Frame:
    """Sections as they are shifted so far.

    Parameters
    ----------
    averaged
        Components of one or more kinds, averaged over spatial neighbours.
    shifts
        Of every section, by kind; changed in place.
    """

    def __init__(
        self,
        averaged: Sequence[Scores],
        shifts: list[NDArray[np.float32]],
        codes: NDArray[np.int32],
    ) -> None:
        self.averaged, self.shifts, self.codes = averaged, shifts, codes

    def _now(self, kind: int, spots: NDArray[np.int64]) -> Scores:
        shifted: Scores = (
            self.averaged[kind][spots] + self.shifts[kind][self.codes[spots]]
        )
        return shifted

    def pairs(
        self, reference: NDArray[np.int64], own: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return mutual neighbours of two samples of spots, by leading components."""
        first, second = (self._now(0, spots)[:, :_WIDTH] for spots in (reference, own))
        return mutual_neighbours(first, second, MUTUAL_NEIGHBOURS)

    def move(
        self, reference: NDArray[np.int64], own: NDArray[np.int64], code: int
    ) -> None:
        """Move one section's shift for some rounds, or until it rests."""
        goals = [self._now(kind, reference) for kind in range(len(self.averaged))]
        spread = float(goals[0][:, :_WIDTH].std(axis=0).max()) or 1.0
        for _ in range(_ROUNDS):
            there, here = self.pairs(reference, own)
            steps = [
                _between(goal, self._now(kind, own), there, here)
                for kind, goal in enumerate(goals)
            ]
            for shift, step in zip(self.shifts, steps, strict=True):
                shift[code] += step
            if float(np.abs(steps[0][:_WIDTH]).max()) < _SETTLED * spread:
                break

    def apart(
        self,
        spots: Sequence[NDArray[np.int64]],
        code: int,
        random: np.random.Generator,
    ) -> float:
        """Return how far a section lies from all others, see `SectionAlignment`."""
        from sklearn.neighbors import NearestNeighbors

        keep_limits()
        others = [one for place, one in enumerate(spots) if place != code]
        own, rest = (
            self._now(0, _drawn(group, COMPARED_SPOTS, random))[:, :_WIDTH]
            for group in ([spots[code]], others)
        )
        near = min(MUTUAL_NEIGHBOURS, len(own) - 1)
        inside = NearestNeighbors(n_neighbors=near, algorithm="brute").fit(own)
        across = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rest)
        away = across.kneighbors(own)[0][:, 0]
        # Asked without points, a spot is not its own neighbour.
        return float(np.median(away / np.maximum(inside.kneighbors()[0][:, -1], 1e-12)))


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
    """Return indices of pairs of spots that are among each other's nearest.

    Parameters
    ----------
    first, second
        Places of the spots of two sections, each ``(n_spots, width)``.
    n_neighbours
        Among so many nearest spots.
    """
    there = _nearest(first, second, n_neighbours)
    back = _nearest(second, first, n_neighbours).T
    pairs = there.multiply(back).tocoo()
    return pairs.row.astype(np.int64), pairs.col.astype(np.int64)


def _nearest(asked: Scores, among: Scores, n_neighbours: int) -> sparse.csr_matrix:
    """Return which spots are nearest to each asked one, as ones."""
    from sklearn.neighbors import NearestNeighbors

    keep_limits()
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
