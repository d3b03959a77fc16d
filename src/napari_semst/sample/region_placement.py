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

    from napari_semst.sample.section import SimulatedSection

    Floats = NDArray[np.float32]

_LEAST_SPOTS = 3
# To the tissue's edge: tissue widths, but one to two mean distances between spots.
_FROM_EDGE = 0.04
# Between regions: mean distances between spots at least, tissue widths where they fit.
_APART, _WELL_APART = 3.0, 0.12
_TRIES = 16
# A region may be this much wider than the most compact one that was tried.
_WIDER = 1.15
# Neighbours within this many mean distances make one piece.
_REACH = 2.0
_STRAGGLERS = 1 / 30
# As for the one region of the hard cortex: longer along the layer, and uneven.
_FLATNESS, _IRREGULARITY = 0.75, 0.22


@dataclass(frozen=True)
class DepthRange:
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
    section: SimulatedSection,
    points: NDArray[np.float64],
    homes: Sequence[DepthRange],
    share: float,
    seed: tuple[int, ...],
) -> NDArray[np.int64]:
    """Return the region, ``(n,)``, that every spot lies in; -1 where none.

    Parameters
    ----------
    points
        ``(n, 2)`` spots in the unit square.
    homes
        Where each region lies. Earlier ones choose first.
    share
        Share of the spots in each region; never fewer than three spots.

    Raises
    ------
    ConfigError
        If the section has no room for all of them.
    """
    from scipy.spatial import cKDTree

    pitch = float(np.sqrt(section.area / len(points)))
    depth = section.at("depth", points)
    inner = section.at("edge", points) > np.clip(_FROM_EDGE, pitch, 2 * pitch)
    count = max(_LEAST_SPOTS, round(share * len(points)))
    regions = np.full(len(points), -1, dtype=np.int64)
    for number, home in enumerate(homes):
        rng = np.random.default_rng((*seed, number))
        free = inner & (depth > home.low) & (depth <= home.high)
        away = np.full(len(points), np.inf)
        if (regions >= 0).any():
            away = cKDTree(points[regions >= 0]).query(points)[0]
            free &= away > _APART * pitch
        spots = np.flatnonzero(free)
        off_middle = depth[spots] - np.float32(home.middle)
        candidates = _pieces(points[spots], off_middle, count, _REACH * pitch, rng)
        chosen = _apart(candidates, away[spots])
        if chosen is None:
            raise ConfigError(
                f"Expected room for {len(homes)} planted region(s) of {count} spots; "
                f"found none for number {number + 1}. Plant fewer kinds, one strength "
                "only, or make more spots."
            )
        regions[spots[chosen]] = number
    return regions


def _pieces(
    points: NDArray[np.float64],
    off_middle: Floats,
    count: int,
    reach: float,
    rng: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """Return regions, ``(count,)`` of the spots each, that are compact and whole."""
    uneven = np.exp(_IRREGULARITY * smooth_fields(points, rng, 1)[:, 0])
    if len(points) < count:
        return []
    # Centres are tried among the fifth of the spots that lie best in depth.
    centres = np.argsort(np.abs(off_middle), kind="stable")
    centres = rng.permutation(centres[: max(len(points) // 5, 1)])[:_TRIES]
    found: list[tuple[float, NDArray[np.int64]]] = []
    for centre in centres:
        along = np.hypot(*(points - points[centre]).T)
        distance = np.hypot(along, _FLATNESS * off_middle) * uneven
        nearest = np.argsort(distance, kind="stable")[:count]
        if _one_piece(points[nearest], reach):
            found.append((float(points[nearest].std(axis=0).max()), nearest))
    least = min((width for width, _ in found), default=0.0)
    return [region for width, region in found if width <= _WIDER * least]


def _apart(
    regions: Sequence[NDArray[np.int64]], away: NDArray[np.float64]
) -> NDArray[np.int64] | None:
    """Return the first region well apart from those taken, or else the farthest."""
    room = [float(away[region].min()) for region in regions]
    well = [r for r, space in zip(regions, room, strict=True) if space > _WELL_APART]
    if well or not regions:
        return well[0] if well else None
    return regions[int(np.argmax(room))]


def _one_piece(points: NDArray[np.float64], reach: float) -> bool:
    """Return whether spots ``(n, 2)`` hang together, but for a straggler in thirty."""
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(points).sparse_distance_matrix(
        cKDTree(points), reach, output_type="coo_matrix"
    )
    _, piece = connected_components(pairs.tocsr(), directed=False)
    return bool(np.bincount(piece).max() >= len(points) * (1 - _STRAGGLERS))
