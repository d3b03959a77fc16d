"""What goes wrong with slides, and what changes in image and expression alike.

None of it is discordance: a fold, a stain that fades, and an image that lies beside
its spots are handling; necrosis and a stromal reaction are seen in the image, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import ConfigError, one_of
from napari_semst.sample.region_placement import DepthRange
from napari_semst.sample.section import MARGIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_semst.sample.expression import GenePanel
    from napari_semst.sample.section import SimulatedSection

    Floats = NDArray[np.float32]
    Picture = NDArray[np.uint8]

REGIONAL = ("stroma", "necrosis")
ARTEFACTS = (*REGIONAL, "fold", "gradient", "shift")
"""What can be put into a section that is no discordance."""

_GLASS = 243.0
# Stain at the two sides of a slide, over that in its middle.
_FADED, _STRONG = 0.70, 1.30
# Tissue widths that an image lies beside its spots, and that a fold is wide and long.
_BESIDE, _FOLD_WIDTH, _FOLD_LENGTH = 0.05, 0.02, 0.35
# Necrosis: nuclei are smeared over so many micrometres, and less is left of the stain.
_SMEARED, _PALE = 12.0, 0.75
# Stroma: eosin of fibres, how long and how thick they are in micrometres.
_FIBRE, _FIBRE_LENGTH, _FIBRE_WIDTH = 0.55, 90.0, 3.0
_EOSIN = np.array([0.13, 0.62, 0.28], np.float32)
# How far a region's look fades in at its margin, in distances between spots.
_MARGIN_FADE = 0.7
# Where regions lie: any layer but the first, and not in the white matter.
HOME = DepthRange(0.6, 0.10, 0.99)
"""Depths at which regional artefacts lie."""

# Genes of fibres and of the cells that make them, and how much they rise.
_STROMAL_GENES = (
    "VIM CD44 FN1 CDH2 CDH11 TGFB1 TGFBI COL1A1 COL1A2 COL3A1 COL5A2 SPARC DCN LUM"
)
_STROMAL_FOLD = 4.0
# What dying tissue has left of its counts, and what of them is everybody's.
_LEFT, _AMBIENT = 0.4, 0.5


@dataclass(frozen=True)
class SlideArtefacts:
    """What is done to the picture of a section once it is drawn.

    Parameters
    ----------
    kinds
        Of `ARTEFACTS`.
    points
        ``(n, 2)`` spots in the unit square.
    regions
        Spots of each regional kind, by its name, ``(n,)``.
    width
        Of the section in micrometres.
    seed
        Of their places.
    """

    kinds: tuple[str, ...]
    points: NDArray[np.float64]
    regions: dict[str, NDArray[np.bool_]]
    width: float
    seed: int

    def applied(self, picture: Picture, section: SimulatedSection) -> Picture:
        """Return the picture with all of them, ``(size, size, 3)``."""
        density = -np.log((picture.astype(np.float32) + 1) / (_GLASS + 1))
        size = len(picture)
        micron = size / (self.width * (1 + 2 * MARGIN))
        for number, kind in enumerate(ARTEFACTS):
            if kind not in self.kinds:
                continue
            rng = np.random.default_rng((self.seed, 10, number))
            if kind in REGIONAL:
                cover = _cover(self.points, self.regions[kind], size)[..., None]
                changed = (
                    _necrotic(density, micron)
                    if kind == "necrosis"
                    else _stromal(density, micron, rng)
                )
                density = (1 - cover) * density + cover * changed
            elif kind == "fold":
                density = _folded(density, section, rng)
            elif kind == "gradient":
                density = density * _ramp(size, rng)
            else:
                density = _beside(density, rng)
        light = (_GLASS + 1) * np.exp(-density) - 1
        whole: Picture = np.clip(light, 0, 255).astype(np.uint8)
        return whole


def check_artefacts(artefacts: Sequence[str], *, image: bool) -> tuple[str, ...]:
    """Return what is wanted, each once, or raise `ConfigError`."""
    wanted = (artefacts,) if isinstance(artefacts, str) else tuple(artefacts)
    wanted = () if wanted == ("none",) else wanted
    for kind in wanted:
        if kind not in ARTEFACTS:
            raise ConfigError(one_of("artefacts", kind, (*ARTEFACTS, "none")))
    if len(set(wanted)) < len(wanted):
        raise ConfigError(f"Expected every artefact once; got {', '.join(wanted)}.")
    if wanted and not image:
        raise ConfigError(
            f"Expected an image for the artefacts {', '.join(wanted)}; got "
            "image=False. Draw the image, or leave them out."
        )
    return wanted


def necrotic_genes(genes: GenePanel) -> GenePanel:
    """Return a panel of which little is left, much of it everybody's."""
    every = genes.profiles.mean(axis=0, keepdims=True)
    profiles = (1 - _AMBIENT) * genes.profiles + _AMBIENT * every
    return replace(genes, profiles=(_LEFT * profiles).astype(np.float32))


def stromal_genes(
    genes: GenePanel, symbols: tuple[str, ...], species: str
) -> GenePanel:
    """Return a panel whose genes of fibres are raised in every cell type."""
    from napari_semst.sample.genes import spell_symbol

    wanted = [spell_symbol(symbol, species) for symbol in _STROMAL_GENES.split()]
    folds = np.where(np.isin(symbols, wanted), _STROMAL_FOLD, 1.0).astype(np.float32)
    return replace(genes, profiles=genes.profiles * folds)


def _cover(points: NDArray[np.float64], region: NDArray[np.bool_], size: int) -> Floats:
    """Return how far, 0 to 1, a pixel is of a region, ``(size, size)``."""
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import cKDTree

    scale = size / (1 + 2 * MARGIN)
    tree = cKDTree(points)
    pitch = float(np.median(tree.query(points[region], k=2)[0][:, 1]))
    rows, columns = np.indices((size, size), np.float32)
    pixels = np.column_stack([columns.ravel(), rows.ravel()]) + 0.5
    distance, nearest = tree.query(pixels / scale - MARGIN, distance_upper_bound=pitch)
    mine = np.append(region, False)[nearest] & np.isfinite(distance)
    depth = distance_transform_edt(mine.reshape(size, size))
    cover: Floats = np.clip(depth / (_MARGIN_FADE * pitch * scale), 0, 1).astype(
        np.float32
    )
    return cover


def _necrotic(density: Floats, micron: float) -> Floats:
    """Return tissue without nuclei: smeared, paler, and pinker."""
    from scipy.ndimage import gaussian_filter

    smeared = gaussian_filter(density, (_SMEARED * micron, _SMEARED * micron, 0))
    pink = smeared.sum(axis=2, keepdims=True) * (_EOSIN / _EOSIN.sum())
    ghosts = 0.15 * (density - smeared)
    found: Floats = _PALE * (0.3 * smeared + 0.7 * pink) + ghosts
    return found


def _stromal(density: Floats, micron: float, rng: np.random.Generator) -> Floats:
    """Return tissue with bundles of fibres that run one way."""
    from scipy.ndimage import gaussian_filter, rotate

    size = len(density)
    noise = rng.standard_normal((size, size)).astype(np.float32)
    bundles = gaussian_filter(noise, (_FIBRE_WIDTH * micron, _FIBRE_LENGTH * micron))
    turned = rotate(bundles, rng.uniform(20, 70), reshape=False, order=1, mode="wrap")
    fibres = np.clip(1 + turned / max(float(turned.std()), 1e-9), 0, 3) / 2
    found: Floats = 0.8 * density + _FIBRE * fibres[..., None] * _EOSIN
    return found


def _folded(
    density: Floats, section: SimulatedSection, rng: np.random.Generator
) -> Floats:
    """Return tissue that lies double along a line within it."""
    size = len(density)
    width = (1 + 2 * MARGIN) / size
    inside = np.argwhere(section.raster("edge", size) > 0.1)
    middle = inside[rng.integers(len(inside))]
    angle = rng.uniform(0, np.pi)
    rows, columns = np.indices((size, size), np.float32)
    down, right = (rows - middle[0]) * width, (columns - middle[1]) * width
    along = np.cos(angle) * right + np.sin(angle) * down
    across = -np.sin(angle) * right + np.cos(angle) * down
    # A fold tapers off at its ends, and bends a little.
    reach = _FOLD_WIDTH * np.clip(1 - (2 * along / _FOLD_LENGTH) ** 2, 0, 1)
    double = np.abs(across + 0.3 * along**2) < reach
    shift = max(round(2 * _FOLD_WIDTH / width), 1)
    other = np.roll(density, (shift, shift), axis=(0, 1))
    found: Floats = density + double[..., None] * other
    return found


def _ramp(size: int, rng: np.random.Generator) -> Floats:
    """Return the stain over that in the middle, ``(size, size, 1)``."""
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    along = np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None]
    along = np.clip(along, -1, 1)[..., None]
    middle, reach = (_STRONG + _FADED) / 2, (_STRONG - _FADED) / 2
    found: Floats = (middle + reach * along).astype(np.float32)
    return found


def _beside(density: Floats, rng: np.random.Generator) -> Floats:
    """Return the picture moved; what comes in from the other side is glass."""
    from scipy.ndimage import shift

    size = len(density)
    angle = rng.uniform(0, 2 * np.pi)
    pixels = _BESIDE * size / (1 + 2 * MARGIN)
    by = (pixels * np.sin(angle), pixels * np.cos(angle), 0)
    found: Floats = shift(density, by, order=1, mode="constant", cval=0.0)
    return found
