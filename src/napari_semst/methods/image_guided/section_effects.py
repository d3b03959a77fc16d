"""Several sections on one scale: what their handling does is taken out.

Nobody can tell a section that was stained otherwise from one of other tissue by its
image alone. Expression is laid into one frame first (mutual nearest neighbours, see
`napari_semst.prepare.align_sections`); what then sets images of spots apart that
express alike is the stain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.methods.image_guided.features import (
    average_of_usable,
    expression_of,
    image_of,
)
from napari_semst.methods.image_guided.level_stain import without_stain_trend
from napari_semst.prepare.align_sections import align_sections
from napari_semst.prepare.components import smooth_over_neighbours

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]

# Rounds of averaging in which the stain of a section is told from its anatomy.
_REGIONAL = 2
# How much a stain may stretch or shrink a feature.
_NARROWEST, _WIDEST = 0.67, 1.5
# Of a normal distribution with deviation 1.
_MEDIAN_DEVIATION = 0.67449


class LevelSections(NamedTuple):
    """Expression and images of several sections on one scale.

    Parameters
    ----------
    expression, image
        Components and axes of the image, ``(n_spots, width)``.
    stain_trend
        As of `without_stain_trend`, at most of any section.
    stain_shift
        Root mean square of what was taken out of each section's features, in
        deviations, ``(n_sections,)``.
    """

    expression: Floats
    image: Floats
    stain_trend: float
    stain_shift: Doubles


def laid_upon(inputs: GuidedInputs, section: Section, reference: Bools) -> GuidedInputs:
    """Return inputs whose expression lies in the frame of the reference.

    A run lays sections upon the largest, which may be one that is asked: what it is of
    would then move those that are to teach what it is held against.

    Parameters
    ----------
    reference
        Sections that are laid upon each other alone, ``(n_sections,)``.
    """
    found, codes = inputs.components, section.sections.codes
    assert found.alignment is not None, "several sections are laid into one frame"
    kinds = (found.root, found.logged)
    apart = [
        one - shift[codes]
        for one, shift in zip(kinds, found.alignment.shifts, strict=True)
    ]
    averaged = [
        smooth_over_neighbours(one, section.average, section.smoothing_rounds)
        for one in apart
    ]
    alignment = align_sections(
        apart, averaged, section.sections, inputs.config.training.seed, reference
    )
    root, logged = (
        one + shift[codes] for one, shift in zip(apart, alignment.shifts, strict=True)
    )
    moved = found._replace(root=root, logged=logged, alignment=alignment)
    return replace(inputs, components=moved)


def level_sections(
    inputs: GuidedInputs,
    section: Section,
    teaching: Bools,
    check: Callable[[], None] = lambda: None,
) -> LevelSections:
    """Return expression and images of all sections on the scale of those that teach.

    Parameters
    ----------
    teaching
        Sections that teach, ``(n_sections,)``.
    check
        Called between averages over spots; ends it by raising.
    """
    assert inputs.image is not None, "a comparison was asked for without an image"
    usable, codes = inputs.usable, section.sections.codes.astype(np.int64)
    # Centred over all: sections differ by what they are made of, which is no handling.
    whole = replace(inputs, sections=None)
    expression = expression_of(whole, section)

    def regional(values: Floats) -> Floats:
        check()
        return average_of_usable(values, section, usable, _REGIONAL)

    level, trend = without_stain_trend(
        inputs.image, expression, section.coordinates, codes, usable, regional
    )
    level, shift = without_section_stain(
        level, regional(level), regional(expression), codes, usable, teaching
    )
    check()
    image = image_of(replace(whole, image=level), section)
    return LevelSections(expression, image, trend, shift)


def without_section_stain(
    image: Floats,
    near_image: Floats,
    near_expression: Floats,
    codes: NDArray[np.int64],
    usable: Bools,
    teaching: Bools,
) -> tuple[Floats, Doubles]:
    """Return features as those of sections that teach, and how far each was off.

    A section's stain is what its features have beyond what expression leads to expect
    by slopes that all sections share, and how much wider that is than elsewhere.

    Parameters
    ----------
    image
        Features of variances about 1, ``(n_spots, n_features)``.
    near_image, near_expression
        Means over near spots: single spots tell expression with noise, by which slopes
        would be too small.
    teaching
        Sections whose stain is the measure, ``(n_sections,)``.

    Returns
    -------
    image, shift
        ``(n_spots, n_features)`` and, in deviations, ``(n_sections,)``.
    """
    told = near_expression.astype(np.float64)
    terms = np.column_stack([told, told**2])
    parts = [np.flatnonzero((codes == one) & usable) for one in range(len(teaching))]
    some = [part for part in parts if len(part)]
    inside = np.concatenate([terms[part] - terms[part].mean(axis=0) for part in some])
    seen = np.concatenate(
        [near_image[part] - near_image[part].mean(axis=0) for part in some]
    )
    slopes = np.linalg.lstsq(inside, seen.astype(np.float64), rcond=None)[0]
    beyond = image - terms @ slopes
    middle = np.zeros((len(parts), image.shape[1]))
    width = np.ones_like(middle)
    for one, part in enumerate(parts):
        if len(part):
            middle[one] = np.median(beyond[part], axis=0)
            width[one] = np.median(np.abs(beyond[part] - middle[one]), axis=0)
    width /= _MEDIAN_DEVIATION
    shown = np.array([len(part) > 0 for part in parts])
    measure = teaching & shown if (teaching & shown).any() else shown
    usual = np.median(middle[measure], axis=0), np.median(width[measure], axis=0)
    shift = middle - usual[0]
    stretch = np.divide(width, usual[1], out=np.ones_like(width), where=usual[1] > 1e-6)
    stretch = np.clip(stretch, _NARROWEST, _WIDEST)
    level = image.copy()
    for one, part in enumerate(parts):
        if not len(part):
            continue
        # What the section is made of stays where it is, and is not stretched.
        anatomy = terms[part].mean(axis=0) @ slopes
        rest = (image[part] - middle[one] - anatomy) / stretch[one]
        level[part] = (rest + anatomy + usual[0]).astype(np.float32)
    return level, np.sqrt(np.square(shift).mean(axis=1))
