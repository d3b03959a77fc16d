"""Ridge regression of the folds of a partition, each learnt from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Doubles = NDArray[np.float64]
    Spots = NDArray[np.intp]

# Penalties that are tried; each component is predicted with its best.
_PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)


class Learnt(NamedTuple):
    """Weights of each fold ``(n_folds, n_kernel, width)``, and the variance explained.

    The latter is summed over components, of variance 1 each, in folds that were not
    learnt from.
    """

    weights: Doubles
    explained: float


class FoldSums:
    """Sums of products of features over the spots of a partition.

    What teaches a fold is all but the sums of its own spots and those near it, so that
    features are multiplied once and not for every fold.

    Parameters
    ----------
    n_folds, n_kernel, width
        Folds, features and what is predicted by them.
    """

    def __init__(self, n_folds: int, n_kernel: int, width: int) -> None:
        self.n_folds = n_folds
        # Of all spots, of those that do not teach each fold, and of the fold itself.
        self.square = np.zeros((1 + 2 * n_folds, n_kernel, n_kernel))
        self.product = np.zeros((1 + 2 * n_folds, n_kernel, width))

    def add(
        self, features: Doubles, wanted: Doubles, untaught: Bools, folds: Spots
    ) -> None:
        """Add some spots, each argument of theirs alone."""
        groups = [np.ones(len(folds), bool), *untaught.T]
        groups += [folds == fold for fold in range(self.n_folds)]
        for number, group in enumerate(groups):
            some = features[group]
            self.square[number] += some.T @ some
            self.product[number] += some.T @ wanted[group]

    def solved(self, n_spots: int) -> Learnt:
        """Return the weights of each fold, each component with its best penalty."""
        square, product = self.square, self.product
        n_kernel, width = product.shape[1:]
        tried = np.empty((self.n_folds, len(_PENALTIES), n_kernel, width))
        missed = np.zeros((len(_PENALTIES), width))
        for fold in range(self.n_folds):
            own = 1 + self.n_folds + fold
            tried[fold] = _ridge(
                square[0] - square[1 + fold], product[0] - product[1 + fold]
            )
            missed += (tried[fold] * (square[own] @ tried[fold])).sum(axis=1)
            missed -= 2 * (tried[fold] * product[own]).sum(axis=1)
        best = missed.argmin(axis=0)
        weights: Doubles = tried[:, best, :, np.arange(width)].transpose(1, 2, 0)
        explained = -missed.min(axis=0) / n_spots
        return Learnt(weights, float(np.maximum(explained, 0).sum()))


def _ridge(square: Doubles, product: Doubles) -> Doubles:
    """Return the weights by penalty, ``(n_penalties, n_kernel, width)``."""
    values, vectors = np.linalg.eigh(square)
    along = vectors.T @ product
    scales = [np.maximum(values, 0) + penalty for penalty in _PENALTIES]
    return np.stack([vectors @ (along / scale[:, None]) for scale in scales])
