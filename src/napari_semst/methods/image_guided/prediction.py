"""What the image predicts of expression, learnt from other parts of the section.

Closed-form regression in place of a network: the same answer each time, in seconds,
of as many spots as there are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from napari_semst.core.chunks import chunks
from napari_semst.core.threads import keep_limits
from napari_semst.methods.image_guided.features import (
    average_of_usable,
    expression_of,
    falling,
    image_of,
    projected,
)
from napari_semst.methods.image_guided.level_stain import without_stain_trend
from napari_semst.methods.image_guided.ridge import FoldSums, Learnt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.methods.image_guided.inputs import GuidedInputs
    from napari_semst.prepare.section import Section

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

# A Gaussian kernel between spots, by as many of them as stand for all, and its width
# over squared distances whose mean is 2.
_LANDMARKS, _GAMMA = 300, 0.1
# Rounds of neighbours around a fold that do not teach it: what changes slowly across
# the slide would be known by its place.
_MARGIN = 2
# Share of a direction's variance below which it is not said to be predicted, and how
# much more of few spots: images dealt at random "predict" up to 0.15 of the best
# direction of 300 spots, 0.07 of 1,200 and 0.02 of 3,000.
_LEAST_PREDICTED, _BY_SPOTS = 0.05, 60
# Spots that are read at once, and values to be predicted of them: of many genes fewer.
_CHUNK_SPOTS, _CHUNK_VALUES = 8192, 8_000_000
# Pieces of a section that make up a fold, at most, and spots of each, at least: large
# enough to hold whole regions, and to have spots that are far from the other folds.
_PIECES, _PIECE_SPOTS = 5, 100
_PARTITIONS = 4
# Rounds of averaging in which a stain's trend is told from anatomy.
_REGIONAL = 2


class Truth(Protocol):
    """Something of every spot, ``(n_spots, width)``, of which rows can be had."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return numbers of spots and of values of each."""

    def __getitem__(self, spots: Spots) -> Floats:
        """Return the rows of some spots."""


class Prediction(NamedTuple):
    """Expression beside what the image predicts, on directions by falling share.

    Parameters
    ----------
    expressed, expected
        What a spot expresses and what its image predicts, ``(n_spots, width)``.
    error, spread
        Mean squares of their difference and of what is expressed, ``(width,)``, of the
        spots that were learnt from.
    share
        Share of each direction's variance that is predicted, ``(width,)``, where the
        direction itself was learnt from other folds, too.
    """

    expressed: Floats
    expected: Floats
    error: Doubles
    spread: Doubles
    share: Doubles

    @property
    def width(self) -> int:
        """Return how many directions are predicted."""
        return len(self.share)

    @property
    def weights(self) -> Doubles:
        """Return how much a squared deviation in each direction says, at least 0."""
        weights: Doubles = np.maximum(1 / self.error - 1 / self.spread, 0)
        return weights

    def nothing(self) -> Prediction:
        """Return the prediction of an image that predicts nothing."""
        return Prediction(
            self.expressed[:, :0],
            self.expected[:, :0],
            *(part[:0] for part in self[2:]),
        )


class ImagePredictor:
    """Ridge regression of expression on a kernel of image features, by fold.

    Parameters
    ----------
    inputs
        Components, image features, and which spots have a usable image.
    folds
        Fold of every spot in each partition, ``(n_partitions, n_spots)``; each fold is
        predicted from the others, a single one from itself.
    """

    def __init__(self, inputs: GuidedInputs, section: Section, folds: Spots) -> None:
        keep_limits()
        self.usable, self.folds = inputs.usable, folds
        self.expression = expression_of(inputs, section)
        assert inputs.image is not None, "a prediction was asked for without an image"
        level, self.stain_trend = without_stain_trend(
            inputs.image,
            self.expression,
            section.coordinates,
            section.sections.codes.astype(np.int64),
            inputs.usable,
            lambda values: average_of_usable(values, section, inputs.usable, _REGIONAL),
        )
        self.image = image_of(replace(inputs, image=level), section)
        self._begin(section, inputs.usable, inputs.config.training.seed)

    def _begin(self, section: Section, shown: Bools, seed: int) -> None:
        """Choose which spots do not teach which fold, and the spots of the kernel.

        Parameters
        ----------
        shown
            Spots whose images the kernel is made of.
        """
        from sklearn.kernel_approximation import Nystroem

        self._untaught = [_near_folds(section, one) for one in self.folds]
        learnt = self.image[shown]
        self._kernel = Nystroem(
            gamma=_GAMMA,
            n_components=min(_LANDMARKS, len(learnt)),
            random_state=seed,
        ).fit(learnt)

    @classmethod
    def of_sections(
        cls,
        expression: Floats,
        image: Floats,
        usable: Bools,
        teaching: Bools,
        folds: Spots,
        section: Section,
        seed: int,
    ) -> ImagePredictor:
        """Return one of several sections, each on one scale with the others.

        Parameters
        ----------
        expression, image
            Components and axes of the image, ``(n_spots, width)``.
        teaching
            Spots of sections that may teach.
        """
        keep_limits()
        made = cls.__new__(cls)
        made.expression, made.image, made.folds = expression, image, folds
        made.usable, made.stain_trend = usable, 0.0
        made._begin(section, teaching & usable, seed)
        return made

    def predict(self, learnt: Bools, control: RunControl) -> Prediction:
        """Return what the image predicts of all spots.

        Parameters
        ----------
        learnt
            Spots that are learnt from, of those that are usable.
        """
        kept = learnt & self.usable
        weights = self.weights_of(self.expression, kept, control)
        every = np.arange(len(kept))
        expected = self.expected_of(every, weights, control).astype(np.float32)
        return best_directions(self.expression, expected, self.folds[0], kept)

    def weights_of(
        self, truth: Truth, learnt: Bools, control: RunControl
    ) -> list[Doubles]:
        """Return by partition what predicts something, ``(n_folds, n_kernel, width)``.

        Parameters
        ----------
        truth
            What is predicted, ``(n_spots, width)``; rows are asked for in chunks.
        learnt
            Spots that are learnt from, of those that are usable.
        """
        kept, partitions = learnt & self.usable, range(len(self.folds))
        return [one.weights for one in self._learn(kept, control, partitions, truth)]

    def expected_of(
        self, spots: Spots, weights: list[Doubles], control: RunControl
    ) -> Doubles:
        """Return what is predicted of some spots, ``(n, width)``, mean of partitions.

        Parameters
        ----------
        weights
            What `weights_of` returned.
        """
        expected = np.zeros((len(spots), weights[0].shape[2]))
        for part in chunks(len(spots), _CHUNK_SPOTS):
            control.check()
            some, own = spots[part], expected[part]
            features = self.features_of(some)
            for folds, by_fold in zip(self.folds, weights, strict=True):
                for fold in np.unique(folds[some]):
                    mine = folds[some] == fold
                    own[mine] += features[mine] @ by_fold[fold]
        expected /= len(self.folds)
        return expected

    def explained(
        self,
        truth: Floats,
        learnt: Bools,
        control: RunControl,
        given: Spots | None = None,
        n_partitions: int = 1,
    ) -> float:
        """Return how much variance is predicted, summed over components.

        Parameters
        ----------
        truth
            What is predicted, ``(n_spots, width)``.
        learnt
            Spots that are learnt from, of those that are usable.
        given
            Whose image each spot gets, ``(n_spots,)``; its own where `None`.
        n_partitions
            Of which this is a mean; where folds lie is chance.
        """
        kept = learnt & self.usable
        asked = range(min(n_partitions, len(self.folds)))
        found = self._learn(kept, control, asked, truth, given)
        return float(np.mean([one.explained for one in found]))

    def _learn(
        self,
        kept: Bools,
        control: RunControl,
        partitions: Sequence[int],
        truth: Truth,
        given: Spots | None = None,
    ) -> list[Learnt]:
        """Return what is learnt for some partitions, from features read once."""
        shape = (self._kernel.n_components + 1, truth.shape[1])
        sums = [FoldSums(self._untaught[one].shape[1], *shape) for one in partitions]
        fit = max(_CHUNK_VALUES // max(truth.shape[1], 1), 1)
        for spots, features in self._features(
            kept, control, min(fit, _CHUNK_SPOTS), given
        ):
            wanted = truth[spots].astype(np.float64)
            for one, own in zip(partitions, sums, strict=True):
                untaught, folds = self._untaught[one][spots], self.folds[one][spots]
                own.add(features, wanted, untaught, folds)
        return [one.solved(max(int(kept.sum()), 1)) for one in sums]

    def _features(
        self,
        wanted: Bools,
        control: RunControl,
        at_once: int = _CHUNK_SPOTS,
        given: Spots | None = None,
    ) -> Iterator[tuple[Spots, Doubles]]:
        """Yield some spots and what the regression reads of their image."""
        every = np.flatnonzero(wanted)
        for part in chunks(len(every), at_once):
            control.check()
            spots = every[part]
            yield spots, self.features_of(spots if given is None else given[spots])

    def features_of(self, spots: Spots) -> Doubles:
        """Return what the regression reads of some images, ``(n, n_kernel)``."""
        features = self._kernel.transform(self.image[spots]).astype(np.float64)
        return np.column_stack([features, np.ones(len(spots))])


def _near_folds(section: Section, folds: Spots) -> Bools:
    """Return which spots do not teach which fold, ``(n_spots, n_folds)``."""
    n_folds = int(folds.max()) + 1
    if n_folds == 1:
        return np.zeros((len(folds), 1), bool)
    near = (folds[:, None] == np.arange(n_folds)).astype(np.float32)
    for _ in range(_MARGIN):
        near = np.asarray(section.average @ near)
    untaught: Bools = (near > 0) | (folds[:, None] == np.arange(n_folds))
    return untaught


def best_directions(
    expression: Floats, expected: Floats, folds: Spots, kept: Bools
) -> Prediction:
    """Return both on the directions that the image predicts best, the rest left out.

    Directions are those in which both vary together. How many count is told by each
    fold on the directions of the others: of some noise, chance predicts a part.
    """
    n_folds = int(folds.max()) + 1
    together = np.stack(
        [_together(expression, expected, kept & (folds == f)) for f in range(n_folds)]
    )
    sums = np.zeros((2, expression.shape[1]))
    for fold in range(n_folds):
        own = kept & (folds == fold)
        others = together.sum(axis=0) - together[fold] * (n_folds > 1)
        sums += _squares(expression, expected, falling(others)[1], own)
    share = 1 - sums[0] / np.maximum(sums[1], 1e-12)
    counts = share >= _LEAST_PREDICTED + _BY_SPOTS / max(int(kept.sum()), 1)
    width = len(counts) if counts.all() else int(counts.argmin())
    order = np.argsort(-share[:width], kind="stable")
    axes = falling(together.sum(axis=0))[1][:, order]
    error, spread = _squares(expression, expected, axes, kept) / max(int(kept.sum()), 1)
    one, other = projected(expression, axes), projected(expected, axes)
    return Prediction(one, other, error, spread, share[order])


def _together(one: Floats, other: Floats, spots: Bools) -> Doubles:
    """Return the sum of products of two things, made symmetric."""
    product = one[spots].T.astype(np.float64) @ other[spots]
    symmetric: Doubles = (product + product.T) / 2
    return symmetric


def _squares(
    expression: Floats, expected: Floats, axes: Doubles, spots: Bools
) -> Doubles:
    """Return sums of squared errors and of squared expression by axis, ``(2, n)``."""
    one, other = (projected(part[spots], axes) for part in (expression, expected))
    apart, whole = (
        np.square(part, dtype=np.float64).sum(axis=0) for part in (one - other, one)
    )
    found: Doubles = np.stack([apart, whole])
    return found


def spatial_folds(
    inputs: GuidedInputs, places: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the fold of every spot in each partition, ``(n_partitions, n_spots)``.

    Folds are pieces of tissue dealt in turn. Pieces are made, and dealt, by the usable
    spots: no fold holds all of them. Where they lie is chance, which predictions of
    several partitions level.
    """
    wanted, seed = inputs.config.image_guided.folds, inputs.config.training.seed
    times = 1 if wanted == 1 else _PARTITIONS
    partitions = [
        partition_of(inputs.usable, places, wanted, seed + 1000 * one)
        for one in range(times)
    ]
    return np.stack(partitions)


def partition_of(
    usable: NDArray[np.bool_], places: NDArray[np.float64], wanted: int, seed: int
) -> NDArray[np.intp]:
    """Return the fold of every spot, ``(n_spots,)``."""
    from sklearn.cluster import MiniBatchKMeans

    keep_limits()
    known = int(usable.sum())
    pieces = min(max(known // _PIECE_SPOTS, wanted), wanted * _PIECES, known // 2)
    search = MiniBatchKMeans(pieces, n_init=3, random_state=seed, batch_size=4096)
    piece = np.asarray(search.fit(places[usable]).predict(places))
    # Largest first, each to the fold that has least.
    sizes = np.bincount(piece[usable], minlength=pieces)
    fold_of, filled = np.zeros(pieces, np.intp), np.zeros(wanted)
    for one in np.argsort(-sizes, kind="stable"):
        fold_of[one] = filled.argmin()
        filled[fold_of[one]] += sizes[one]
    found: NDArray[np.intp] = fold_of[piece]
    return found
