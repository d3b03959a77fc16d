"""Discordance of several sections: what some teach is asked of others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.core.progress import Progress
from napari_semst.methods.image_guided.discordance import (
    contradiction,
    fits,
    regional,
    surprise,
    without_trend,
)
from napari_semst.methods.image_guided.discordance_result import (
    STATES,
    Discordance,
    SectionAsked,
)
from napari_semst.methods.image_guided.gene_residuals import UnpredictedGenes
from napari_semst.methods.image_guided.handling import is_odd, odd_images
from napari_semst.methods.image_guided.image_checks import (
    BESIDE,
    FITS,
    FOREIGN,
    SILENT,
    WRONG,
    SectionImages,
)
from napari_semst.methods.image_guided.members import called_kinds, rate_of_spots
from napari_semst.methods.image_guided.power import measure_power
from napari_semst.methods.image_guided.prediction import (
    ImagePredictor,
    Prediction,
    best_directions,
)
from napari_semst.methods.image_guided.reference import (
    reference_sections,
    section_folds,
    unlike_images,
)
from napari_semst.methods.image_guided.regions import (
    Evidence,
    among_themselves,
    find_regions_together,
)
from napari_semst.methods.image_guided.section_effects import (
    laid_upon,
    level_sections,
)
from napari_semst.methods.image_guided.together_nulls import (
    LearntTogether,
    asked_together,
    least_above,
)
from napari_semst.prepare.graphs import touching_graph

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.image_checks import ImageCheck
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.methods.image_guided.power import RegionPower
    from napari_semst.methods.image_guided.regions import RegionFound
    from napari_semst.methods.image_guided.section_effects import LevelSections
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

_STAGE = "discordance"
# Where its parts begin and end, in percent.
_CHECKING, _LEARNING = (5, 45), (45, 60)
_FITS = 3
# Share of a region and its margin that is like nothing in the reference, or has no
# image to rely upon, from which on it is set aside.
_UNLIKE_SHARE = 0.15
_STATE_OF = {name: number for number, name in enumerate(STATES)}
_STATE_OF_IMAGE = {
    BESIDE: "image beside its spots",
    WRONG: "wrong image",
    SILENT: "image tells nothing",
    FOREIGN: "other tissue",
}


class _Roles(NamedTuple):
    """What is made of each section, ``(n_sections,)``, and of each spot.

    Parameters
    ----------
    reference
        Sections that were named as reference.
    teaching, asked
        Sections that teach and that are compared, of those whose image is right.
    unlike
        Spots whose image is like nothing that teaches.
    checks
        What is said of each section's image.
    """

    reference: Bools
    teaching: Bools
    asked: Bools
    unlike: Bools
    checks: tuple[ImageCheck, ...]


def measure_together(
    inputs: GuidedInputs,
    section: Section,
    per_dimension: Floats,
    control: RunControl,
) -> Generator[Progress, None, Discordance]:
    """Return the calibrated discordance of every spot of several sections.

    Parameters
    ----------
    per_dimension
        Divergence of the network's posterior from its prior, ``(n_spots, latent)``.

    Raises
    ------
    ConfigError
        If a section that is named as reference is not there, or all are.
    """
    yield _told(0, "Laying sections onto one scale")
    reference = reference_sections(inputs.config, section.sections.names)
    if reference.any():
        inputs = laid_upon(inputs, section, reference)
    first = ~reference if not reference.any() else reference
    level = level_sections(inputs, section, first, control.check)
    roles, level = yield from _roles(level, reference, inputs, section, control)
    codes = section.sections.codes
    state = _states(roles, inputs.usable, codes)
    # Spots of the reference are predicted, too, but not asked.
    usable = (state == 0) | (state == _STATE_OF["reference"])
    shown, inputs = inputs.usable, replace(inputs, usable=usable)
    learnt = yield from _learnt(level, roles, inputs, section, control)
    taught = learnt.fitting & roles.teaching[codes]
    genes = UnpredictedGenes(learnt.predictor, section, taught, control)
    p_value, misled, nulls, unusual = yield from asked_together(
        learnt, genes, roles.teaching, roles.asked, state == 0, inputs, section, control
    )
    parts = [np.flatnonzero((codes == one) & (state == 0)) for one in range(len(first))]
    some = [spots for spots in parts if len(spots)]
    wanted = inputs.config.image_guided.discordance_fdr
    questions = (misled, Evidence(unusual.score, unusual.null))
    touching = touching_graph(section.average)
    found = find_regions_together(questions, touching, some, wanted) if some else []
    regions, aside = _set_aside(
        found, learnt, roles, touching, shown, len(some), inputs, section
    )
    asked = replace(inputs, usable=state == 0)
    rate = rate_of_spots(regions, questions, touching, genes, asked, section, control)
    power = _power(learnt, nulls, questions, touching, some, inputs, section, control)
    told = _sections(roles, level, learnt, parts, power, section)
    prediction = learnt.prediction
    apart = prediction.expressed - prediction.expected
    return Discordance(
        learnt.score,
        regional(surprise(apart, prediction.error), section, usable),
        unusual.score,
        np.where(usable[:, None], per_dimension, np.float32(np.nan)),
        p_value,
        unusual.p_value,
        rate,
        called_kinds(rate, regions, wanted),
        tuple(regions),
        prediction.expressed,
        np.where(usable[:, None], prediction.expected, np.float32(np.nan)),
        prediction.share,
        int(taught.sum()),
        aside,
        None,
        level.stain_trend,
        power,
        told,
        state,
    )


def _told(percent: int, message: str) -> Progress:
    return Progress(_STAGE, percent, 100, message)


def _checking(done: int, steps: int) -> Progress:
    begin, end = _CHECKING
    return _told(
        begin + (end - begin) * done // max(steps, 1),
        "Looking whether each image is its section's",
    )


def _roles(
    level: LevelSections,
    reference: Bools,
    inputs: GuidedInputs,
    section: Section,
    control: RunControl,
) -> Generator[Progress, None, tuple[_Roles, LevelSections]]:
    """Return which sections teach and are asked, and the scale of those that teach."""
    codes, usable = section.sections.codes.astype(np.int64), inputs.usable
    seed, wanted = inputs.config.training.seed, inputs.config.image_guided.folds
    some = bool(reference.any())
    teaching = reference if some else ~reference
    truth = without_trend(level.expression, section.coordinates, codes, usable)
    pieces = section_folds(
        usable,
        section.coordinates,
        codes,
        np.zeros_like(reference),
        max(wanted, 2),
        seed,
    )
    images = SectionImages(level, truth, pieces, inputs, section, control, _checking)
    checks = yield from images.checked(teaching)
    fit = np.array([one.verdict == FITS for one in checks])
    # Reference sections of several tissues are right, though none is like the others.
    own = np.array([one.verdict == FOREIGN for one in checks]) & some
    teach, asked = teaching & (fit | own), ~reference & fit
    if not teach.any():
        asked &= False
    elif (teach != teaching).any():
        level = level_sections(inputs, section, teach, control.check)
    unlike = np.zeros(len(codes), bool)
    if some and asked.any():
        unlike = unlike_images(
            level.image, section, usable, teach, asked, seed, control.check
        )
    return _Roles(reference, teach, asked, unlike, checks), level


def _states(roles: _Roles, usable: Bools, codes: NDArray[np.int32]) -> NDArray[np.int8]:
    """Return why each spot is compared or not, ``(n_spots,)``, by number."""
    by_section = np.zeros(len(roles.checks), np.int8)
    for one, check in enumerate(roles.checks):
        if roles.reference[one] and roles.teaching[one]:
            by_section[one] = _STATE_OF["reference"]
        elif not roles.asked[one]:
            # A right image of which no other section teaches anything.
            name = _STATE_OF_IMAGE.get(check.verdict, "no section teaches")
            by_section[one] = _STATE_OF[name]
    state: NDArray[np.int8] = by_section[codes]
    state[(state == 0) & roles.unlike] = _STATE_OF["unlike the reference"]
    state[~usable] = _STATE_OF["no image"]
    return state


def _learnt(
    level: LevelSections,
    roles: _Roles,
    inputs: GuidedInputs,
    section: Section,
    control: RunControl,
) -> Generator[Progress, None, LearntTogether]:
    """Return what images predict, learnt from sections that teach.

    What a section expresses otherwise as a whole is its handling, or a state of all of
    it: it is no discordance of a place, and is taken out, as the median over its spots
    of what is expressed less what is predicted.
    """
    codes, usable = section.sections.codes, inputs.usable
    teaching = roles.teaching[codes] & usable
    folds = section_folds(
        usable, section.coordinates, codes.astype(np.int64),
        roles.reference & roles.teaching, inputs.config.image_guided.folds,
        inputs.config.training.seed,
    )  # fmt: skip
    fitting, moved = (
        usable.copy(),
        np.zeros((len(roles.asked), level.expression.shape[1])),
    )
    seed = inputs.config.training.seed
    # Where nothing teaches, the predictor only has to be there.
    every = np.ones_like(usable)
    told, shown = (usable, teaching) if teaching.any() else (every, every)
    predictor = ImagePredictor.of_sections(
        level.expression.copy(), level.image, told, shown, folds, section, seed
    )
    if not teaching.any():
        return _nothing(predictor, usable, len(roles.asked))
    for done in range(_FITS):
        begin, end = _LEARNING
        percent = begin + (end - begin) * done // _FITS
        yield _told(percent, "Learning what images predict")
        taught = fitting & teaching
        weights = predictor.weights_of(predictor.expression, taught, control)
        expected = predictor.expected_of(np.arange(len(codes)), weights, control)
        for one, own in enumerate(codes == one for one in range(len(moved))):
            if (own & fitting).any():
                apart = predictor.expression[own & fitting] - expected[own & fitting]
                shift = np.median(apart, axis=0)
                predictor.expression[own] -= shift.astype(np.float32)
                moved[one] += shift
        prediction = best_directions(
            predictor.expression, expected.astype(np.float32), folds[0], taught
        )
        prediction = _adapted(prediction, codes, fitting, taught)
        score = contradiction(prediction, prediction.expected, section, usable)
        if done < _FITS - 1:
            fitting = _fitting(score, codes, usable)
    size: Doubles = np.sqrt(np.square(moved).mean(axis=1))
    return LearntTogether(predictor, prediction, score, fitting, size)


def _adapted(
    prediction: Prediction, codes: NDArray[np.int32], fitting: Bools, taught: Bools
) -> Prediction:
    """Return predictions by slopes of each section's own.

    Genes are caught better in one section than in another, by type of cell, and a
    stain tells more or less. So what others teach is turned and stretched to fit the
    section as a whole: a region of few spots changes little of it.
    """
    expected = prediction.expected.copy()
    for one in range(int(codes.max()) + 1):
        own = codes == one
        if (own & fitting).sum() <= 20 * (2 * prediction.width + 1):
            continue
        along = prediction.expected[own].astype(np.float64)
        terms = np.column_stack([np.ones(len(along)), along, along**2])
        known = fitting[own]
        apart = (prediction.expressed - prediction.expected)[own]
        slopes = np.linalg.lstsq(
            terms[known], apart[known].astype(np.float64), rcond=None
        )[0]
        expected[own] += (terms @ slopes).astype(np.float32)
    apart = prediction.expressed[taught] - expected[taught]
    error = np.square(apart, dtype=np.float64).mean(axis=0)
    return prediction._replace(expected=expected, error=error)


def _nothing(
    predictor: ImagePredictor, usable: Bools, n_sections: int
) -> LearntTogether:
    """Return what is learnt where no section teaches: nothing."""
    none, width = np.zeros(0), np.zeros((len(usable), 0), np.float32)
    score = np.where(usable, np.float32(0), np.float32(np.nan))
    prediction = Prediction(width, width, none, none, none)
    return LearntTogether(predictor, prediction, score, usable, np.zeros(n_sections))


def _fitting(score: Floats, codes: NDArray[np.int32], usable: Bools) -> Bools:
    """Return which spots are not far above others of their section."""
    fitting = np.zeros_like(usable)
    for one in range(int(codes.max()) + 1):
        own = (codes == one) & usable
        if own.any():
            fitting[own] = fits(score[own])
    return fitting


def _set_aside(
    found: list[RegionFound],
    learnt: LearntTogether,
    roles: _Roles,
    touching: sparse.csr_matrix,
    shown: Bools,
    n_asked: int,
    inputs: GuidedInputs,
    section: Section,
) -> tuple[list[RegionFound], tuple[RegionFound, ...]]:
    """Return regions, and apart from them those whose image is like no other.

    With a reference that is the measure: margins of what is unlike it are set aside,
    and what is rare in a section and usual in the reference is not.
    """
    if not found:
        return [], ()
    if roles.reference.any():
        odd, unknown = [], roles.unlike | ~shown
        for region in found:
            near = np.zeros(len(roles.unlike), np.float32)
            near[region.spots] = 1
            around = np.asarray(touching @ near) + near > 0
            odd.append(bool(unknown[around].mean() >= _UNLIKE_SHARE))
    else:
        oddness = odd_images(learnt.predictor, section, inputs)
        odd = [is_odd(oddness, region.spots) for region in found]
    kept = [region for region, one in zip(found, odd, strict=True) if not one]
    aside = tuple(one for one, apart in zip(found, odd, strict=True) if apart)
    if aside:
        wanted = inputs.config.image_guided.discordance_fdr
        kept = among_themselves(kept, n_asked, wanted)
    return kept, aside


def _power(
    learnt: LearntTogether,
    nulls: tuple[Floats, ...],
    questions: tuple[Evidence, Evidence],
    touching: sparse.csr_matrix,
    some: list[Spots],
    inputs: GuidedInputs,
    section: Section,
    control: RunControl,
) -> tuple[RegionPower, ...]:
    """Return how strong a region of each compared section has to be to be found."""
    if not nulls:
        return ()

    def scored(expressed: Floats) -> Floats:
        other = learnt.prediction._replace(expressed=expressed)
        nats = contradiction(other, other.expected, section, inputs.usable)
        found = np.full(len(nats), np.nan, np.float32)
        for spots in some:
            found[spots] = least_above(nats, spots, nulls)
        return found

    return measure_power(
        learnt.prediction, scored, questions, touching, section.coordinates, some,
        inputs.config, control,
    )  # fmt: skip


def _sections(
    roles: _Roles,
    level: LevelSections,
    learnt: LearntTogether,
    parts: list[Spots],
    power: tuple[RegionPower, ...],
    section: Section,
) -> tuple[SectionAsked, ...]:
    """Return what is said of each section."""
    codes, names = section.sections.codes, section.sections.names
    unlike = np.bincount(codes[roles.unlike], minlength=len(names))
    left = iter(power)
    told = []
    for one, check in enumerate(roles.checks):
        like = names[check.image_of] if check.image_of >= 0 else ""
        compared = len(parts[one]) > 0
        told.append(
            SectionAsked(
                names[one],
                int((codes == one).sum()),
                bool(roles.reference[one]),
                bool(roles.teaching[one]),
                compared,
                check,
                like,
                int(unlike[one]),
                float(level.stain_shift[one]),
                float(learnt.shift[one]),
                next(left, None) if compared else None,
            )
        )
    return tuple(told)
