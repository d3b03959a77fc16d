"""Matrices and graphs that hosts read, made the same way for all of them."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.threads import keep_limits
from napari_semst.methods.hosts.base import HostInputs
from napari_semst.prepare.components import log1p_transform
from napari_semst.prepare.graphs import (
    EXACT_FEATURE_SPOTS,
    feature_graph,
    normalised_adjacency,
)
from napari_semst.prepare.normalise import scale_by_deviation, scale_depth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.config import Config
    from napari_semst.prepare.section import Section

# Spots that lie together in a sample: few borders, and many places in one step.
TILE_SPOTS = 256
# Expression is made dense where neighbours by it are sought, up to this size.
_DENSE_BYTES = 2**28
# What ends a search for neighbours; a host's own file does not pass it on.
_CHECK: ContextVar[Callable[[], None]] = ContextVar("check", default=lambda: None)


@contextmanager
def ended_by(check: Callable[[], None]) -> Iterator[None]:
    """Inside the block let searches for neighbours end where a check raises.

    Parameters
    ----------
    check
        Called between pieces of a search.
    """
    before = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(before)


def log_expression(section: Section) -> sparse.csr_matrix:
    """Return ``log(1 + x)`` of counts scaled to one depth, sparse.

    The depth of a spot is that of the chosen genes.
    """
    depth = scale_depth(section.counts_in_memory, section.config.target_sum)
    return log1p_transform(depth)


def scaled_log_expression(section: Section) -> sparse.csr_matrix:
    """Return `log_expression` over each gene's deviation, not centred, clipped."""
    return scale_by_deviation(log_expression(section), section.config.clip)


def leading_scores(
    matrix: sparse.csr_matrix, width: int, seed: int
) -> NDArray[np.float32]:
    """Return each spot's place on the leading axes, not centred.

    An autoencoder whose first and last layer are linear and tied loses by it only what
    no axis holds: the squared error of the rest is constant.

    Parameters
    ----------
    width
        Axes wanted; fewer where the matrix is smaller.
    """
    from sklearn.decomposition import TruncatedSVD

    keep_limits()
    width = min(width, min(matrix.shape) - 1)
    axes = TruncatedSVD(width, algorithm="arpack", random_state=seed)
    return np.asarray(axes.fit_transform(matrix), dtype=np.float32)


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


def two_graphs(section: Section, config: Config) -> HostInputs:
    """Return scaled counts, which are reconstructed, with both kinds of neighbours."""
    expression = section.scaled_expression()
    feature, note = section.sections.inside(
        lambda spots: _alike(expression[spots], config)
    )
    graphs = {"spatial": section.spatial, "feature": feature}
    return HostInputs(expression, graphs, expression, notes={"feature_graph": note})


def with_feature_graph(inputs: HostInputs, config: Config) -> HostInputs:
    """Return a sample whose neighbours by expression are found among its own spots.

    Of a section's nearest spots hardly any is in a sample of it.
    """
    feature, _ = _alike(inputs.features, config)
    return replace(inputs, graphs={**inputs.graphs, "feature": feature})


def _alike(
    values: sparse.csr_matrix | NDArray[np.float32], config: Config
) -> tuple[sparse.csr_matrix, str]:
    """Return the neighbours by expression of some spots, and how they were found."""
    # Dense products take a tenth of sparse ones' time.
    few = values.shape[0] <= EXACT_FEATURE_SPOTS
    if few and 4 * values.shape[0] * values.shape[1] <= _DENSE_BYTES:
        values = values if isinstance(values, np.ndarray) else values.toarray()
    k, seed = config.prepare.feature_neighbours, config.training.seed
    return feature_graph(values, k, seed, _CHECK.get())


def two_operators(inputs: HostInputs, device: torch.device) -> dict[str, Any]:
    """Return both normalised graphs, and the pairs of the spatial loss."""
    from napari_semst.nn.losses import SpatialPairs
    from napari_semst.nn.sparse import SparseOperator

    return {
        "spatial": SparseOperator(
            normalised_adjacency(inputs.graphs["spatial"]), device
        ),
        "feature": SparseOperator(
            normalised_adjacency(inputs.graphs["feature"]), device
        ),
        "pairs": SpatialPairs.of_graph(inputs.graphs["spatial"], device),
    }
