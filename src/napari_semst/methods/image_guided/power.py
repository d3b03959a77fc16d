"""How strong a region has to be to be found: what it means that none is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import KDTree

from napari_semst.methods.image_guided.regions import (
    CUT,
    Evidence,
    expected_in_section,
    pieces_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config
    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.prediction import Prediction

    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

# Size of the regions that are tried, in spots of the section; how many stand in a
# section at a time, and how often; and shares of a foreign programme.
_SIZE, _FEWEST = 0.03, 10
_AT_ONCE, _TIMES = 4, 3
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of another tissue's programme that are tried, from least to most."""

# Places whose expression is lent, and which of them by how unlike they are.
_LENDING, _UNLIKE = 16, 0.75
# Share of a place that is discordant, from which on nothing is planted there.
_UNUSUAL = 0.1
# Share of a region that has to lie in one that is found, and of regions to be found.
_HIT, _HALF = 0.3, 0.5
_MASSES = np.geomspace(0.1, 1e5, 600)


class RegionPower(NamedTuple):
    """The weakest regions of a section of which half would be found.

    Parameters
    ----------
    spots
        Size of the regions tried.
    share
        How much of their expression has to be another tissue's; NaN where even all
        of it is not enough, or nothing was compared.
    deviations
        How far above usual their spots have to lie in the mean for what is unexplained;
        NaN where that was not asked.
    """

    spots: int
    share: float
    deviations: float


class _Plan(NamedTuple):
    """Regions of a section, and from which spots each of their spots borrows."""

    regions: list[Spots]
    lent: list[Spots]


def measure_power(
    prediction: Prediction,
    scored: Callable[[Floats], Floats],
    questions: tuple[Evidence, Evidence],
    touching: sparse.csr_matrix,
    places: Doubles,
    sections: Sequence[Spots],
    config: Config,
    control: RunControl,
) -> tuple[RegionPower, ...]:
    """Return of each section how strong a region has to be to be found.

    Regions are planted: spots around a place express in part what another place of the
    section does, one that lies farther from it in expression than three in four. What
    follows is done as for the section itself, against its own null.

    Parameters
    ----------
    prediction
        What is expressed and expected.
    scored
        From what is expressed, ``(n_spots, width)``, to deviations of what contradicts.
    questions
        What contradicts and what is unexplained.
    sections
        Spots of each that have been compared.
    """
    # Of several sections a region that is alone among all has to be as little expected.
    wanted = config.image_guided.discordance_fdr / max(len(sections), 1)
    random = np.random.default_rng([config.training.seed, 17])
    sizes = [max(_FEWEST, round(_SIZE * len(spots))) for spots in sections]
    limits = [
        tuple(_needed(one, touching, spots, wanted) for one in questions)
        for spots in sections
    ]
    found = np.zeros((len(sections), len(SHARES)))
    tried = np.zeros(len(sections))
    for _ in range(_TIMES if prediction.width else 0):
        plans = [
            _planned(prediction, questions[0].score, places, spots, size, random)
            for spots, size in zip(sections, sizes, strict=True)
        ]
        tried += [len(plan.regions) for plan in plans]
        for number, share in enumerate(SHARES):
            control.check()
            score = scored(_planted(prediction.expressed, plans, share))
            for one, spots in enumerate(sections):
                hit = _hit(score, touching, spots, plans[one].regions, limits[one][0])
                found[one, number] += hit
    return tuple(
        RegionPower(
            size,
            _least(found[one], tried[one]),
            float(CUT + limits[one][1] / size)
            if _asked(questions[1], spots)
            else np.nan,
        )
        for one, (size, spots) in enumerate(zip(sizes, sections, strict=True))
    )


def _asked(question: Evidence, spots: Spots) -> bool:
    return bool(np.isfinite(question.score[spots]).any()) and len(question.null) > 0


def _least(found: Doubles, tried: float) -> float:
    """Return the least share from which on half are found."""
    enough = found >= _HALF * max(tried, 1)
    return SHARES[int(enough.argmax())] if enough.any() else float("nan")


def _needed(
    question: Evidence, touching: sparse.csr_matrix, spots: Spots, wanted: float
) -> float:
    """Return the mass from which on a piece of a section is a region."""
    own = Evidence(question.score[spots], question.null[:, spots])
    near = touching[spots][:, spots]
    expected = expected_in_section(_MASSES, own, near, 2)
    enough = expected <= wanted
    return float(_MASSES[enough.argmax()]) if enough.any() else np.inf


def _planned(
    prediction: Prediction,
    score: Floats,
    places: Doubles,
    spots: Spots,
    size: int,
    random: np.random.Generator,
) -> _Plan:
    """Return regions that do not touch, where nothing is discordant, and lenders."""
    plan = _Plan([], [])
    if len(spots) <= 3 * size:
        return plan
    tree = KDTree(places[spots])
    weights = np.sqrt(prediction.weights).astype(np.float32)
    unusual, taken = score[spots] > CUT, np.zeros(len(spots), bool)
    for centre in random.permutation(np.flatnonzero(~unusual))[: 20 * _AT_ONCE]:
        if len(plan.regions) == _AT_ONCE:
            break
        _, around = tree.query(places[spots[centre]], k=2 * size)
        if taken[around].any() or unusual[around].mean() > _UNUSUAL:
            continue
        taken[around] = True
        region = spots[around[:size]]
        lending = random.choice(len(spots), min(_LENDING, len(spots)), replace=False)
        _, near = tree.query(places[spots[lending]], k=size)
        means = (prediction.expressed[spots[near]] * weights).mean(axis=1)
        own = (prediction.expressed[region] * weights).mean(axis=0)
        order = np.argsort(np.square(means - own).sum(axis=1), kind="stable")
        plan.regions.append(region)
        plan.lent.append(spots[near[order[int(_UNLIKE * len(order))]]])
    return plan


def _planted(expressed: Floats, plans: Sequence[_Plan], share: float) -> Floats:
    changed = expressed.copy()
    for plan in plans:
        for region, lent in zip(plan.regions, plan.lent, strict=True):
            mixed = (1 - share) * expressed[region] + share * expressed[lent]
            changed[region] = mixed
    return changed


def _hit(
    score: Floats,
    touching: sparse.csr_matrix,
    spots: Spots,
    regions: Sequence[Spots],
    limit: float,
) -> int:
    """Return how many planted regions lie in pieces that would be found."""
    masses, pieces = pieces_of(score[spots], touching[spots][:, spots])
    inside = np.zeros(len(score), bool)
    for mass, piece in zip(masses, pieces, strict=True):
        if mass >= limit:
            inside[spots[piece]] = True
    return sum(bool(inside[region].mean() >= _HIT) for region in regions)
