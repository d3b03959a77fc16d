"""Expression that is unusual among spots whose image leads to expect the same.

What the image does not predict is compared with what it does not predict elsewhere:
each spot with the covariance of tissue away from it, so that a region does not set the
measure that it is held against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.core.threads import keep_limits
from napari_semst.methods.image_guided.gene_residuals import (
    directions_told_by,
    unpredicted_directions,
)
from napari_semst.methods.image_guided.permutation import ImageExchange, above

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.gene_residuals import UnpredictedGenes
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

# Spots from which on the question is asked of a section: of 600 spots chance called
# regions where nothing was planted, since few places tell what is usual.
ASKED = 1000
# Pieces of tissue, of so many spots each, and the share of a section around a piece
# that does not tell what is usual there.
_PIECE_SPOTS, _FEWEST, _MOST = 30, 8, 100
_AROUND = 0.10
# Times that what is usual is found, the later ones without spots that are not usual:
# deviations above the median.
_TIMES, _UNUSUAL = 4, 3.0
# Added to variances, which are 1 in the mean: directions without any would count most.
_LEAST_VARIANCE = 1e-3
# Rounds of neighbours of unusual spots that do not tell what chance makes, and share
# of spots that is to be left.
_MARGIN, _LEAST_LEFT = 2, 0.5
# Times that directions are moved over the slide, to tell what regions chance makes: as
# many scores as these, of large sections fewer times, since each tells of more places.
_SCORES, _FEWEST_DRAWS, _MOST_DRAWS = 300_000, 20, 100
# Quantiles by which the deviation of usual spots is told, and the normal ones.
_QUANTILES = (0.25, 0.5, 0.85)
_NORMAL = (-0.6745, 0.0, 1.0364)


class Unexplained(NamedTuple):
    """How unusual expression is for what the image leads to expect.

    Parameters
    ----------
    score
        In deviations of usual spots, ``(n_spots,)``, NaN without a usable image.
    p_value
        The larger of that against a normal distribution of the score and the share of
        the null at or above it, ``(n_spots,)``.
    null
        Scores where each direction is moved over the slide for itself,
        ``(n_draws, n_spots)``: as uneven, and unusual in several at once by chance.
    """

    score: Floats
    p_value: Floats
    null: Floats


def measure_unexplained(
    genes: UnpredictedGenes, inputs: GuidedInputs, section: Section, control: RunControl
) -> Unexplained:
    """Return how unusual each spot's expression is among spots that look alike.

    All of a section of few spots is NaN.

    Parameters
    ----------
    genes
        What images do not predict.
    """
    along = unpredicted_directions(genes, inputs, section)
    codes = section.sections.codes
    score = np.full(len(along), np.nan, np.float32)
    p_value = np.full(len(along), np.nan, np.float32)
    seed, every = inputs.config.training.seed, range(len(section.sections.names))
    parts = [np.flatnonzero((codes == one) & inputs.usable) for one in every]
    n_draws = draws_of(max(map(len, parts)))
    null = np.full((n_draws, len(along)), np.nan, np.float32)
    for spots in parts:
        control.check()
        if len(spots) >= ASKED:
            # Those that vary most come first; covariance is told by its own spots.
            own = along[spots, : directions_told_by(len(spots))]
            found = unexplained_of(own, section, spots, seed, n_draws, control)
            score[spots], p_value[spots], null[:, spots] = found
    return Unexplained(score, p_value, null)


def draws_of(n_spots: int) -> int:
    """Return how often a section of so many spots is moved over the slide."""
    return int(np.clip(_SCORES // max(n_spots, 1), _FEWEST_DRAWS, _MOST_DRAWS))


def unexplained_of(
    along: Floats,
    section: Section,
    spots: Spots,
    seed: int,
    n_draws: int,
    control: RunControl,
    beside: UsualSums | None = None,
) -> Unexplained:
    """Return how unusual what is not predicted of each spot of one section is.

    Parameters
    ----------
    along
        Directions of the section, ``(n, width)``.
    spots
        Those of the section that have a usable image, ``(n,)``.
    n_draws
        Times that directions are moved over the slide.
    beside
        What is usual in other sections.
    """
    from scipy.stats import norm

    places = section.coordinates[spots]
    pieces = tissue_pieces(places, seed)
    score = among_usual(along, *pieces, beside)
    usual = away_from(score >= _UNUSUAL, section.average, spots)
    null = np.full((n_draws, len(spots)), np.nan, np.float32)
    for number, moved in enumerate(_moved(along, places, usual, seed, n_draws)):
        control.check()
        null[number] = among_usual(moved, *pieces, beside)
    # Covariance told by few independent places makes tails heavier than the normal
    # one: what slides moved have in theirs counts where it is more.
    p_value = np.maximum(norm.sf(score), above(score, null.ravel()))
    return Unexplained(score, p_value.astype(np.float32), null)


def away_from(unusual: Bools, average: sparse.csr_matrix, spots: Spots) -> Bools:
    """Return which spots of a section are neither unusual nor near one that is.

    Margins of a region are averages of its spots, and would stay in the null as a ring.

    Parameters
    ----------
    unusual
        By spot of the section.
    average
        The operator that averages near spots, of all sections.
    spots
        Those of the section.
    """
    near = unusual.astype(np.float32)
    for _ in range(_MARGIN):
        whole = np.zeros(average.shape[0], np.float32)
        whole[spots] = near
        near = np.asarray(average @ whole)[spots]
    usual: Bools = near == 0
    # Where most is near something unusual, what is left would be no section.
    return usual if usual.mean() > _LEAST_LEFT else ~unusual


def _moved(
    along: Floats, places: Doubles, usual: Bools, seed: int, n_draws: int
) -> Iterator[Floats]:
    """Yield directions that are turned and shifted over the slide one by one."""
    random = np.random.default_rng([seed, 13])
    whole = np.zeros(len(along), np.int64)
    exchange = ImageExchange(places, whole.astype(np.intp), usual, whole)
    for _ in range(n_draws):
        yield np.column_stack([one[exchange.draw(random)] for one in along.T])


class UsualSums(NamedTuple):
    """Sums over usual spots of other sections, by which a section is judged, too.

    Parameters
    ----------
    n_spots, total, square
        Spots, their sum ``(width,)`` and that of products ``(width, width)``.
    """

    n_spots: int
    total: Doubles
    square: Doubles


def among_usual(
    along: Floats, pieces: Spots, around: Bools, beside: UsualSums | None = None
) -> Floats:
    """Return how unusual each spot of a section is, in deviations, ``(n_spots,)``.

    Parameters
    ----------
    along
        What is not predicted, ``(n_spots, width)``.
    pieces, around
        What `tissue_pieces` returned.
    beside
        Of other sections.
    """
    usual = np.ones(len(along), bool)
    for _ in range(_TIMES):
        # The cube root of a sum of squares is nearly normal (Wilson and Hilferty 1931).
        root = np.cbrt(distances(along, usual, pieces, around, beside))
        score = in_deviations(root)
        usual = score < _UNUSUAL
    return score


def in_deviations(values: Doubles) -> Floats:
    """Return values less their median over the wider of two robust deviations.

    One is told by the lower half, the other by the upper, short of the tail that is
    looked for: where usual values are skewed, the lower half alone would promise more
    than holds.
    """
    low, middle, high = np.quantile(values, _QUANTILES)
    deviation = max((low - middle) / _NORMAL[0], (high - middle) / _NORMAL[2], 1e-9)
    found: Floats = ((values - middle) / deviation).astype(np.float32)
    return found


def tissue_pieces(places: Doubles, seed: int) -> tuple[Spots, Bools]:
    """Return each spot's piece of tissue, and which pieces are around which.

    Returns
    -------
    pieces, around
        ``(n_spots,)`` and ``(n_pieces, n_pieces)``, each around itself.
    """
    from sklearn.cluster import MiniBatchKMeans

    keep_limits()
    wanted = int(np.clip(len(places) // _PIECE_SPOTS, _FEWEST, _MOST))
    search = MiniBatchKMeans(wanted, n_init=1, random_state=seed, batch_size=4096)
    pieces = search.fit_predict(places)
    sizes = np.bincount(pieces, minlength=wanted)
    centres = search.cluster_centers_
    apart = np.linalg.norm(centres[:, None] - centres, axis=2)
    order = np.argsort(apart, axis=1, kind="stable")
    inside = np.cumsum(sizes[order], axis=1) <= _AROUND * len(places)
    around = np.eye(wanted, dtype=bool)
    np.put_along_axis(around, order, inside, axis=1)
    np.fill_diagonal(around, val=True)
    return pieces, around


def distances(
    along: Floats,
    usual: Bools,
    pieces: Spots,
    around: Bools,
    beside: UsualSums | None = None,
) -> Doubles:
    """Return squared Mahalanobis distances to usual spots elsewhere, ``(n_spots,)``.

    Parameters
    ----------
    along
        Shape ``(n_spots, width)``.
    usual
        Spots that tell what is usual.
    pieces, around
        Piece of each spot, and which pieces do not tell what is usual in which.
    beside
        What other sections tell.
    """
    n_pieces, width = len(around), along.shape[1]
    count = np.zeros(n_pieces)
    total, square = np.zeros((n_pieces, width)), np.zeros((n_pieces, width, width))
    order = np.argsort(pieces, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(pieces, minlength=n_pieces))[:-1])
    for piece, spots in enumerate(parts):
        some = along[spots[usual[spots]]].astype(np.float64)
        count[piece], total[piece] = len(some), some.sum(axis=0)
        square[piece] = some.T @ some
    found = np.zeros(len(along))
    for piece, spots in enumerate(parts):
        away = ~around[piece]
        n_known, sums, squares = (
            one[away].sum(axis=0) for one in (count, total, square)
        )
        if beside is not None:
            n_known, sums = n_known + beside.n_spots, sums + beside.total
            squares = squares + beside.square
        known = max(n_known, 1)
        mean = sums / known
        spread = squares / known - np.outer(mean, mean)
        spread += _LEAST_VARIANCE * np.eye(width)
        apart = along[spots] - mean
        found[spots] = (apart * np.linalg.solve(spread, apart.T).T).sum(axis=1)
    return found
