"""The hard section's planted region: layer 5's expression in layer 3's histology.

Another layer's programme rather than a foreign one, so that neither the expression
nor the image is unusual on its own: only the two together are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.expression import smooth_fields
from napari_semst.sample.geometry import LAYER_ENDS
from napari_semst.sample.section import MARGIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.section import SimulatedSection

    Floats = NDArray[np.float32]

EXPRESSED_LAYER = "L5"
_SHARE, _LEAST_SPOTS = 0.035, 3
# Depth in the middle of layer 3, and of layer 5.
_HOME, _EXPRESSED = 0.32, 0.65
# The region spans more of layer 3 than layer 5 is thick: depths are drawn together.
_SQUEEZE = 0.4
# How much of the mixture is layer 5's. Much more, and seven domains of the section
# are no longer its layers; less, and the region is lost in its surroundings.
_STRENGTH = 0.6
# Tissue widths that a unit of depth adds: the region is longer along the layer.
_FLATNESS = 0.75
_IRREGULARITY = 0.28
# The crown of the gyrus: away from the cut edge and from the sulcus.
_CENTRE_X, _CENTRE_Y = (0.20, 0.55), 0.50


def discordant_region(
    section: SimulatedSection, points: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which spots, ``(n,)``, lie in the planted region.

    Parameters
    ----------
    points
        ``(n, 2)`` spots in the unit square.
    rng
        Source of the region's place and outline, which no spot has a say in.

    Returns
    -------
    numpy.ndarray
        True for 3.5 % of the spots, never fewer than three: the nearest to a centre in
        layer 3, by a distance that is shorter along the layer and uneven about it.
        All lie in layers 2 to 4, so that none is beside the white matter.
    """
    centre = _centre(section, rng)
    depth = section.at("depth", points)
    distance = np.hypot(
        np.hypot(*(points - centre).T), _FLATNESS * (depth - np.float32(_HOME))
    )
    distance *= np.exp(_IRREGULARITY * smooth_fields(points, rng, 1)[:, 0])
    distance[(depth <= LAYER_ENDS[0]) | (depth > LAYER_ENDS[3])] = np.inf
    count = max(_LEAST_SPOTS, round(_SHARE * len(points)))
    region: NDArray[np.bool_] = np.zeros(len(points), dtype=bool)
    region[np.argsort(distance, kind="stable")[:count]] = True
    region &= np.isfinite(distance)
    return region


def discordant_shares(
    depth: Floats,
    strength: float = _STRENGTH,
    home: float = _HOME,
    expressed: float = _EXPRESSED,
) -> Floats:
    """Return the cell-type shares, ``(n, n_types)``, of the region's spots by depth.

    Parameters
    ----------
    depth
        ``(n,)`` relative depths.
    strength
        Share of the mixture that is the other layer's.
    home, expressed
        Depths in the middle of the region, and of the layer that it expresses.
    """
    from napari_semst.sample.composition import cell_shares

    there = np.float32(expressed) + np.float32(_SQUEEZE) * (depth - np.float32(home))
    foreign = cell_shares(there.astype(np.float32))
    return np.float32(1 - strength) * cell_shares(depth) + strength * foreign


def _centre(section: SimulatedSection, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a point, ``(2,)``, in the middle of layer 3 at the crown of the gyrus."""
    rows, columns = np.nonzero(np.abs(section.depth - _HOME) < 0.01)
    grid = len(section.depth)
    points = (np.column_stack([columns, rows]) + 0.5) * ((1 + 2 * MARGIN) / grid)
    points -= MARGIN
    low, high = _CENTRE_X
    crown = (points[:, 0] > low) & (points[:, 0] < high) & (points[:, 1] < _CENTRE_Y)
    candidates = points[crown & (section.edge[rows, columns] > 0.02)]
    centre: NDArray[np.float64] = candidates[rng.integers(len(candidates))]
    return centre
