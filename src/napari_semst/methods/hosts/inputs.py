"""Matrices and graphs that hosts read, made the same way for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.prepare.components import log1p_transform
from napari_semst.prepare.normalise import scale_by_deviation, scale_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.prepare.section import Section

# Spots that lie together in a sample: few borders, and many places in one step.
TILE_SPOTS = 256


def log_expression(section: Section) -> sparse.csr_matrix:
    """Return ``log(1 + x)`` of counts scaled to one depth, sparse.

    The depth of a spot is that of the chosen genes.
    """
    depth = scale_depth(section.counts, section.config.target_sum)
    return log1p_transform(depth)


def scaled_log_expression(section: Section) -> sparse.csr_matrix:
    """Return `log_expression` over each gene's deviation, not centred, clipped."""
    return scale_by_deviation(log_expression(section), section.config.clip)


def spatial_tiles(
    coordinates: NDArray[np.floating[Any]], n_spots: int = TILE_SPOTS
) -> list[NDArray[np.int64]]:
    """Return spots in tiles of neighbours, halved along the longer side until small.

    Parameters
    ----------
    coordinates
        Shape ``(n_all, 2)``.
    n_spots
        Of a tile at most.
    """
    tiles: list[NDArray[np.int64]] = []
    open_ones = [np.arange(len(coordinates))]
    while open_ones:
        spots = open_ones.pop()
        if len(spots) <= n_spots:
            tiles.append(np.sort(spots))
            continue
        own = coordinates[spots]
        axis = int(np.ptp(own, axis=0).argmax())
        order = np.argsort(own[:, axis], kind="stable")
        half = len(spots) // 2
        open_ones += [spots[order[half:]], spots[order[:half]]]
    return tiles
