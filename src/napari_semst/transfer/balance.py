"""How much genes that are like a gene count beside the gene itself.

Chosen without labels of the target: shared genes are held out in turn, spots named by
all others, and that weight is taken whose names predict the held-out genes best. Few
genes cannot choose. And semantics that predict little inside the reference are never
given much: errors of many genes that are alike add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.transfer.kernel import PredictedSignature
    from napari_semst.transfer.profiles import Profiles

_WEIGHTS = np.array([0, 0.03, 0.06, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 3.0])
# The largest weight, in shares of variance that semantics predict in the reference.
_MOST_PER_EXPLAINED = 4.0
# With so many shared genes or fewer the largest weight is taken.
_FEW_GENES = 8
_FOLDS = 5
_SPOTS = 1_000
# Below, semantics alone name nothing.
LEAST_EXPLAINED = 0.02


def sample_profiles(profiles: Profiles, seed: int) -> NDArray[np.float32]:
    """Return averaged profiles of some spots, drawn at random."""
    random = np.random.default_rng((seed, 1))
    spots = np.sort(random.permutation(profiles.n_spots)[:_SPOTS])
    ones = np.ones(len(spots))
    chosen = sparse.csr_matrix(
        (ones, (np.arange(len(spots)), spots)), shape=(len(spots), profiles.n_spots)
    )
    return profiles.group_means(chosen)


def semantic_weight(
    prediction: PredictedSignature, sample: NDArray[np.float32], seed: int
) -> float:
    """Return the weight of what is said of a gene by its like.

    Parameters
    ----------
    prediction
        What a reference expects of the target's genes.
    sample
        Averaged profiles of some spots of the target, ``(n_sampled, n_genes)``.
    """
    most = _MOST_PER_EXPLAINED * prediction.explained
    shared = np.flatnonzero(prediction.shared)
    if not len(shared):
        return 1.0
    if len(shared) <= _FEW_GENES:
        return min(most, float(_WEIGHTS[-1]))
    asked = _WEIGHTS[most >= _WEIGHTS]
    np.random.default_rng((seed, 7)).shuffle(shared)
    unshared = np.flatnonzero(~prediction.shared)
    like = prediction.like[:, unshared]
    far = sample[:, unshared] @ like.T, (like**2).sum(axis=1)
    told = np.zeros((2, len(asked)))
    for fold in range(_FOLDS):
        held = shared[fold::_FOLDS]
        told += _held_out(prediction, sample, shared, held, far, asked)
    gain, size = told
    # What the best multiple of the expected values takes off the sum of squares.
    explained = np.maximum(gain, 0) ** 2 / np.maximum(size, 1e-12)
    return float(asked[explained.argmax()])


def _held_out(
    prediction: PredictedSignature,
    sample: NDArray[np.float32],
    shared: NDArray[np.int64],
    held: NDArray[np.int64],
    far: tuple[NDArray[np.float64], NDArray[np.float64]],
    asked: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return products of held-out genes with what names expect, and its squares.

    ``far`` are the scores by genes that are not shared, and the squared lengths of
    their weights.
    """
    others = np.setdiff1d(shared, held)
    expected = prediction.own[:, held]
    expected = expected - expected.mean(axis=0)
    seen = sample[:, held] @ expected.T
    square = (expected**2).sum(axis=1)
    own, like = prediction.own[:, others], prediction.like[:, others]
    by_far, far_square = far
    by_own = sample[:, others] @ own.T
    by_like = sample[:, others] @ like.T + by_far
    told = np.zeros((2, len(asked)))
    spot = np.arange(len(sample))
    for place, weight in enumerate(asked):
        length = ((own + weight * like) ** 2).sum(axis=1) + weight**2 * far_square
        score = (by_own + weight * by_like) / np.sqrt(np.maximum(length, 1e-12))
        name = score.argmax(axis=1)
        told[:, place] = seen[spot, name].sum(), square[name].sum()
    return told
