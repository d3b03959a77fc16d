"""Which spots of a region express what it is found by, each asked for its own counts.

Regions are found in averages over neighbours, which reach beyond what stands out. So
spots of a region and its margin are told apart anew, by counts that no neighbour has a
share in: some express, along one direction over genes, what the others do not. Spots of
all regions, found by either question, have one rate at which they are false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from napari_semst.core.chunks import chunks
from napari_semst.methods.image_guided.regions import chances_false

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.gene_residuals import UnpredictedGenes
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.methods.image_guided.regions import Evidence, RegionFound
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

# Rounds of neighbours around a region, as far as averages reach.
_MARGIN = 2
# Spots of a section that tell how much each gene varies, at most and at least; and part
# of the mean variance that is added: of genes that are counted in one spot of hundreds
# these tell next to none, and the next count of one would outweigh all other genes.
_TELLING, _FEWEST_TELLING, _LEAST_VARIANCE = 500, 30, 0.5
# Times that spots are told apart, at most; change of a chance below which it is enough;
# and spots on either side below which there is nothing to tell apart.
_TIMES, _SETTLED, _FEWEST = 8, 1e-3, 3
# What a prior that neighbours are alike is held back by, and times it is fitted.
_RIDGE, _STEPS = np.array([1e-3, 1e-2]), 10
# Log odds that say enough, and that neighbours alone may say.
_SURE, _PRIOR = 30.0, 8.0
_CHUNK_SPOTS = 256
# Chance of being false from which on a spot is not called at any rate below it.
_RATHER_FALSE = 0.5


class _Local(NamedTuple):
    """A region with its margin.

    Parameters
    ----------
    apart
        What is not predicted of each gene, over its deviation, ``(n, n_genes)``.
    near
        Averages over spots that touch, ``(n, n)``.
    """

    apart: Floats
    near: sparse.csr_matrix


class _Usual(NamedTuple):
    """How genes vary among usual spots of a section.

    Parameters
    ----------
    by_depth
        What powers of library size tell of each gene, ``(3, n_genes)``.
    deviation
        Of what these leave, ``(n_genes,)``.
    """

    by_depth: Doubles
    deviation: Floats


def rate_of_spots(
    regions: Sequence[RegionFound],
    questions: Sequence[Evidence],
    touching: sparse.csr_matrix,
    genes: UnpredictedGenes,
    inputs: GuidedInputs,
    section: Section,
    control: RunControl,
) -> Floats:
    """Return the rate at which each spot would just be called, ``(n_spots,)``.

    Parameters are those of `chance_outside`; usable spots are those that were asked.
    """
    outside = chance_outside(
        regions, questions, touching, genes, inputs, section, control
    )
    return spot_rate(outside, regions, inputs.usable)


def chance_outside(
    regions: Sequence[RegionFound],
    questions: Sequence[Evidence],
    touching: sparse.csr_matrix,
    genes: UnpredictedGenes,
    inputs: GuidedInputs,
    section: Section,
    control: RunControl,
) -> Floats:
    """Return how likely each spot of a region is to lie outside of what it is found by.

    Two classes of spots, in a hidden Markov random field: those that express what the
    middle of the region does, and those around. Sources: Zhang, Brady and Smith (2001),
    the field; Besag (1975), how strongly neighbours are alike; Donoho and Johnstone
    (1994), which genes count.

    Parameters
    ----------
    questions
        In the order of their kinds.
    touching
        Which spots touch, ``(n_spots, n_spots)``.
    genes
        What images do not predict.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots,)``, NaN of spots in no region; 1 where spots of a region
        cannot be told apart.
    """
    n_spots, codes = len(inputs.usable), section.sections.codes
    found = np.full(n_spots, np.nan, np.float32)
    taken = np.zeros(n_spots, bool)
    for region in regions:
        taken[region.spots] = True
    around = _around(taken, touching)
    by_section: dict[int, _Usual] = {}
    for region in regions:
        inside = np.zeros(n_spots, bool)
        inside[region.spots] = True
        code = int(codes[region.spots[0]])
        own = inputs.usable & (codes == code)
        local = np.flatnonzero(_around(inside, touching) & own & (inside | ~taken))
        if code not in by_section:
            by_section[code] = _told_by_usual(own, around, genes, inputs.depth)
        part = _Local(
            _standing_out(local, by_section[code], genes, inputs.depth),
            _averaging(touching[local][:, local]),
        )
        member = _told_apart(
            part,
            _middle(questions[region.kind - 1].score[local], inside[local]),
            control,
        )
        found[region.spots] = (1 - member)[inside[local]]
    return found


def _around(spots: Bools, touching: sparse.csr_matrix) -> Bools:
    """Return which spots are among some, or in their margin."""
    near = spots.astype(np.float32)
    for _ in range(_MARGIN):
        near = ((touching @ near + near) > 0).astype(np.float32)
    found: Bools = near > 0
    return found


def _told_by_usual(
    own: Bools, around: Bools, genes: UnpredictedGenes, depth: Doubles
) -> _Usual:
    """Return how genes vary among the spots of a section that are near no region."""
    usual = np.flatnonzero(own & ~around)
    usual = usual if len(usual) >= _FEWEST_TELLING else np.flatnonzero(own)
    usual = usual[:: -(-len(usual) // _TELLING)]
    telling = genes.of_spots(usual)
    tied = np.linalg.lstsq(depth[usual], telling, rcond=None)[0].astype(np.float64)
    variance = (telling - depth[usual] @ tied).var(axis=0)
    variance += _LEAST_VARIANCE * max(float(variance.mean()), 1e-6)
    return _Usual(tied, np.sqrt(variance).astype(np.float32))


def _standing_out(
    local: Spots, usual: _Usual, genes: UnpredictedGenes, depth: Doubles
) -> Floats:
    """Return what is not predicted over its usual deviation, ``(n, n_genes)``.

    What depth tells is left out.
    """
    found = genes.of_spots(local)
    # A region may be most of a large section: no second array of its spots and genes.
    for rows in chunks(len(local), _CHUNK_SPOTS):
        found[rows] -= (depth[local[rows]] @ usual.by_depth).astype(np.float32)
        found[rows] /= usual.deviation
    return found


def _averaging(touching: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the operator that averages over spots that touch."""
    near = sparse.csr_matrix(touching, dtype=np.float64)
    number = np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1)
    return sparse.csr_matrix(sparse.diags(1 / number) @ near)


def _middle(score: Floats, inside: Bools) -> Doubles:
    """Return 1 for the half of a region that stands out most, or else 0.

    Of a region of few spots it is as many as can be told apart at all.
    """
    known = np.where(np.isfinite(score), score, -np.inf)
    falling = np.sort(known[inside])[::-1]
    most = max((len(falling) + 1) // 2, min(_FEWEST, len(falling)))
    found: Bools = inside & (known >= falling[most - 1])
    return found.astype(np.float64)


def _told_apart(part: _Local, member: Doubles, control: RunControl) -> Doubles:
    """Return how likely each spot is one of those that the region is found by.

    None is where fewer are left than show a direction, or none is left to be told from.

    Parameters
    ----------
    member
        Where to begin, ``(n,)``.
    """
    nobody = np.zeros_like(member)
    if (1 - member).sum() < _FEWEST:
        return nobody
    for _ in range(_TIMES):
        control.check()
        if member.sum() < _FEWEST:
            return nobody
        if (1 - member).sum() < _FEWEST:
            break
        along = _along(part.apart, member)
        before = member
        odds = _log_odds(along, member) + _prior(part.near, member)
        member = 1 / (1 + np.exp(-np.clip(odds, -_SURE, _SURE)))
        if np.abs(member - before).max() < _SETTLED:
            break
    return member if member.sum() >= _FEWEST else nobody


def _along(apart: Floats, member: Doubles) -> Doubles:
    """Return each spot's expression along what sets members apart, ``(n,)``.

    The direction is found without the spot itself, else each would be like its own
    class. Genes count by how far their difference is above what chance makes of the
    largest.
    """
    both = np.stack([member, 1 - member])
    sums, sizes = np.zeros((2, apart.shape[1])), both.sum(axis=1)
    for rows in chunks(len(apart), _CHUNK_SPOTS):
        sums += both[:, rows] @ apart[rows].astype(np.float64)
    limit = np.sqrt(2 * np.log(max(apart.shape[1], 2)) * (1 / sizes).sum())
    found = np.zeros(len(apart))
    for rows in chunks(len(apart), _CHUNK_SPOTS):
        own = apart[rows].astype(np.float64)
        means = [
            (total - weight[rows, None] * own)
            / np.maximum(size - weight[rows], 1)[:, None]
            for total, weight, size in zip(sums, both, sizes, strict=True)
        ]
        differs = means[0] - means[1]
        kept = np.sign(differs) * np.maximum(np.abs(differs) - limit, 0)
        length = np.maximum(np.linalg.norm(kept, axis=1), 1e-12)
        found[rows] = (own * kept).sum(axis=1) / length
    return found


def _log_odds(along: Doubles, member: Doubles) -> Doubles:
    """Return the log ratio of two normal densities, of members over others, ``(n,)``.

    Beyond the mean of either class it does not turn back, as it would where one class
    is wider. Where members do not lie higher, none is one.
    """
    means, variances = [], []
    for weight in (member, 1 - member):
        mean = weight @ along / weight.sum()
        means.append(mean)
        variances.append(weight @ np.square(along - mean) / weight.sum() + 1e-3)
    high, low = means
    if high <= low:
        return np.full(len(along), -np.inf)

    def ratio(of: Doubles) -> Doubles:
        by_class = [
            np.log(variance) / 2 + np.square(of - mean) / (2 * variance)
            for mean, variance in zip(means, variances, strict=True)
        ]
        found: Doubles = by_class[1] - by_class[0]
        return found

    odds, at = ratio(along), ratio(np.array(means))
    odds = np.where(along > high, np.maximum(odds, at[0]), odds)
    told: Doubles = np.where(along < low, np.minimum(odds, at[1]), odds)
    return told


def _prior(near: sparse.csr_matrix, member: Doubles) -> Doubles:
    """Return the log odds that each spot is a member by those that touch it, ``(n,)``.

    How strongly they are alike is what makes members most likely given their
    neighbours (pseudo-likelihood): nothing is assumed of the shape of regions.
    """
    share = member.mean()
    terms = np.column_stack([np.ones(len(member)), near @ member])
    slopes = np.array([np.log(share / (1 - share)), 0.0])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(terms @ slopes, -_SURE, _SURE)))
        weights = likely * (1 - likely) + 1e-6
        curved = (terms * weights[:, None]).T @ terms + np.diag(_RIDGE)
        slopes += np.linalg.solve(curved, terms.T @ (member - likely) - _RIDGE * slopes)
    found: Doubles = np.clip(terms @ slopes, -_PRIOR, _PRIOR)
    return found


def spot_rate(outside: Floats, regions: Sequence[RegionFound], known: Bools) -> Floats:
    """Return the false discovery rate of spots over both questions, ``(n_spots,)``.

    A spot is false where it lies outside of what its region is found by, or where the
    region is. The rate is the mean chance of that among spots that are no more likely
    false (Sun and Cai, 2007); spots that are rather false than not have their own
    chance, however sure the others are. It is 1 in no region, NaN where unknown.

    Parameters
    ----------
    outside
        How likely each spot of a region lies outside, ``(n_spots,)``.
    known
        Spots that were asked.
    """
    rate = np.where(known, np.float32(1), np.float32(np.nan))
    if not regions:
        return rate
    spots = np.concatenate([one.spots for one in regions])
    sizes = [len(one.spots) for one in regions]
    chance = np.repeat(chances_false(regions), sizes)
    false = 1 - (1 - outside[spots].astype(np.float64)) * (1 - chance)
    rising = np.sort(false)
    # Spots that are as likely false have one rate, in whichever order they come.
    number = np.searchsorted(rising, false, side="right")
    means = np.cumsum(rising)[number - 1] / number
    rate[spots] = np.where(false > _RATHER_FALSE, false, means)
    return rate


def called_kinds(
    rate: Floats, regions: Sequence[RegionFound], wanted: float
) -> NDArray[np.int8]:
    """Return what each spot is called, ``(n_spots,)``, a number among `regions.KINDS`.

    Called are spots of regions, those that are below the rate themselves: spots of no
    region are chance, or too few to tell from it.

    Parameters
    ----------
    rate
        False discovery rate of each spot, NaN without a usable image.
    wanted
        Rate at which spots are called.
    """
    kind = np.zeros(len(rate), np.int8)
    for region in regions:
        kind[region.spots] = region.kind
    kind[~(rate <= wanted)] = 0
    return kind
