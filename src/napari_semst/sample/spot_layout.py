"""Where the spots or the cells of the simulated section are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.composition import cell_density

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.section import SimulatedSection

_SPOT_PITCH = 100.0


@dataclass(frozen=True)
class SpotLayout:
    """Where the spots are, and how large the tissue is.

    Parameters
    ----------
    points
        ``(n, 2)`` spots in the unit square.
    width
        Width of the tissue in microns.
    columns
        Row and column of every spot on the lattice, where there is one.
    """

    points: NDArray[np.float64]
    width: float
    columns: dict[str, NDArray[np.int64]]


def lattice_layout(
    section: SimulatedSection, n_spots: int, rng: np.random.Generator
) -> SpotLayout:
    """Return exactly the spots asked for, on a hexagonal lattice in the tissue."""
    row_step = np.sqrt(3) / 2
    offset = rng.random(2)
    width = np.sqrt(n_spots * row_step / section.area) * _SPOT_PITCH
    while True:
        pitch = _SPOT_PITCH / width
        n_rows = int(1 / (pitch * row_step)) + 2
        rows, halves = np.indices((n_rows, int(2 / pitch) + 2))
        kept = (rows + halves) % 2 == 0
        rows, halves = rows[kept], halves[kept]
        points = np.column_stack([halves * pitch / 2, rows * pitch * row_step])
        points += (offset - 0.5) * pitch
        # A spot counts as in tissue when most of it is.
        edge = section.at("edge", points)
        inside = np.flatnonzero(edge > 0.1 * pitch)
        if len(inside) >= n_spots:
            break
        width *= 1.004
    inside = np.sort(inside[np.argsort(-edge[inside], kind="stable")[:n_spots]])
    columns = {"array_row": rows[inside], "array_col": halves[inside]}
    return SpotLayout(points[inside], float(width), columns)


def scattered_layout(
    section: SimulatedSection, n_spots: int, rng: np.random.Generator
) -> SpotLayout:
    """Return exactly the cells asked for, denser in some layers, seldom touching."""
    tissue = section.edge > 0
    density = cell_density(section.depth[tissue], section.model)
    width = 1000 * np.sqrt(n_spots / (section.area * float(density.mean())))
    top = float(density.max())
    pitch = 1000 / np.sqrt(top * 1.08) / width
    side = int(1.02 / pitch) + 1
    while True:
        rows, columns = np.indices((side, side)).reshape(2, -1)
        points = np.column_stack([columns, rows]) * pitch
        points += rng.uniform(-0.42, 0.42, points.shape) * pitch
        here = cell_density(section.at("depth", points), section.model)
        keep = rng.random(len(points)) * top < here
        points = points[keep & (section.at("edge", points) > 0.2 * pitch)]
        if len(points) >= n_spots:
            break
        pitch, side = pitch * 0.99, int(1.02 / (pitch * 0.99)) + 1
    chosen = np.sort(rng.permutation(len(points))[:n_spots])
    return SpotLayout(points[chosen], float(width), {})
