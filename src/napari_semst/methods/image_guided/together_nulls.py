"""What chance makes of several sections, each held against itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.core.progress import Progress
from napari_semst.methods.image_guided.discordance import (
    contradiction,
    exchanged,
    normal_above,
)
from napari_semst.methods.image_guided.permutation import (
    ImageExchange,
    above,
    expression_clusters,
)
from napari_semst.methods.image_guided.regions import Evidence
from napari_semst.methods.image_guided.unexplained import ASKED, Unexplained
from napari_semst.methods.image_guided.unexplained_together import unexplained_together

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.gene_residuals import UnpredictedGenes
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.methods.image_guided.prediction import ImagePredictor, Prediction
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

_STAGE = "discordance"
# Where its parts begin and end, in percent.
_EXCHANGING, _GENES = (60, 80), 80


class LearntTogether(NamedTuple):
    """What images predict, without shifts of whole sections.

    Parameters
    ----------
    predictor
        Learnt from sections that teach.
    prediction, score
        Of all spots, and how far images mislead.
    fitting
        Spots that are as usual in their section.
    shift
        What was taken out of each section, root mean square, ``(n_sections,)``.
    """

    predictor: ImagePredictor
    prediction: Prediction
    score: Floats
    fitting: Bools
    shift: Doubles


def asked_together(
    learnt: LearntTogether,
    genes: UnpredictedGenes,
    teaching: Bools,
    asked: Bools,
    compared: Bools,
    inputs: GuidedInputs,
    section: Section,
    control: RunControl,
) -> Generator[
    Progress, None, tuple[Floats, Evidence, tuple[Floats, ...], Unexplained]
]:
    """Return p-values, evidence and nulls of what contradicts, and what is unexplained.

    Each section is held against its own null: what images lead to expect is less sure
    of a section that is prepared otherwise, and as unsure where images are exchanged.

    Parameters
    ----------
    genes
        What images do not predict.
    teaching, asked
        Sections, ``(n_sections,)``.
    compared
        Spots, ``(n_spots,)``.
    """
    prediction, codes = learnt.prediction, section.sections.codes
    p_value = np.where(compared, np.float32(1), np.float32(np.nan))
    if not prediction.width or not compared.any():
        none = np.zeros((0, len(p_value)), np.float32)
        flat = p_value - 1
        return p_value, Evidence(flat, none), (), Unexplained(flat, p_value, none)
    null = yield from _residuals_exchanged(learnt, inputs, section, control)
    nulls: tuple[Floats, ...] = (null,)
    unsure = np.bincount(codes[compared], minlength=len(asked)) < ASKED
    unsure |= teaching.sum() == 1
    if unsure.any():
        # How much sections differ by themselves one alone cannot tell, and few spots
        # tell little: a second null counts, in which images are exchanged and what
        # they mislead by stays.
        other = yield from exchanged(
            prediction, learnt.fitting, inputs, section, control
        )
        other[:, ~unsure[codes]] = np.nan
        nulls = (null, other)
    score = np.full(len(p_value), np.nan, np.float32)
    chance = np.full_like(null, np.nan)
    for one in range(len(asked)):
        own = np.flatnonzero((codes == one) & compared)
        if not len(own):
            continue
        chance[:, own] = normal_above(null[:, own], _known(nulls, own)[0])
        by_null = [above(learnt.score[own], known) for known in _known(nulls, own)]
        p_value[own] = np.max(by_null, axis=0)
        score[own] = least_above(learnt.score, own, nulls)
    yield Progress(_STAGE, _GENES, 100, "Comparing genes with what images predict")
    found = unexplained_together(genes, inputs, section, teaching, asked, control)
    return p_value, Evidence(score, chance), nulls, found


def _known(nulls: tuple[Floats, ...], spots: Spots) -> list[Floats]:
    """Return what is known of each null at some spots, of those that count there."""
    found = [own[np.isfinite(own)] for own in (null[:, spots] for null in nulls)]
    return found[:1] + [own for own in found[1:] if len(own)]


def least_above(score: Floats, spots: Spots, nulls: tuple[Floats, ...]) -> Floats:
    """Return normal deviations of some spots, by the null that promises least."""
    own = score[spots]
    by_null = [normal_above(own, known) for known in _known(nulls, spots)]
    least: Floats = np.min(by_null, axis=0)
    return least


def _residuals_exchanged(
    learnt: LearntTogether, inputs: GuidedInputs, section: Section, control: RunControl
) -> Generator[Progress, None, Floats]:
    """Return scores under the null, ``(n_draws, n_spots)``, NaN of spots not asked.

    What spots express beyond what their images lead to expect is exchanged, among
    spots of a section whose images lead to expect the same.
    """
    prediction, seed = learnt.prediction, inputs.config.training.seed
    codes = section.sections.codes.astype(np.int64)
    alike = prediction.expected * np.sqrt(prediction.weights).astype(np.float32)
    clusters = expression_clusters(alike, learnt.fitting, inputs.usable, codes, seed)
    exchange = ImageExchange(section.coordinates, clusters, learnt.fitting, codes)
    random = np.random.default_rng([seed, 11])
    times = min(inputs.config.image_guided.permutations, 20)
    apart, found = prediction.expressed - prediction.expected, []
    for done in range(times):
        control.check()
        begin, end = _EXCHANGING
        percent = begin + (end - begin) * done // times
        yield Progress(_STAGE, percent, 100, "Exchanging what is left")
        other = prediction.expected + apart[exchange.draw(random)]
        score = contradiction(
            prediction._replace(expressed=other),
            prediction.expected,
            section,
            inputs.usable,
        )
        drawn = np.full(inputs.n_spots, np.nan, np.float32)
        drawn[exchange.asked] = score[exchange.asked]
        found.append(drawn)
    return np.stack(found)
