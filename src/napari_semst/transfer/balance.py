"""How much genes that the reference lacks count beside those that both have.

They count in full, by what they are known to err. Where many genes are shared it can be
seen whether they do: shared genes are held out in turn, spots named by all others, and
that weight is taken whose names predict the held-out genes best, without labels of the
target. Few genes cannot choose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.transfer.kernel import PredictedSignature
    from napari_semst.transfer.profiles import Profiles

_WEIGHTS = np.array([0, 0.1, 0.25, 0.5, 1])
# With fewer shared genes none are held out.
_ENOUGH_GENES = 50
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
    """Return the weight of genes that the reference lacks, 0 to 1.

    Parameters
    ----------
    prediction
        What a reference expects of the target's genes.
    sample
        Averaged profiles of some spots of the target, ``(n_sampled, n_genes)``.
    """
    shared = np.flatnonzero(prediction.shared)
    if len(shared) < _ENOUGH_GENES:
        return 1.0
    np.random.default_rng((seed, 7)).shuffle(shared)
    like = prediction.like
    far = sample @ like.T, (like * prediction.foreseen).sum(axis=1)
    told = np.zeros((2, len(_WEIGHTS)))
    for fold in range(_FOLDS):
        told += _held_out(prediction.own, sample, shared, shared[fold::_FOLDS], far)
    gain, size = told
    # What the best multiple of the expected values takes off the sum of squares.
    explained = np.maximum(gain, 0) ** 2 / np.maximum(size, 1e-12)
    return float(_WEIGHTS[explained.argmax()])


def _held_out(
    own: NDArray[np.float64],
    sample: NDArray[np.float32],
    shared: NDArray[np.int64],
    held: NDArray[np.int64],
    far: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return products of held-out genes with what names expect, and its squares.

    ``far`` are the scores by genes that are not shared, and by how much they err.
    """
    others = np.setdiff1d(shared, held)
    expected = own[:, held] - own[:, held].mean(axis=0)
    seen = sample[:, held] @ expected.T
    square = (expected**2).sum(axis=1)
    by_far, far_spread = far
    by_own = sample[:, others] @ own[:, others].T
    own_spread = (own[:, others] ** 2).sum(axis=1)
    told = np.zeros((2, len(_WEIGHTS)))
    spot = np.arange(len(sample))
    for place, weight in enumerate(_WEIGHTS):
        spread = np.maximum(own_spread + weight**2 * far_spread, 1e-12)
        score = (by_own + weight * by_far) / np.sqrt(spread)
        name = score.argmax(axis=1)
        told[:, place] = seen[spot, name].sum(), square[name].sum()
    return told
