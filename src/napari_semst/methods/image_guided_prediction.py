"""What the image predicts of expression, of spots that it did not learn from.

Closed-form regression in place of a network: the same answer each time, in seconds,
of as many spots as there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst.prepare.components import smoothed
from napari_semst.sampling import chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_semst.methods.image_guided_inputs import GuidedInputs
    from napari_semst.prepare.section import Section
    from napari_semst.progress import RunControl

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

# Components of expression that are predicted, and rounds of averaging over neighbours.
_COMPONENTS, _ROUNDS = 20, 1
# Axes of the image itself, and of it with its surroundings.
_OWN_AXES, _AXES = 50, 30
# A Gaussian kernel between spots, by as many of them as stand for all, and its width
# over squared distances whose mean is 2.
_LANDMARKS, _GAMMA = 300, 0.1
# Penalties that are tried; each direction is predicted with its best.
_PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
# Share of a direction's variance below which it is not said to be predicted, and how
# much more of few spots: images dealt at random "predict" up to 0.15 of the best
# direction of 300 spots, 0.07 of 1,200 and 0.02 of 3,000.
_LEAST_PREDICTED, _BY_SPOTS = 0.05, 60
_CHUNK_SPOTS = 8192
# Part of the largest variance below which an axis is rounding.
_ROUNDING = 1e-9


class Prediction(NamedTuple):
    """Expression beside what the image predicts, on directions by falling share.

    Parameters
    ----------
    expressed, expected
        What a spot expresses and what its image predicts, ``(n_spots, width)``.
    error, spread
        Mean squares of their difference and of what is expressed, ``(width,)``, of the
        spots that were learnt from. Where the image predicts nothing there is one
        direction, on which it expects 0 and both are the same.
    """

    expressed: Floats
    expected: Floats
    error: Doubles
    spread: Doubles

    @property
    def share(self) -> Doubles:
        """Return the share of each direction's variance that is predicted."""
        share: Doubles = 1 - self.error / self.spread
        return share

    @property
    def width(self) -> int:
        """Return how many directions are predicted."""
        return int((self.share > 0).sum())

    @property
    def weights(self) -> Doubles:
        """Return how much a squared deviation in each direction says, at least 0."""
        weights: Doubles = np.maximum(1 / self.error - 1 / self.spread, 0)
        return weights


class ImagePredictor:
    """Ridge regression of expression on a kernel of image features, by fold.

    Parameters
    ----------
    inputs
        Components, image features, and which spots have a usable image.
    section
        Gives the operator that averages neighbours.
    folds
        Fold of every spot; each is predicted from the others, a single one from itself.
    """

    def __init__(
        self, inputs: GuidedInputs, section: Section, folds: NDArray[np.intp]
    ) -> None:
        from sklearn.kernel_approximation import Nystroem

        self.usable, self.folds = inputs.usable, folds
        self.expression = _expression(inputs, section)
        self.image = _description(inputs, section)
        learnt = self.image[inputs.usable]
        self._kernel = Nystroem(
            gamma=_GAMMA,
            n_components=min(_LANDMARKS, len(learnt)),
            random_state=inputs.config.training.seed,
        ).fit(learnt)

    def predict(self, learnt: NDArray[np.bool_], control: RunControl) -> Prediction:
        """Return what the image predicts of all spots.

        Parameters
        ----------
        learnt
            Spots that are learnt from, of those that are usable.
        control
            Cancels.
        """
        kept = learnt & self.usable
        weights = self._weights(kept, control)
        expected = np.empty_like(self.expression)
        for spots, features in self._features(np.ones_like(kept), control):
            for fold in np.unique(self.folds[spots]):
                own = self.folds[spots] == fold
                expected[spots[own]] = features[own] @ weights[fold]
        return _turned(self.expression, expected, self.folds, kept)

    def _weights(self, kept: NDArray[np.bool_], control: RunControl) -> Doubles:
        """Return the weights of each fold, ``(n_folds, n_kernel, width)``.

        Products of a fold's spots are summed once: what the other folds teach is the
        sum of theirs.
        """
        n_folds = int(self.folds.max()) + 1
        width, n_kernel = self.expression.shape[1], self._kernel.n_components + 1
        square = np.zeros((n_folds, n_kernel, n_kernel))
        product = np.zeros((n_folds, n_kernel, width))
        for spots, features in self._features(kept, control):
            for fold in np.unique(self.folds[spots]):
                own = self.folds[spots] == fold
                square[fold] += features[own].T @ features[own]
                product[fold] += features[own].T @ self.expression[spots[own]]
        tried = np.empty((n_folds, len(_PENALTIES), n_kernel, width))
        missed = np.zeros((len(_PENALTIES), width))
        for fold in range(n_folds):
            alone = n_folds == 1
            others = square.sum(axis=0) - square[fold] * (not alone)
            taught = product.sum(axis=0) - product[fold] * (not alone)
            values, vectors = np.linalg.eigh(others)
            along = vectors.T @ taught
            for number, penalty in enumerate(_PENALTIES):
                scale = np.maximum(values, 0) + penalty
                found = vectors @ (along / scale[:, None])
                tried[fold, number] = found
                missed[number] += (found * (square[fold] @ found)).sum(axis=0)
                missed[number] -= 2 * (found * product[fold]).sum(axis=0)
        best = missed.argmin(axis=0)
        weights: Doubles = tried[:, best, :, np.arange(width)].transpose(1, 2, 0)
        return weights

    def _features(
        self, wanted: NDArray[np.bool_], control: RunControl
    ) -> Iterator[tuple[NDArray[np.intp], Doubles]]:
        """Yield some spots and what the regression reads of their image."""
        every = np.flatnonzero(wanted)
        for part in chunks(len(every), _CHUNK_SPOTS):
            control.check()
            spots = every[part]
            features = self._kernel.transform(self.image[spots]).astype(np.float64)
            yield spots, np.column_stack([features, np.ones(len(spots))])


def _turned(
    expression: Floats,
    expected: Floats,
    folds: NDArray[np.intp],
    kept: NDArray[np.bool_],
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
        sums += _squares(expression, expected, _falling(others), own)
    least = _LEAST_PREDICTED + _BY_SPOTS / kept.sum()
    counts = sums[0] <= (1 - least) * sums[1]
    width = len(counts) if counts.all() else int(counts.argmin())
    axes = _falling(together.sum(axis=0))[:, : max(width, 1)]
    error, spread = _squares(expression, expected, axes, kept) / kept.sum()
    one, other = projected(expression, axes), projected(expected, axes)
    return (
        Prediction(one, other, error, spread)
        if width
        else Prediction(one, np.zeros_like(other), spread, spread)
    )


def _together(one: Floats, other: Floats, spots: NDArray[np.bool_]) -> Doubles:
    """Return the sum of products of two things, made symmetric."""
    product = one[spots].T.astype(np.float64) @ other[spots]
    symmetric: Doubles = (product + product.T) / 2
    return symmetric


def _falling(symmetric: Doubles) -> Doubles:
    """Return the eigenvectors of a symmetric matrix, by falling value."""
    axes: Doubles = np.linalg.eigh(symmetric)[1][:, ::-1]
    return axes


def _squares(
    expression: Floats, expected: Floats, axes: Doubles, spots: NDArray[np.bool_]
) -> Doubles:
    """Return sums of squared errors and of squared expression by axis, ``(2, n)``."""
    one, other = (projected(part[spots], axes) for part in (expression, expected))
    apart, whole = (
        np.square(part, dtype=np.float64).sum(axis=0) for part in (one - other, one)
    )
    found: Doubles = np.stack([apart, whole])
    return found


def _expression(inputs: GuidedInputs, section: Section) -> Floats:
    """Return components of expression with variances of 1, ``(n_spots, width)``."""
    values = smoothed(
        inputs.components.logged[:, :_COMPONENTS], section.average, _ROUNDS
    )
    values = _inside(values, inputs)
    variance, axes = leading_axes(values, inputs.usable, values.shape[1])
    found: Floats = values @ (axes / np.sqrt(variance)).astype(np.float32)
    return found


def _description(inputs: GuidedInputs, section: Section) -> Floats:
    """Return axes of each spot's image and its surroundings, ``(n_spots, width)``."""
    image, usable = inputs.image, inputs.usable
    assert image is not None, "a prediction was asked for without an image"
    own = projected(image, leading_axes(image, usable, _OWN_AXES)[1])
    own = _inside(own, inputs)
    around = _inside(average_of_usable(own, section, usable, 1), inputs)
    size = np.sqrt(own[usable].var(axis=0).sum() / around[usable].var(axis=0).sum())
    both = np.hstack([own, around * size])
    variance, axes = leading_axes(both, usable, _AXES)
    # Between the image's own scale and one on which all axes count alike.
    scale = variance**-0.25 / np.sqrt(np.sqrt(variance).sum())
    return projected(both, axes * scale)


def _inside(values: Floats, inputs: GuidedInputs) -> Floats:
    """Return values less the means of their sections' usable spots."""
    found = np.array(values, np.float32)
    codes = np.zeros(len(found), np.int64)
    codes = codes if inputs.sections is None else inputs.sections
    for section in range(int(codes.max()) + 1):
        own = codes == section
        known = own & inputs.usable
        if known.any():
            found[own] -= found[known].mean(axis=0, dtype=np.float64)
    return found


def average_of_usable(
    values: Floats, section: Section, usable: NDArray[np.bool_], rounds: int
) -> Floats:
    """Return the mean of each spot's usable neighbours, itself among them.

    Parameters
    ----------
    values
        Shape ``(n_spots, width)``.
    section
        Gives the operator that averages neighbours.
    usable
        Spots that count.
    rounds
        Of averaging.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spots, width)``, 0 where no spot near is usable.
    """
    share = smoothed(usable[:, None].astype(np.float32), section.average, rounds)
    kept = np.where(usable[:, None], values, np.float32(0))
    total = smoothed(kept, section.average, rounds)
    mean: Floats = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    return mean


def leading_axes(
    values: Floats, kept: NDArray[np.bool_], width: int
) -> tuple[Doubles, Doubles]:
    """Return variances about 0 and axes, ``(n,)`` and ``(width_in, n)``, largest first.

    Parameters
    ----------
    values
        Shape ``(n_spots, width_in)``.
    kept
        Spots that count.
    width
        How many at most; axes of no variance are left out.
    """
    own = np.flatnonzero(kept)
    square = np.zeros((values.shape[1],) * 2)
    for part in chunks(len(own), _CHUNK_SPOTS):
        some = values[own[part]].astype(np.float64)
        square += some.T @ some
    variance, axes = np.linalg.eigh(square / max(len(own), 1))
    real = int((variance > _ROUNDING * max(variance[-1], 1e-300)).sum())
    wanted = slice(None, -1 - max(min(width, real), 1), -1)
    return variance[wanted], axes[:, wanted]


def projected(values: Floats, axes: Doubles) -> Floats:
    """Return values on axes, ``(n_spots, n_axes)``."""
    found: Floats = values @ axes.astype(np.float32)
    return found
