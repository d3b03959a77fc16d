"""Where expression is not what the image predicts, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.progress import Progress
from napari_semst.methods.image_guided.discordance_result import Discordance
from napari_semst.methods.image_guided.features import average_of_usable
from napari_semst.methods.image_guided.gene_residuals import UnpredictedGenes
from napari_semst.methods.image_guided.handling import (
    MOVED_SPOTS,
    find_offset,
    is_odd,
    odd_images,
)
from napari_semst.methods.image_guided.members import called_kinds, rate_of_spots
from napari_semst.methods.image_guided.permutation import (
    ImageExchange,
    above,
    expression_clusters,
)
from napari_semst.methods.image_guided.power import measure_power
from napari_semst.methods.image_guided.prediction import (
    ImagePredictor,
    Prediction,
    spatial_folds,
)
from napari_semst.methods.image_guided.regions import (
    Evidence,
    among_themselves,
    find_regions,
)
from napari_semst.methods.image_guided.unexplained import (
    Unexplained,
    measure_unexplained,
)
from napari_semst.prepare.graphs import touching_graph

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.handling import ImageOffset
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.methods.image_guided.power import RegionPower
    from napari_semst.methods.image_guided.regions import RegionFound
    from napari_semst.prepare.section import Section

    Floats = NDArray[np.float32]

_STAGE = "discordance"
# Where its parts begin and end, in percent.
_MOVING, _BESIDE, _LEARNING = (0, 25), (25, 45), (45, 60)
_EXCHANGING, _GENES = (60, 85), (85, 100)
# Times the prediction is learnt: at first from all spots, then without those that did
# not fit, which would teach that such an image means what is odd about them.
_FITS = 3
# Robust deviations above the median from which a spot does not fit.
_UNFIT = 2.5
_QUARTILE = 0.6745
# Rounds of averaging over the nearest spots: discordance comes in regions.
_ROUNDS = 2
# Scores of the null, and movements of the slide, that are enough.
_NULL_SCORES, _LEAST_TIMES = 500_000, 10
# Movements of the image that are to predict less than it does where it lies: by chance
# it is the best of them once in twenty times.
_MOVES = 19
# Powers of the two coordinates in a trend across the slide.
_CUBIC = tuple((one, other) for one in range(4) for other in range(4 - one))


def measure_discordance(
    inputs: GuidedInputs,
    section: Section,
    per_dimension: Floats,
    control: RunControl,
) -> Generator[Progress, None, Discordance]:
    """Return the calibrated discordance of every spot.

    Parameters
    ----------
    per_dimension
        Divergence of the network's posterior from its prior, ``(n_spots, latent)``.
    """
    learnt = usable = inputs.usable
    folds = spatial_folds(inputs, section.coordinates)
    predictor = ImagePredictor(inputs, section, folds)
    belongs = yield from says_more_here(predictor, section, inputs, control)
    # An image of something else predicts more in some places by chance alone.
    beside = _beside(predictor, section, inputs, control)
    offset = (yield from beside) if belongs else None
    # An image that lies beside its spots makes every border discordant.
    belongs = belongs and offset is None
    times = _FITS if belongs else 1
    for done in range(times):
        yield _told(_LEARNING, done, times, "Learning what the image predicts")
        prediction = predictor.predict(learnt, control)
        if not belongs:
            prediction = prediction.nothing()
        score = contradiction(prediction, prediction.expected, section, usable)
        if done < times - 1:
            learnt = usable & fits(score)
    genes = UnpredictedGenes(predictor, section, learnt, control)
    p_value, null, found = yield from _asked(
        genes, prediction, score, learnt, inputs, section, control
    )
    known = null[np.isfinite(null)]
    misled = Evidence(normal_above(score, known), normal_above(null, known))
    wanted = inputs.config.image_guided.discordance_fdr
    questions = (misled, Evidence(found.score, found.null))
    touching = touching_graph(section.average)
    found_all = find_regions(questions, touching, wanted)
    regions, aside = _set_aside(found_all, predictor, section, inputs)
    rate = rate_of_spots(regions, questions, touching, genes, inputs, section, control)
    kind = called_kinds(rate, regions, wanted)
    apart = prediction.expressed - prediction.expected
    return Discordance(
        score,
        regional(surprise(apart, prediction.error), section, usable),
        found.score,
        np.where(usable[:, None], per_dimension, np.float32(np.nan)),
        p_value,
        found.p_value,
        rate,
        kind,
        tuple(regions),
        prediction.expressed,
        np.where(usable[:, None], prediction.expected, np.float32(np.nan)),
        prediction.share,
        int(learnt.sum()),
        aside,
        offset,
        predictor.stain_trend,
        _power(prediction, known, questions, touching, section, inputs, control),
    )


def _power(
    prediction: Prediction,
    null: Floats,
    questions: tuple[Evidence, Evidence],
    touching: sparse.csr_matrix,
    section: Section,
    inputs: GuidedInputs,
    control: RunControl,
) -> tuple[RegionPower, ...]:
    """Return how strong a region has to be to be found."""

    def scored(expressed: Floats) -> Floats:
        other = prediction._replace(expressed=expressed)
        nats = contradiction(other, prediction.expected, section, inputs.usable)
        return normal_above(nats, null)

    return measure_power(
        prediction, scored, questions, touching, section.coordinates,
        [np.flatnonzero(inputs.usable)], inputs.config, control,
    )  # fmt: skip


def _set_aside(
    found: list[RegionFound],
    predictor: ImagePredictor,
    section: Section,
    inputs: GuidedInputs,
) -> tuple[list[RegionFound], tuple[RegionFound, ...]]:
    """Return regions, and apart from them those whose image is like no other.

    What a place that looks like no other is to express, nobody can tell: necrosis,
    a stromal reaction and what lies beside a fold are seen in the image, too.
    """
    if not found:
        return [], ()
    oddness = odd_images(predictor, section, inputs)
    odd = [is_odd(oddness, region.spots) for region in found]
    kept = [region for region, one in zip(found, odd, strict=True) if not one]
    aside = tuple(region for region, one in zip(found, odd, strict=True) if one)
    return among_themselves(kept) if aside else kept, aside


def _beside(
    predictor: ImagePredictor,
    section: Section,
    inputs: GuidedInputs,
    control: RunControl,
) -> Generator[Progress, None, ImageOffset | None]:
    """Return where the image fits better, by expression less its trend."""
    codes = section.sections.codes.astype(np.int64)
    level = without_trend(
        predictor.expression, section.coordinates, codes, inputs.usable
    )
    return (yield from find_offset(predictor, level, section, inputs, control, _moving))


def _moving(done: int, steps: int) -> Progress:
    """Return how far the comparison with the image beside its spots is."""
    return _told(
        _BESIDE, done, steps, "Looking whether the image lies beside its spots"
    )


def _asked(
    genes: UnpredictedGenes,
    prediction: Prediction,
    score: Floats,
    learnt: NDArray[np.bool_],
    inputs: GuidedInputs,
    section: Section,
    control: RunControl,
) -> Generator[Progress, None, tuple[Floats, Floats, Unexplained]]:
    """Return p-values and the null of contradiction, and what is unexplained.

    Where the image predicts nothing, nothing contradicts it or is left unexplained.
    """
    usable = inputs.usable
    p_value = np.where(usable, np.float32(1), np.float32(np.nan))
    if not prediction.width:
        flat, none = p_value - 1, np.zeros((0, inputs.n_spots), np.float32)
        return p_value, none, Unexplained(flat, p_value, none)
    null = yield from exchanged(prediction, learnt, inputs, section, control)
    p_value[usable] = above(score[usable], null[np.isfinite(null)])
    yield _told(_GENES, 0, 1, "Comparing genes with what the image predicts")
    found = measure_unexplained(genes, inputs, section, control)
    return p_value, null, found


def normal_above(score: Floats, null: Floats) -> Floats:
    """Return normal deviations as rarely exceeded as each score is by the null.

    Parameters
    ----------
    score
        Of any shape, NaN where unknown; the deviation is then NaN, too.
    """
    from scipy.stats import norm

    known = np.isfinite(score)
    found = np.full(score.shape, np.nan, np.float32)
    found[known] = norm.isf(above(score[known], null))
    return found


def says_more_here(
    predictor: ImagePredictor,
    section: Section,
    inputs: GuidedInputs,
    control: RunControl,
) -> Generator[Progress, None, bool]:
    """Return whether the image predicts more where it lies than moved elsewhere.

    An image that changes slowly across the slide tells places apart, and what changes
    as slowly is "predicted", though the two have nothing to do with each other. The
    same image, turned and shifted over the slide, predicts as much; but for trends
    across all of it, of stain and of expression, which are left out.
    """
    random = np.random.default_rng([inputs.config.training.seed, 12])
    codes = section.sections.codes.astype(np.int64)
    every = np.where(inputs.usable, codes, -1)
    exchange = ImageExchange(section.coordinates, every, inputs.usable, codes)
    asked = np.zeros_like(inputs.usable)
    asked[exchange.asked[:: -(-len(exchange.asked) // MOVED_SPOTS) or 1]] = True
    level = without_trend(predictor.expression, section.coordinates, codes, asked)
    here = predictor.explained(level, asked, control)
    for done in range(_MOVES):
        yield _told(_MOVING, done, _MOVES, "Comparing with the image moved")
        moved = exchange.draw(random)
        if predictor.explained(level, asked, control, moved) >= here:
            return False
    return True


def without_trend(
    values: Floats,
    places: NDArray[np.float64],
    sections: NDArray[np.int64],
    known: NDArray[np.bool_],
) -> Floats:
    """Return values less what a cubic of the coordinates tells of them, by section.

    Parameters
    ----------
    values
        Shape ``(n_spots, width)``.
    places
        Coordinates, ``(n_spots, 2)``.
    known
        Spots that the trend is found of.
    """
    rest = values.copy()
    for section in range(int(sections.max()) + 1):
        inside = np.flatnonzero((sections == section) & known)
        if len(inside) <= len(_CUBIC):
            continue
        part = places[inside] - places[inside].mean(axis=0)
        x, y = (part / max(float(np.abs(part).max()), 1e-12)).T
        terms = np.stack([x**one * y**other for one, other in _CUBIC], axis=1)
        trend = np.linalg.lstsq(terms, values[inside], rcond=None)[0]
        rest[inside] -= (terms @ trend).astype(np.float32)
    return rest


def _told(part: tuple[int, int], done: int, steps: int, message: str) -> Progress:
    """Return how far the comparison is."""
    begin, end = part
    return Progress(_STAGE, begin + (end - begin) * done // steps, 100, message)


def surprise(apart: Floats, variance: NDArray[np.float64]) -> Floats:
    """Return how far each spot is from what is expected of it, in nats, ``(n_spots,)``.

    Minus the log density of what is expressed under a normal distribution about what
    is expected, less that of a spot that is just as expected.

    Parameters
    ----------
    apart
        What is expressed less what is expected, ``(n_spots, width)``.
    variance
        Of the distribution, ``(width,)``.
    """
    found: Floats = (np.square(apart) / variance).sum(axis=1).astype(np.float32) / 2
    return found


def contradiction(
    prediction: Prediction,
    expected: Floats,
    section: Section,
    usable: NDArray[np.bool_],
) -> Floats:
    """Return how far the image misleads about each spot, in nats, ``(n_spots,)``.

    KL divergence of what is expressed from what the image predicts, less that from
    expression at large: of two normal distributions, log p(expression) -
    log p(expression | image), averaged over nearby spots. Below 0 the image helps.
    Expression that is unusual whatever the image counts in both.

    Parameters
    ----------
    expected
        What an image predicts of each spot, ``(n_spots, width)``.
    usable
        Spots that count; others are NaN.
    """
    by_image = surprise(prediction.expressed - expected, prediction.error)
    at_large = surprise(prediction.expressed, prediction.spread)
    wider = np.float32(np.log(prediction.spread / prediction.error).sum() / 2)
    return regional(by_image - at_large - wider, section, usable)


def regional(values: Floats, section: Section, usable: NDArray[np.bool_]) -> Floats:
    """Return each spot's mean with usable spots nearby, NaN for those that are not."""
    mean = average_of_usable(values[:, None], section, usable, _ROUNDS)[:, 0]
    found: Floats = np.where(usable, mean, np.float32(np.nan))
    return found


def fits(score: Floats) -> NDArray[np.bool_]:
    """Return which spots are not far above the others, by the lower half of them.

    Parameters
    ----------
    score
        Shape ``(n_spots,)``, NaN where unknown; those do not fit.
    """
    quarter, middle = np.nanquantile(score, [0.25, 0.5])
    deviation = max((middle - quarter) / _QUARTILE, 1e-6)
    fitting: NDArray[np.bool_] = score <= middle + _UNFIT * deviation
    return fitting


def exchanged(
    prediction: Prediction,
    giving: NDArray[np.bool_],
    inputs: GuidedInputs,
    section: Section,
    control: RunControl,
) -> Generator[Progress, None, Floats]:
    """Return scores under the null, ``(n_draws, n_spots)``, NaN of spots not asked.

    Images are exchanged within expression clusters.

    Spots that did not fit give no image, else they would set the limit that they are
    to exceed; they get one, of spots that express alike and fit.
    """
    settings, seed = inputs.config.image_guided, inputs.config.training.seed
    codes = section.sections.codes.astype(np.int64)
    alike = prediction.expressed * np.sqrt(prediction.weights).astype(np.float32)
    clusters = expression_clusters(alike, giving, inputs.usable, codes, seed)
    exchange = ImageExchange(section.coordinates, clusters, giving, codes)
    enough = max(-(-_NULL_SCORES // inputs.n_spots), _LEAST_TIMES)
    times = min(settings.permutations, enough)
    random = np.random.default_rng([seed, 11])
    found = []
    for done in range(times):
        control.check()
        yield _told(_EXCHANGING, done, times, "Exchanging images of spots alike")
        expected = prediction.expected[exchange.draw(random)]
        score = contradiction(prediction, expected, section, inputs.usable)
        drawn = np.full(inputs.n_spots, np.nan, np.float32)
        drawn[exchange.asked] = score[exchange.asked]
        found.append(drawn)
    return np.stack(found)
