"""What a section's foremost axes tell of its spots: less noise, and no axis outvotes.

Averaged profiles of a section differ along few axes more than by noise, and what they
say along all others adds noise to every name. Along the foremost axes in turn spots of
one name differ among themselves too, and most along the very first. As in a linear
discriminant with such a covariance, axes count less where sections differ much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Both chosen on some pairs of sections and confirmed on others: docs/benchmarks.md.
N_AXES = 12
# How much a name's spots vary of a section's variance along an axis: where that is as
# much as twice the first axis has, the axis counts half.
_AS_MUCH = 2.0


@dataclass(frozen=True)
class ForemostAxes:
    """Axes of a section's genes, and where its spots stand along them.

    Parameters
    ----------
    axes
        Orthonormal, ``(n_axes, n_genes)``.
    counts
        What each counts, 0 to 1, ``(n_axes,)``.
    along
        Averaged profile of each spot along each axis, ``(n_spots, n_axes)``.
    """

    axes: NDArray[np.float64]
    counts: NDArray[np.float64]
    along: NDArray[np.float32]

    def sums(self, weights: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return sums over each spot's profile with given weights of genes.

        Parameters
        ----------
        weights
            Shape ``(n_genes, width)``.

        Returns
        -------
        numpy.ndarray
            Shape ``(n_spots, width)``.
        """
        of_axes = self.counts[:, None] * (self.axes @ weights)
        return np.asarray(self.along @ of_axes.astype(np.float32), np.float32)

    def lengths(self) -> NDArray[np.float32]:
        """Return how long each spot's profile is, ``(n_spots,)``."""
        of_axes = self.along * self.counts.astype(np.float32)
        return np.asarray(np.linalg.norm(of_axes, axis=1), np.float32)

    def profiles(self, means: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return what the axes tell of profiles, ``(n_profiles, n_genes)``."""
        told = (means @ self.axes.T * self.counts) @ self.axes
        return np.asarray(told, np.float32)


def foremost_axes(
    sample: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the axes along which profiles differ most, and what each counts.

    Parameters
    ----------
    sample
        Averaged profiles of some spots, ``(n_sampled, n_genes)``.

    Returns
    -------
    axes, counts
        Fewer than `N_AXES` where profiles differ along fewer.
    """
    centred = sample.astype(np.float64)
    centred -= centred.mean(axis=0)
    # Of the smaller of the two products: genes by genes, or spots by spots.
    by_genes = centred.shape[1] <= len(centred)
    product = centred.T @ centred if by_genes else centred @ centred.T
    spread, found = np.linalg.eigh(product)
    spread, found = spread[::-1][:N_AXES], found[:, ::-1][:, :N_AXES]
    kept = spread > 1e-9 * max(float(spread[0]), 1e-12)
    spread, found = spread[kept], found[:, kept]
    axes = found.T if by_genes else (found / np.sqrt(spread)).T @ centred
    return axes, 1 / (1 + spread / (_AS_MUCH * spread.max(initial=1e-12)))
