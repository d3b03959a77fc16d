"""What images leave unexplained, of sections that are judged by each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.methods.image_guided.gene_residuals import (
    directions_told_by,
    unpredicted_directions,
)
from napari_semst.methods.image_guided.unexplained import (
    ASKED,
    Unexplained,
    UsualSums,
    draws_of,
    unexplained_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.gene_residuals import UnpredictedGenes
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float32]

# Spots of a section, at least; together with others that teach it is to be `ASKED`.
_FEWEST = 150
# Rounds in which usual spots of a section are found, and what is not usual: squares
# above so many times their median.
_ROUNDS, _UNUSUAL = 3, 3.0


def unexplained_together(
    genes: UnpredictedGenes,
    inputs: GuidedInputs,
    section: Section,
    teaching: Bools,
    asked: Bools,
    control: RunControl,
) -> Unexplained:
    """Return how unusual each spot's expression is among spots that look alike.

    What is usual is told by all sections that teach, beside the section's own tissue
    elsewhere; of each section its own middle is taken out, and its own scores and moved
    slides tell how far is far. So a section that is noisier as a whole, or otherwise
    prepared, is not unusual for that; and a small section is asked by help of others.

    Parameters
    ----------
    genes
        What images do not predict.
    teaching, asked
        Sections, ``(n_sections,)``.
    """
    along = unpredicted_directions(genes, inputs, section)
    codes, seed = section.sections.codes, inputs.config.training.seed
    score = np.full(len(along), np.nan, np.float32)
    spots = [
        np.flatnonzero((codes == one) & inputs.usable) for one in range(len(asked))
    ]
    n_draws = draws_of(max(map(len, spots)))
    p_value, null = score.copy(), np.full((n_draws, len(along)), np.nan, np.float32)
    sums = {}
    for one, own in enumerate(spots):
        if len(own):
            along[own] -= np.median(along[own], axis=0)
        if teaching[one] and len(own):
            sums[one] = _usual_sums(along[own])
    for one, own in enumerate(spots):
        others = [found for number, found in sums.items() if number != one]
        told_by = len(own) + sum(found.n_spots for found in others)
        if not asked[one] or len(own) < _FEWEST or told_by < ASKED:
            continue
        width = directions_told_by(told_by)
        beside = _some(others, width) if others else None
        found = unexplained_of(
            along[own, :width], section, own, seed, n_draws, control, beside
        )
        score[own], p_value[own], null[:, own] = found
    return Unexplained(score, p_value, null)


def _usual_sums(along: Floats) -> UsualSums:
    """Return sums over spots of a section that are not unusual in it."""
    usual = np.ones(len(along), bool)
    for _ in range(_ROUNDS):
        some = along[usual].astype(np.float64)
        square = some.T @ some / max(len(some), 1) + 1e-3 * np.eye(along.shape[1])
        far = (along * np.linalg.solve(square, along.T).T).sum(axis=1)
        usual = far <= _UNUSUAL * np.median(far)
    some = along[usual].astype(np.float64)
    return UsualSums(len(some), some.sum(axis=0), some.T @ some)


def _some(others: list[UsualSums], width: int) -> UsualSums:
    """Return the sums of several sections in the first directions."""
    return UsualSums(
        sum(one.n_spots for one in others),
        np.sum([one.total[:width] for one in others], axis=0),
        np.sum([one.square[:width, :width] for one in others], axis=0),
    )
