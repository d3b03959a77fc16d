"""Nuclei of the simulated image: how large, how long and how dark at which depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.section import MARGIN
from napari_semst.sample.texture import splat_ellipses

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.section import SimulatedSection

    Floats = NDArray[np.float32]


def draw_nuclei(
    section: SimulatedSection,
    places: NDArray[np.float64],
    micron: float,
    size: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """Draw a nucleus, and for neurons its cell body, at every place.

    Parameters
    ----------
    places
        ``(n, 2)`` places in the unit square.
    micron
        Pixels per micron.
    size
        Side of the square picture in pixels.

    Returns
    -------
    blue, pink, pale
        ``(size, size)``: haematoxylin, eosin, and the share of the neuropil that the
        cells and the clear rings around them push away.
    """
    depth = section.at("depth", places)
    table = section.model.neurons
    count = len(depth)
    neuron = rng.random(count) < np.interp(depth, table[:, 0], table[:, 1])
    radius = np.where(neuron, np.interp(depth, table[:, 0], table[:, 2]), 3.0)
    radius = radius * rng.lognormal(0, 0.16, count) * micron
    # A nucleus narrower than half a pixel is drawn as wide as that, and paler.
    drawn = np.maximum(radius, 0.62)
    fading = np.minimum((radius / drawn) ** 2, 1.0)
    stretch = np.where(neuron, rng.uniform(1.0, 1.35, count), 1.1)
    rods = ~neuron & (rng.random(count) < np.where(depth > 1.0, 0.55, 0.25))
    stretch = np.where(rods, rng.uniform(1.5, 2.6, count), stretch)
    angle = np.arctan2(section.at("radial_y", places), section.at("radial_x", places))
    along_layers = ~neuron & ((depth > 0.98) | (depth < 0.1))
    angle = angle + np.where(along_layers, np.pi / 2, 0) + rng.normal(0, 0.35, count)
    dark = np.where(
        neuron, rng.uniform(0.40, 0.80, count), rng.uniform(0.8, 1.25, count)
    )
    centres = ((places + MARGIN) * (size / (1 + 2 * MARGIN)) - 0.5).astype(np.float32)

    def splat(scale: float, weight: NDArray[np.floating], chosen: Floats) -> Floats:
        kept = chosen.astype(bool)
        root = np.sqrt(stretch)
        parts = (drawn * root * scale, drawn / root * scale, angle, weight * fading)
        long, short, turned, height = (p[kept].astype(np.float32) for p in parts)
        return splat_ellipses(size, centres[kept], long, short, turned, height, 0.55)

    everyone = np.ones(count, dtype=np.float32)
    bodies = splat(1.75, 0.16 * everyone, neuron.astype(np.float32))
    blue = splat(1.0, dark, everyone) + bodies
    # Freezing leaves a clear ring around many cells.
    ringed = (rng.random(count) < 0.45).astype(np.float32)
    pale = np.clip(splat(2.1, 0.38 * everyone, ringed), 0, 0.6)
    return np.minimum(blue, 1.7), 0.55 * bodies, pale
