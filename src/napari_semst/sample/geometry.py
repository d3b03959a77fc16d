"""The shape of the simulated section: a gyrus, six layers, white matter.

Everything lives in a unit square as wide as the tissue, y downwards. The shape is
drawn once on a grid; depth and distances are Euclidean distance transforms of that
drawing, so that asking for a million points costs a million interpolations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.cortex_model import HARD_CORTEX
from napari_semst.sample.section import _GRID, MARGIN, SimulatedSection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.cortex_model import CortexModel
    from napari_semst.sample.section import Floats


LAYERS = ("L1", "L2", "L3", "L4", "L5", "L6", "WM")
# Relative depth, from the pia (0) to the white matter (1), at which a layer ends;
# near what is measured in human dorsolateral prefrontal cortex.
LAYER_ENDS = np.array([0.10, 0.185, 0.45, 0.545, 0.75, 1.0], dtype=np.float32)


def layer_codes(depth: Floats) -> NDArray[np.intp]:
    """Return the place in `LAYERS`, ``(n,)``, of each depth."""
    return np.searchsorted(LAYER_ENDS, depth).astype(np.intp)


def draw_section(
    rng: np.random.Generator, model: CortexModel = HARD_CORTEX
) -> SimulatedSection:
    """Draw a section; its outline and boundaries vary a little with the generator."""
    from scipy.ndimage import gaussian_filter

    pia = _smooth_curve(model.pia + rng.normal(0, 0.006, model.pia.shape))
    white = _smooth_curve(model.white + rng.normal(0, 0.010, model.white.shape))
    below_white = _filled(np.vstack([white, [(1.1, 1.2), (-0.2, 1.2)]]))
    to_pia = _distance_to_line(pia)
    to_white = _distance_to_line(white)
    # The far bank of the sulcus belongs to a gyrus whose white matter is not in view.
    depth = to_pia / np.minimum(to_pia + to_white + 1e-6, model.thickest)
    depth = np.minimum(depth, 0.995)
    depth = np.where(below_white, 1 + to_white / 0.42, depth)
    # Boundaries between layers undulate; the pia itself does not.
    wide, narrow = model.wander
    wander = wide * _smooth_noise(rng, 60) + narrow * _smooth_noise(rng, 22)
    depth = depth + wander * np.clip(depth / 0.15, 0, 1)
    depth = _with_layer_ends(depth, model.layer_ends)
    tissue = _filled(_outline(pia, rng))
    edge = _signed_distance(tissue)
    rough = sum(
        height * _smooth_noise(rng, cells)
        for height, cells in ((0.0028, 50), (0.0011, 13), (0.0006, 2.5))
    )
    edge = np.minimum(edge + rough, _outside_tears(rng, model) + rough)
    radial_y, radial_x = np.gradient(gaussian_filter(depth, 12))
    length = np.hypot(radial_x, radial_y) + 1e-9
    return SimulatedSection(
        depth=gaussian_filter(depth, 1.2).astype(np.float32),
        edge=gaussian_filter(edge, 0.7).astype(np.float32),
        radial_x=(radial_x / length).astype(np.float32),
        radial_y=(radial_y / length).astype(np.float32),
        model=model,
    )


def _with_layer_ends(
    depth: NDArray[np.float64], ends: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return depths at which layers that end elsewhere end where `LAYER_ENDS` says."""
    if not ends:
        return depth
    within = np.interp(depth, (0.0, *ends), np.concatenate([[0.0], LAYER_ENDS]))
    return np.where(depth < 1, within, depth)


def _smooth_curve(corners: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a dense smooth curve, ``(1200, 2)``, through the corners."""
    from scipy.interpolate import PchipInterpolator, make_interp_spline

    steps = np.hypot(*np.diff(corners, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    fine = np.linspace(0, along[-1], 1200)
    smooth = make_interp_spline(along, corners, k=3)(fine)
    # Half of each: the cubic alone overshoots at the fundus of the sulcus.
    curve: NDArray[np.float64] = 0.5 * (
        smooth + PchipInterpolator(along, corners)(fine)
    )
    return curve


def _outline(pia: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the tissue's outline: the pia, then three cut edges that wander."""
    inside = pia[(pia[:, 0] > 0.012) & (pia[:, 0] < 0.985)]
    steps = np.linspace(0, 1, 260)
    waves = np.stack([_wave(rng, steps) for _ in range(3)])
    bow = 4 * steps * (1 - steps)
    right = np.column_stack(
        [0.985 + 0.012 * waves[0], np.linspace(inside[-1, 1] + 0.02, 0.925, 260)]
    )
    bottom = np.column_stack(
        [np.linspace(0.955, 0.07, 260), 0.962 + 0.02 * bow + 0.010 * waves[1]]
    )
    left = np.column_stack(
        [0.014 + 0.010 * waves[2], np.linspace(0.925, inside[0, 1] + 0.02, 260)]
    )
    return np.vstack([inside, right, bottom, left])


def _wave(rng: np.random.Generator, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a smooth random wave of about unit height over the steps."""
    rates = np.array([1.0, 2.3, 4.1, 7.7])
    heights = rng.normal(0, 1, 4) / rates**0.8
    turns = 2 * np.pi * (np.outer(steps, rates) + rng.random(4))
    wave: NDArray[np.float64] = np.cos(turns) @ heights
    return wave / 1.5


def _to_grid(points: NDArray[np.floating]) -> list[tuple[float, float]]:
    places = (points + MARGIN) * (_GRID / (1 + 2 * MARGIN)) - 0.5
    return [(float(x), float(y)) for x, y in places]


def _filled(polygon: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the grid cells within a polygon."""
    from PIL import Image, ImageDraw

    picture = Image.new("L", (_GRID, _GRID))
    ImageDraw.Draw(picture).polygon(_to_grid(polygon), fill=1)
    return np.asarray(picture) > 0


def _distance_to_line(curve: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the distance, in tissue widths, of every grid cell to a curve."""
    from PIL import Image, ImageDraw
    from scipy.ndimage import distance_transform_edt

    picture = Image.new("L", (_GRID, _GRID), 1)
    ImageDraw.Draw(picture).line(_to_grid(curve), fill=0)
    cells: NDArray[np.float64] = distance_transform_edt(np.asarray(picture))
    return cells * (1 + 2 * MARGIN) / _GRID


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance to the mask's edge, positive inside."""
    from scipy.ndimage import distance_transform_edt

    cells: NDArray[np.float64] = distance_transform_edt(mask)
    cells = cells - distance_transform_edt(~mask)
    return cells * (1 + 2 * MARGIN) / _GRID


def _outside_tears(rng: np.random.Generator, model: CortexModel) -> NDArray[np.float64]:
    """Return the distance to the tears, negative within them."""
    axis = (np.arange(_GRID) + 0.5) * (1 + 2 * MARGIN) / _GRID - MARGIN
    x, y = np.meshgrid(axis, axis)
    bend = 0.006 * _smooth_noise(rng, 16)
    nearest = np.full((_GRID, _GRID), np.inf)
    for start, end, half_width in model.tears:
        (x0, y0), (x1, y1) = start, end
        length = np.hypot(x1 - x0, y1 - y0)
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length**2
        across = ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length + bend
        beyond = length * np.maximum(np.maximum(-along, along - 1), 0)
        # Open in the middle, or wherever the tear meets the cut edge.
        shape = np.sqrt(np.clip(1 - np.clip(along, 0, 1), 0, 1))
        if half_width < 0.005:
            shape = shape * np.sqrt(np.clip(along, 0, 1)) * 2
        gap = np.hypot(across, beyond) - half_width * shape
        nearest = np.minimum(nearest, gap)
    return nearest


def _smooth_noise(rng: np.random.Generator, cells: float) -> Floats:
    """Return noise of unit variance on the grid that varies over some cells."""
    from napari_semst.sample.texture import smooth_noise

    return smooth_noise(rng, _GRID, cells)
