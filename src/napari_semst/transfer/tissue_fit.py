"""Whether a reference speaks of a tissue at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.transfer.balance import sample_profiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.transfer.estimator import TransferScores

_ENOUGH_SHARED = 20
# Below, sections are of another tissue: measured in docs/benchmarks.md.
LEAST_FIT = 0.05


def tissue_fit(scores: TransferScores, seed: int) -> float:
    """Return how much of what could be explained of the spots the references explain.

    Where sections share genes enough, these alone are asked. Averaged profiles of
    spots are projected on the space that the expected signatures span, and on the
    space of as many dimensions that takes most of them. The squared lengths of the
    first are a share of the second: 1 where the section differs inside as the
    references do, near 0 where in another way.
    """
    weights = _of_shared(scores)
    told = np.abs(weights).sum(axis=0) > 0
    if told.sum() < _ENOUGH_SHARED:
        weights = scores.expected
        told = scores.target.known | told
    sample = sample_profiles(scores.profiles.whole, seed)[:, told].astype(np.float64)
    sample -= sample.mean(axis=0)
    # Spots with more of every gene say how deep they were read.
    sample -= sample.mean(axis=1, keepdims=True)
    axes = _span(weights[:, told])
    within = float(((sample @ axes.T) ** 2).sum())
    # Of the smaller of the two products: spots by spots, or genes by genes.
    narrow = sample if sample.shape[1] <= len(sample) else sample.T
    largest = np.linalg.eigvalsh(narrow.T @ narrow)[::-1][: len(axes)]
    return within / max(float(largest.sum()), 1e-12)


def _of_shared(scores: TransferScores) -> NDArray[np.float64]:
    """Return what the references show of their own genes, ``(n_labels, n_genes)``."""
    shared = np.zeros_like(scores.weights)
    for part in scores.references:
        shared[part.columns] += part.prediction.own
    return shared


def _span(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of rows less their mean over labels."""
    apart = weights - weights.mean(axis=0)
    apart -= apart.mean(axis=1, keepdims=True)
    _, size, axes = np.linalg.svd(apart, full_matrices=False)
    return np.asarray(axes[size > 1e-6 * max(float(size[0]), 1e-12)], np.float64)
