"""Places for planted regions: apart from each other and away from every edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import ConfigError
from napari_semst.sample.expression import smooth_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.sample.geometry import Section

    Floats = NDArray[np.float32]

_LEAST_SPOTS = 3
# In mean distances between spots: to the tissue's edge, and between regions.
_FROM_EDGE, _APART = 1.6, 3.5
_TRIES = 24
# A region may be this much wider than the most compact one that was tried.
_WIDER = 1.15
# Neighbours within this many mean distances make one piece.
_REACH = 2.2
# As for the one region of the simulated cortex: longer along the layer, and uneven.
_FLATNESS, _IRREGULARITY = 0.75, 0.22


@dataclass(frozen=True)
class Home:
    """Where in the cortex a region may lie: relative depths.

    Parameters
    ----------
    middle
        Depth of its centre.
    low, high
        Between which all its spots lie.
    """

    middle: float
    low: float
    high: float


def place_regions(
    section: Section,
    points: NDArray[np.float64],
    homes: Sequence[Home],
    share: float,
    seed: tuple[int, ...],
) -> NDArray[np.int64]:
    """Return the region, ``(n,)``, that every spot lies in; -1 where none.

    Parameters
    ----------
    section
        The section.
    points
        ``(n, 2)`` spots in the unit square.
    homes
        Where each region lies. Earlier ones choose first.
    share
        Share of the spots in each region; never fewer than three spots.
    seed
        Seed of places and outlines.

    Raises
    ------
    ConfigError
        If the section has no room for all of them.
    """
    from scipy.spatial import cKDTree

    pitch = float(np.sqrt(section.area / len(points)))
    depth = section.at("depth", points)
    inner = section.at("edge", points) > _FROM_EDGE * pitch
    count = max(_LEAST_SPOTS, round(share * len(points)))
    regions = np.full(len(points), -1, dtype=np.int64)
    for number, home in enumerate(homes):
        rng = np.random.default_rng((*seed, number))
        free = inner & (depth > home.low) & (depth <= home.high)
        if (regions >= 0).any():
            taken = cKDTree(points[regions >= 0])
            free &= taken.query(points)[0] > _APART * pitch
        chosen = _region(points, depth - np.float32(home.middle), free, count, rng)
        if chosen is None:
            raise ConfigError(
                f"Expected room for {len(homes)} planted region(s) of {count} spots; "
                f"found none for number {number + 1}. Plant fewer kinds, one strength "
                "only, or make more spots."
            )
        regions[chosen] = number
    return regions


def _region(
    points: NDArray[np.float64],
    off_middle: Floats,
    free: NDArray[np.bool_],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64] | None:
    """Return spots ``(count,)`` of one compact piece, or None where none fits."""
    uneven = np.exp(_IRREGULARITY * smooth_fields(points, rng, 1)[:, 0])
    spots = np.flatnonzero(free)
    if len(spots) < count:
        return None
    here, off, uneven = points[spots], off_middle[spots], uneven[spots]
    # Centres are tried among the fifth of the spots that lie best in depth.
    centres = np.argsort(np.abs(off), kind="stable")[: max(len(spots) // 5, 1)]
    centres = rng.permutation(centres)[:_TRIES]
    found: list[tuple[float, NDArray[np.int64]]] = []
    for centre in centres:
        distance = np.hypot(np.hypot(*(here - here[centre]).T), _FLATNESS * off)
        nearest = np.argsort(distance * uneven, kind="stable")[:count]
        chosen = here[nearest]
        if _one_piece(chosen):
            found.append((float(chosen.std(axis=0).max()), spots[nearest]))
    if not found:
        return None
    least = min(width for width, _ in found)
    fitting = [region for width, region in found if width <= _WIDER * least]
    return fitting[0]


def _one_piece(points: NDArray[np.float64]) -> bool:
    """Return whether spots ``(n, 2)`` hang together."""
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    step = float(np.median(tree.query(points, k=2)[0][:, 1]))
    graph = tree.sparse_distance_matrix(tree, _REACH * step, output_type="coo_matrix")
    return int(connected_components(graph.tocsr(), directed=False)[0]) == 1
