"""Regions of evidence, and how many as strong are expected where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]
    # Expected by chance, mass with the sign turned, kind, spots.
    Piece = tuple[float, float, int, Spots]

KINDS = ("none", "contradicts", "unexplained")
"""What a spot is called, by number: expression is that of another image, or is unusual
among spots whose image leads to expect the same."""

# By how much slides moved at random understate the regions that chance makes: six
# simulated sections without any (development seeds) had two pieces of which 0.1 or
# fewer were expected in a section, where 0.6 in all would be right. Sections are
# uneven in ways that moving them does not keep.
_UNDERSTATED = 3.0
# Mass by which pieces of the null differ at least.
_LEAST_SCALE = 1.0
# Deviations that a spot is above usual, from which on it is part of a region.
CUT = 1.5


class Evidence(NamedTuple):
    """What one question says of each spot, and what it says by chance.

    Parameters
    ----------
    score
        In deviations above usual, ``(n_spots,)``; NaN says nothing.
    null
        The same where there is nothing to find, as uneven over the section,
        ``(n_draws, n_spots)``.
    """

    score: Floats
    null: Floats


class RegionFound(NamedTuple):
    """Spots that touch, which together say more than chance does.

    Parameters
    ----------
    spots
        Their indices.
    kind
        Number of the question among `KINDS`.
    mass
        Sum of the deviations above the limit from which spots are part of it.
    expected_false
        Regions of this mass or more that a section without any is expected to have,
        over all questions.
    q_value
        Share of false ones to expect among regions of this mass and more.
    """

    spots: Spots
    kind: int
    mass: float
    expected_false: float
    q_value: float


def find_regions(
    questions: Sequence[Evidence], touching: sparse.csr_matrix, wanted: float
) -> list[RegionFound]:
    """Return regions of which few are expected by chance, the least expected first.

    Weak evidence of many spots that touch counts as strong evidence of few does.
    Regions of two questions that overlap are one, of the kind that is less expected.

    Parameters
    ----------
    questions
        In the order of their kinds, which are numbered from 1.
    touching
        Which spots touch, ``(n_spots, n_spots)``.
    wanted
        False regions that a section without any is expected to have, at most.
    """
    found = _pieces(questions, touching)
    apart = _joined(found, touching.shape[0], wanted)
    rates = np.array([one[0] for one in apart]) / np.arange(1, len(apart) + 1)
    return _below(apart, rates, wanted)


def find_regions_together(
    questions: Sequence[Evidence],
    touching: sparse.csr_matrix,
    sections: Sequence[Spots],
    wanted: float,
) -> list[RegionFound]:
    """Return regions of several sections, none across two, the least expected first.

    Each section has its own null. A region is one if its section is expected to have
    few as strong, and if of all regions of all sections that are less expected few are
    false: sections without any bring in chance, too.

    Parameters
    ----------
    sections
        Spots of each section that is asked.
    wanted
        False regions expected in a section, and their share among all found, at most.
    """
    found: list[Piece] = []
    for spots in sections:
        own = [Evidence(one.score[spots], one.null[:, spots]) for one in questions]
        found += [
            (*piece[:3], spots[piece[3]])
            for piece in _pieces(own, touching[spots][:, spots])
        ]
    found.sort(key=lambda one: one[:3])
    apart = _joined(found, touching.shape[0], wanted)
    expected = np.array([one[0] for one in apart]) * len(sections)
    return _below(apart, expected / np.arange(1, len(apart) + 1), wanted, wanted)


def _pieces(questions: Sequence[Evidence], touching: sparse.csr_matrix) -> list[Piece]:
    """Return pieces of all questions, the least expected first."""
    found: list[Piece] = []
    for kind, question in enumerate(questions, 1):
        masses, pieces = pieces_of(question.score, touching)
        expected = expected_in_section(masses, question, touching, len(questions))
        found += zip(
            expected.tolist(), (-masses).tolist(), [kind] * len(masses), pieces,
            strict=True,
        )  # fmt: skip
    found.sort(key=lambda one: one[:3])
    return found


def expected_in_section(
    masses: Doubles, question: Evidence, touching: sparse.csr_matrix, n_questions: int
) -> Doubles:
    """Return how many regions of each mass or more chance makes, over all questions."""
    null = [pieces_of(draw, touching)[0] for draw in question.null]
    found: Doubles = expected_by_chance(masses, null) * n_questions * _UNDERSTATED
    return found


def _below(
    apart: list[Piece], rates: Doubles, wanted: float, most: float = np.inf
) -> list[RegionFound]:
    """Return pieces that are regions, with the rate at which each would just be one."""
    rates = _falling_to(rates)
    return [
        RegionFound(spots, kind, -mass, expected, float(rate))
        for (expected, mass, kind, spots), rate in zip(apart, rates, strict=True)
        if expected <= wanted and rate <= most
    ]


def among_themselves(
    regions: Sequence[RegionFound], n_sections: int = 1, most: float = np.inf
) -> list[RegionFound]:
    """Return regions with the share of false ones among them alone, the least first.

    Where some were set aside those that are left are fewer, and as many are expected
    to be false.

    Parameters
    ----------
    n_sections
        Sections that were asked.
    most
        Share above which a region is left out.
    """
    order = sorted(regions, key=lambda one: (one.expected_false, -one.mass))
    expected = np.array([one.expected_false for one in order]) * n_sections
    rates = _falling_to(expected / np.arange(1, len(order) + 1))
    return [
        one._replace(q_value=rate)
        for one, rate in zip(order, rates.tolist(), strict=True)
        if rate <= most
    ]


def chances_false(regions: Sequence[RegionFound]) -> Doubles:
    """Return how likely each region is false, ``(n_regions,)``.

    A q-value is a mean over all regions that are at least as sure: each is itself as
    false as it adds to how many false ones there are (Efron and others, 2001, local
    rates; monotone as of Grenander, 1956).
    """
    from sklearn.isotonic import isotonic_regression

    q_values = np.array([one.q_value for one in regions], np.float64)
    order = np.argsort(q_values, kind="stable")
    false = q_values[order] * np.arange(1, len(order) + 1)
    found = np.empty(len(order))
    found[order] = isotonic_regression(np.diff(false, prepend=0.0))
    return np.clip(found, 0, 1)


def _falling_to(rates: Doubles) -> Doubles:
    """Return the least rate at which each would be among those that are found."""
    found: Doubles = np.minimum.accumulate(rates[::-1])[::-1]
    return found


def _joined(found: list[Piece], n_spots: int, wanted: float) -> list[Piece]:
    """Return pieces that do not overlap, less expected ones first.

    One that overlaps with a less expected one becomes part of it, where it would be
    found for itself, and is left out where not.
    """
    owner = np.full(n_spots, -1, np.intp)
    apart: list[Piece] = []
    for expected, mass, kind, spots in found:
        owners = owner[spots]
        if (owners < 0).all():
            owner[spots] = len(apart)
            apart.append((expected, mass, kind, spots))
        elif expected <= wanted:
            first = int(owners[owners >= 0].min())
            owner[spots[owners < 0]] = first
    return [
        (*one[:3], np.flatnonzero(owner == number)) for number, one in enumerate(apart)
    ]


def pieces_of(
    score: Floats, touching: sparse.csr_matrix
) -> tuple[Doubles, list[Spots]]:
    """Return the masses of pieces of spots above the limit, and their spots."""
    from scipy.sparse.csgraph import connected_components

    # NaN is above nothing.
    above = np.flatnonzero(score > CUT)
    if not len(above):
        return np.zeros(0), []
    n_pieces, piece = connected_components(touching[above][:, above], directed=False)
    masses = np.bincount(piece, score[above] - CUT).astype(np.float64)
    order = np.argsort(piece, kind="stable")
    ends = np.cumsum(np.bincount(piece, minlength=n_pieces))[:-1]
    return masses, np.split(above[order], ends)


def expected_by_chance(masses: Doubles, null: Sequence[Doubles]) -> Doubles:
    """Return how many pieces of each mass or more a draw of the null has.

    Beyond what draws have it falls exponentially, as fast as the largest pieces of the
    draws do above their median. Few draws tell how fast, and what is not known of it is
    counted in: the chance of a new one is a mean over the rates that they allow
    (predictive distribution of an exponential; Aitchison and Dunsmore, 1975).

    Parameters
    ----------
    null
        Masses of the pieces of each draw.
    """
    if not null:
        return np.full(len(masses), np.inf)
    every = np.sort(np.concatenate([np.zeros(0), *null]))
    higher = len(every) - np.searchsorted(every, masses, side="left")
    largest = np.array([one.max(initial=0.0) for one in null])
    middle = float(np.median(largest))
    above = largest[largest > middle] - middle
    scale = max(float(above.mean()) if len(above) else 0.0, _LEAST_SCALE)
    told_by = max(len(above), 1)
    tail = (1 + np.maximum(masses - middle, 0) / (told_by * scale)) ** -told_by / 2
    expected: Doubles = np.maximum(higher / len(null), tail)
    return expected


def told_regions(regions: Sequence[RegionFound]) -> dict[str, list[Any]]:
    """Return columns of plain values, a row per region, for the provenance."""
    return {
        "kind": [KINDS[one.kind] for one in regions],
        "spots": [len(one.spots) for one in regions],
        "mass": [round(one.mass, 2) for one in regions],
        "expected_false": [float(f"{one.expected_false:.3g}") for one in regions],
        "q": [float(f"{one.q_value:.3g}") for one in regions],
    }


def region_numbers(regions: Sequence[RegionFound], n_spots: int) -> Spots:
    """Return the number of each spot's region from 0, -1 for none, ``(n_spots,)``."""
    numbers = np.full(n_spots, -1, np.intp)
    for number, region in enumerate(regions):
        numbers[region.spots] = number
    return numbers
