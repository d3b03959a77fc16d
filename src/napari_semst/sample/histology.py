"""An image in the colours of haematoxylin and eosin, drawn from nothing.

Stains absorb: the picture is built as two amounts of dye per pixel and turned into
light by the law of Beer and Lambert at the end. Nuclei carry haematoxylin, the felt
of fibres between them eosin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.sample.composition import cell_density
from napari_semst.sample.image_patch import draw_image_patch
from napari_semst.sample.nuclei import draw_nuclei
from napari_semst.sample.section import MARGIN
from napari_semst.sample.texture import smooth_noise, splat_ellipses, strands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.sample.image_patch import ImagePatch
    from napari_semst.sample.section import SimulatedSection

    Floats = NDArray[np.float32]

# Optical density of one unit of dye in red, green and blue.
_HAEMATOXYLIN = np.array([0.66, 0.74, 0.33], dtype=np.float32)
_EOSIN = np.array([0.13, 0.62, 0.28], dtype=np.float32)
_GLASS = np.array([243.0, 242.0, 245.0], dtype=np.float32)
# Beyond this many nuclei they would be smaller than a pixel and cost time only.
_MOST_NUCLEI = 90_000


def draw_histology(
    section: SimulatedSection,
    width: float,
    size: int,
    seed: int,
    cells: NDArray[np.float64] | None = None,
    patches: Sequence[ImagePatch] = (),
) -> NDArray[np.uint8]:
    """Return a picture of a section, ``(size, size, 3)``, as a slide scanner shows it.

    Parameters
    ----------
    width
        Its width in microns.
    size
        Side of the square picture in pixels.
    cells
        ``(n, 2)`` cells in the unit square whose nuclei are drawn; by default they
        are scattered at the density of each layer.
    patches
        Where another layer is drawn; the picture beside them stays the same.
    """
    rng = np.random.default_rng((seed, 4))
    depth, edge = section.raster("depth", size), section.raster("edge", size)
    micron = size / (width * (1 + 2 * MARGIN))
    tissue = 1 / (1 + np.exp(np.clip(-edge * (size / 1.1), -30, 30)))
    places = _scatter(section, width, rng) if cells is None else cells
    if len(places) > _MOST_NUCLEI:
        places = places[rng.permutation(len(places))[:_MOST_NUCLEI]]
    nuclei = draw_nuclei(section, places, micron, size, rng)
    for patch in patches:
        nuclei, depth = draw_image_patch(patch, section, places, nuclei, depth, micron)
    blue, pink, pale = nuclei
    eosin = _neuropil(section, depth, edge, size, rng)
    eosin = eosin * (1 - pale) + pink
    bluish = 0.065 + 0.03 * smooth_noise(rng, size, 1.4)
    bluish = np.clip(bluish + 0.055 * _between(depth, 0.12, 0.55), 0, None)
    haematoxylin = bluish * (1 - pale) + blue
    holes, walls, red = _vessels(section, width, micron, size, rng)
    eosin = eosin + 0.35 * walls + 1.1 * red
    haematoxylin = haematoxylin + 0.10 * walls
    tissue = tissue * (1 - holes)
    stain = 1 + 0.06 * smooth_noise(rng, size, size / 3)
    light = _light(haematoxylin * tissue * stain, eosin * tissue * stain)
    return _on_glass(light, tissue, rng)


def shrink(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return a square picture reduced to a side of ``size`` pixels."""
    from PIL import Image

    small = Image.fromarray(picture).resize((size, size), Image.Resampling.BOX)
    return np.asarray(small)


def _scatter(
    section: SimulatedSection, width: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return nuclei in the unit square at the density of each layer."""
    top = section.model.most_nuclei
    count = min(top * (width / 1000) ** 2, 3.0 * _MOST_NUCLEI)
    side = int(np.sqrt(count)) + 1
    grid = np.indices((side, side)).reshape(2, -1).T + 0.5
    points = (grid + rng.uniform(-0.62, 0.62, grid.shape)) / side
    dense = cell_density(section.at("depth", points), section.model)
    # Clusters: nuclei are seldom spread as evenly as on a jittered lattice.
    keep = rng.random(len(points)) * top < dense * rng.uniform(0.6, 1.4, len(points))
    inside = section.at("edge", points) > 0.0007
    return points[keep & inside]


def _neuropil(
    section: SimulatedSection,
    depth: Floats,
    edge: Floats,
    size: int,
    rng: np.random.Generator,
) -> Floats:
    """Return the eosin of the felt between cells, with its fibres."""
    felt = section.model.neuropil
    base = np.interp(depth, felt[:, 0], felt[:, 1]).astype(np.float32)
    grain = 0.060 * smooth_noise(rng, size, 1.0) + 0.045 * smooth_noise(rng, size, 2.2)
    cloud = 0.045 * smooth_noise(rng, size, 7) + 0.04 * smooth_noise(rng, size, 60)
    eosin = base * (1 + grain + cloud)
    white = _between(depth, 1.0, 9.0)
    eosin += _fibres(section, size, rng) * (0.02 + 0.075 * white)
    # A cut edge soaks up dye; the pia is a thin dense skin.
    rim = np.exp(-np.maximum(edge, 0) * (size / 5.0))
    skin = rim * np.exp(-np.maximum(depth, 0) / 0.03)
    result: Floats = eosin * (1 + 0.22 * rim + 0.35 * skin)
    return np.maximum(result, 0.02)


def _fibres(section: SimulatedSection, size: int, rng: np.random.Generator) -> Floats:
    """Return fibres: along the layers in the white matter, across them above it."""
    from scipy.ndimage import gaussian_filter

    starts = rng.uniform(0, 1, (36_000, 2)).astype(np.float32)
    depth = section.at("depth", starts)
    inside = section.at("edge", starts) > 0
    pixel = (1 + 2 * MARGIN) / size
    white = starts[inside & (depth > 0.97)]
    tangential = strands(
        rng, section, size, white, steps=46, pixel=pixel, tangential=True, wobble=0.30
    )
    grey = starts[inside & (depth > 0.12) & (depth < 1.0)][::2]
    radial = strands(
        rng, section, size, grey, steps=26, pixel=pixel, tangential=False, wobble=0.10
    )
    fibres = gaussian_filter(tangential, 0.7) + gaussian_filter(radial, 0.6)
    # Fibres displace as much as they add: the mean stays.
    contrast: Floats = fibres - gaussian_filter(fibres, 9)
    return contrast


def _vessels(
    section: SimulatedSection,
    width: float,
    micron: float,
    size: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """Return vessels: open lumina, their walls, and red cells within."""
    scale = size / (1 + 2 * MARGIN)
    count = int(np.clip(7 * (width / 1000) ** 2, 20, 400))
    points = rng.uniform(0, 1, (count, 2)).astype(np.float32)
    points = points[section.at("edge", points) > 0.012]
    centres = ((points + MARGIN) * scale - 0.5).astype(np.float32)
    microns = np.clip(rng.lognormal(np.log(7), 0.55, len(points)), 4, 34)
    radius = (microns * micron).astype(np.float32)
    long = radius * rng.uniform(1.0, 2.6, len(points)).astype(np.float32)
    across = np.arctan2(section.at("radial_y", points), section.at("radial_x", points))
    angle = across + rng.normal(0, 0.35, len(points)).astype(np.float32)
    one = np.ones(len(points), dtype=np.float32)
    holes = splat_ellipses(size, centres, long, radius, angle, 0.86 * one, 0.8)
    rim = splat_ellipses(
        size, centres, long + 4 * micron, radius + 4 * micron, angle, one, 0.9
    )
    filled = (rng.random(len(points)) < 0.22).astype(np.float32)
    red = splat_ellipses(
        size, centres, 0.8 * long, 0.75 * radius, angle, filled * 0.9, 0.9
    )
    holes = np.clip(holes - red, 0, 0.9)
    return holes, np.clip(rim, 0, 1) * (1 - holes), red


def _between(depth: Floats, low: float, high: float) -> Floats:
    """Return 1 within a range of depth, with soft ends."""
    above, below = np.tanh((depth - low) / 0.02), np.tanh((high - depth) / 0.02)
    inside: Floats = 0.25 * (1 + above) * (1 + below)
    return inside


def _light(haematoxylin: Floats, eosin: Floats) -> Floats:
    """Return transmitted light, ``(size, size, 3)`` in 0 to 1."""
    density = haematoxylin[..., None] * _HAEMATOXYLIN + eosin[..., None] * _EOSIN
    light: Floats = np.exp(-density)
    return light


def _on_glass(
    light: Floats, tissue: Floats, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return light seen on the slide: vignetting, dust, and the camera's noise."""
    size = len(light)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    radius = axis[:, None] ** 2 + axis[None] ** 2
    lamp = 1 - 0.022 * radius + 0.004 * smooth_noise(rng, size, size / 4)
    specks = rng.uniform(0, size, (90, 2)).astype(np.float32)
    length = rng.uniform(0.7, 2.6, 90).astype(np.float32)
    dust = splat_ellipses(
        size, specks, length * 1.6, length,
        rng.uniform(0, np.pi, 90).astype(np.float32),
        rng.uniform(0.02, 0.16, 90).astype(np.float32), 1.2,
    )  # fmt: skip
    lamp = lamp * (1 - dust * (1 - 0.9 * tissue))
    noise = rng.standard_normal((size, size), dtype=np.float32)
    picture = light * lamp[..., None] * _GLASS + 1.1 * noise[..., None]
    whole: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return whole
