"""From a drawn section to a tissue object: counts, layers, images, what is planted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.sample.cortex_model import HARD_CORTEX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from napari_semst.sample.artefacts import SlideArtefacts
    from napari_semst.sample.cortex_model import CortexModel
    from napari_semst.sample.expression import GenePanel
    from napari_semst.sample.image_patch import ImagePatch
    from napari_semst.sample.section import SimulatedSection
    from napari_semst.sample.section_handling import SectionHandling
    from napari_semst.sample.spot_layout import SpotLayout

    Floats = NDArray[np.float32]

_DIAMETER = {"visium": 55.0, "cells": 10.0}
# Counts of a spot per gene of the panel.
_COUNTS_PER_GENE = {"visium": 1.0, "cells": 0.9}
# Full-resolution pixels of a slide scanner; cells come in microns.
_MICRONS_PER_PIXEL = {"visium": 0.5, "cells": 1.0}
# The image: pixels per micron where the section's size allows.
_IMAGE_DETAIL = {"visium": 0.31, "cells": 1.0}
_LEAST_HIRES, _MOST_HIRES, _LOWRES = 1000, 2000, 600


@dataclass(frozen=True)
class Planting:
    """A region whose spots express something else than their place does.

    Parameters
    ----------
    region
        ``(n_spots,)`` which spots.
    shares
        From depths ``(n,)`` to cell-type shares ``(n, n_types)`` of the region.
    rng
        A generator of its own, so that every other spot keeps the counts it had.
    genes
        From the section's panel to the region's; by default the same.
    same_depth
        Whether a spot keeps the total count that its place would have had.
    """

    region: NDArray[np.bool_]
    shares: Callable[[Floats], Floats]
    rng: np.random.Generator
    genes: Callable[[GenePanel], GenePanel] | None = None
    same_depth: bool = True


@dataclass(frozen=True)
class UncountedTissue:
    """A drawn tissue whose counts are drawn when they are asked for.

    Parameters
    ----------
    tissue
        All but the counts, ``(n_spots, n_genes)``.
    shares, library, fields
        Of every spot, see `expression.draw_counts`.
    panel
        What the genes do.
    seed
        Of the counts.
    replaced
        Planted regions and their counts, in the order of planting.
    """

    tissue: AnnData
    shares: Floats
    library: Floats
    fields: Floats
    panel: GenePanel
    seed: int
    replaced: tuple[tuple[NDArray[np.bool_], csr_matrix], ...]

    def counted(self) -> AnnData:
        """Return the tissue with all its counts in memory."""
        from scipy.sparse import vstack

        self.tissue.X = vstack(list(self.counts()), format="csr")
        return self.tissue

    def counts(self) -> Iterator[csr_matrix]:
        """Yield the counts of some spots after the other, those planted included."""
        from napari_semst.sample.expression import draw_counts

        start = 0
        asked = self.shares, self.library, self.fields, self.panel, self.seed
        for drawn in draw_counts(*asked):
            part = slice(start, start + drawn.shape[0])
            start = part.stop
            for before, (region, rows) in zip(
                self._planted_before, self.replaced, strict=True
            ):
                there = region[part]
                if there.any():
                    own = slice(*before[[part.start, part.stop]])
                    drawn = _with_rows(drawn, there, rows[own])
            yield drawn

    @cached_property
    def _planted_before(self) -> list[NDArray[np.int64]]:
        """How many spots before each one are of a planted region."""
        return [np.concatenate([[0], np.cumsum(region)]) for region, _ in self.replaced]


def draw_layout(
    n_spots: int, platform: str, seed: int, model: CortexModel = HARD_CORTEX
) -> tuple[SimulatedSection, SpotLayout]:
    """Draw the section of a seed, and its spots or cells."""
    from napari_semst.sample.geometry import draw_section
    from napari_semst.sample.spot_layout import lattice_layout, scattered_layout

    section = draw_section(np.random.default_rng((seed, 1)), model)
    place = lattice_layout if platform == "visium" else scattered_layout
    return section, place(section, n_spots, np.random.default_rng((seed, 2)))


def assemble(
    section: SimulatedSection,
    places: SpotLayout,
    named: tuple[tuple[str, ...], tuple[str, ...]],
    platform: str,
    seed: int,
    plantings: Sequence[Planting],
    marks: dict[str, Any],
    types: Sequence[str],
    handling: SectionHandling | None = None,
) -> UncountedTissue:
    """Return layers and coordinates, and what counts are drawn by; no image yet.

    Parameters
    ----------
    named
        Symbols and programmes of the genes.
    marks
        Columns of `obs` that tell what is planted where.
    types
        Cell types by name, in the order of the shares.
    handling
        Of a section of a cohort; `None` for one that stands alone.
    """
    import pandas as pd
    from anndata import AnnData

    from napari_semst.sample import composition, expression, geometry

    rng = np.random.default_rng((seed, 3))
    symbols, programmes = named
    by = rng if handling is None else handling.panel_seed()
    genes = expression.make_panel(programmes, by, section.model, platform)
    depth = section.at("depth", places.points)
    fields = expression.smooth_fields(places.points, rng, len(genes.loadings))
    layers = geometry.layer_codes(depth)
    obs: dict[str, Any] = {"in_tissue": np.ones(len(depth), dtype=np.int64)}
    obs |= places.columns
    obs["ground_truth"] = pd.Categorical.from_codes(layers, list(geometry.LAYERS))
    shares = composition.cell_shares(depth, section.model)
    shares, main = _mixtures(shares, depth, platform, rng, section.model)
    library = _library_size(fields, depth, rng, platform, section.model)
    library = _COUNTS_PER_GENE[platform] * len(symbols) * library
    if handling is not None:
        genes, library = handling.handled(genes), handling.depth() * library
    replaced = []
    for planting in plantings:
        there = planting.region
        size = library[there]
        if planting.same_depth:
            size = size * _content(shares[there], genes)
        drawn, main[there] = _planted(
            planting, size, depth[there], fields[there], genes, platform, section.model
        )
        replaced.append((there, drawn))
    obs |= marks
    if platform == "cells":
        obs["cell_type"] = pd.Categorical.from_codes(main, list(types))
        names = [f"cell_{number}" for number in range(1, len(depth) + 1)]
    else:
        names = _barcodes(len(depth))
    tissue = AnnData(
        obs=pd.DataFrame(obs, index=pd.Index(names, dtype=str)),
        var=pd.DataFrame({"programme": pd.Categorical(programmes)}, index=symbols),
        obsm={"spatial": _pixels(places, platform)},
    )
    return UncountedTissue(
        tissue, shares, library, fields, genes, seed, tuple(replaced)
    )


def _planted(
    planting: Planting,
    size: Floats,
    depth: Floats,
    fields: Floats,
    genes: GenePanel,
    platform: str,
    model: CortexModel,
) -> tuple[csr_matrix, NDArray[np.int64]]:
    """Return counts and main type of a region's spots."""
    from scipy.sparse import csr_matrix, vstack

    from napari_semst.sample.expression import draw_counts

    shares, main = _mixtures(
        planting.shares(depth), depth, platform, planting.rng, model
    )
    if planting.genes is not None:
        genes = planting.genes(genes)
    if planting.same_depth:
        size = size / _content(shares, genes)
    seed = int(planting.rng.integers(2**31))
    drawn = draw_counts(shares, size, fields, genes, seed)
    return csr_matrix(vstack(list(drawn), format="csr")), main


def _content(shares: Floats, genes: GenePanel) -> Floats:
    """Return the messenger RNA, ``(n,)``, of mixtures ``(n, n_types)``."""
    content: Floats = shares @ genes.profiles.sum(axis=1)
    return content


def _mixtures(
    shares: NDArray[np.float32],
    depth: NDArray[np.float32],
    platform: str,
    rng: np.random.Generator,
    model: CortexModel,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return each spot's mixture, ``(n, n_types)``, and its main type, ``(n,)``."""
    from napari_semst.sample import composition, expression

    if platform == "visium":
        # As many cells as the anatomy has there, whatever they express.
        n_cells = composition.cell_density(depth, model) * np.float32(0.006)
        shares = expression.mix_shares(shares, n_cells, rng)
        return shares, shares.argmax(axis=1)
    chosen = _choose(shares, rng)
    # Molecules of neighbours fall within a cell's outline.
    shares = 0.25 * shares
    shares[np.arange(len(chosen)), chosen] += 0.75
    return shares, chosen


def _with_rows(
    counts: csr_matrix, chosen: NDArray[np.bool_], rows: csr_matrix
) -> csr_matrix:
    """Return counts whose chosen rows, ``(n,)``, are replaced by other rows."""
    from scipy.sparse import csr_matrix, vstack

    source = np.arange(len(chosen))
    source[chosen] = len(chosen) + np.arange(rows.shape[0])
    return csr_matrix(vstack([counts, rows], format="csr")[source])


def _pixels(places: SpotLayout, platform: str) -> NDArray[np.float64]:
    """Return the spots ``(n, 2)`` in full-resolution pixels."""
    from napari_semst.sample.section import MARGIN

    pixels = (places.points + MARGIN) * (places.width / _MICRONS_PER_PIXEL[platform])
    # A pixel's centre, not its corner, is at a whole number.
    return np.round(pixels - 0.5, 2)


def _library_size(
    fields: NDArray[np.float32],
    depth: NDArray[np.float32],
    rng: np.random.Generator,
    platform: str,
    model: CortexModel,
) -> NDArray[np.float32]:
    """Return relative library sizes ``(n,)``: by region, by layer, and by chance."""
    by_depth = np.interp(depth, [0, 0.08, 0.16, 0.95, 1.05], [0.7, 0.6, 1.0, 1.0, 1.1])
    one, other = model.regional
    by_region = one * fields[:, 0] - other * fields[:, 1]
    by_chance = rng.normal(0, model.library_spread[platform], len(depth))
    return (0.5 * by_depth * np.exp(by_region + by_chance)).astype(np.float32)


def _choose(shares: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return one cell type, ``(n,)``, drawn from each row of shares."""
    upto = np.cumsum(shares, axis=1)
    drawn = rng.random((len(shares), 1)) * upto[:, -1:]
    passed = (upto < drawn).sum(axis=1)
    chosen: NDArray[np.int64] = np.minimum(passed, shares.shape[1] - 1)
    return chosen


def _barcodes(n_spots: int) -> list[str]:
    """Return unique names of 16 letters, as Visium's spots have."""
    # An odd factor permutes the numbers below 2 ** 32, so that none comes twice.
    numbers = np.arange(1, n_spots + 1, dtype=np.uint64) * np.uint64(2654435761)
    digits = (numbers[:, None] >> np.arange(0, 32, 2, dtype=np.uint64)) & np.uint64(3)
    letters = np.frombuffer(b"ACGT", dtype="S1")[digits.astype(np.intp)]
    words = np.ascontiguousarray(letters).view("S16").ravel().astype(str)
    return [f"{word}-1" for word in words]


def library_entry(
    section: SimulatedSection,
    places: SpotLayout,
    platform: str,
    seed: int,
    image: bool,
    patches: Sequence[ImagePatch] = (),
    artefacts: SlideArtefacts | None = None,
    handling: SectionHandling | None = None,
) -> dict[str, Any]:
    """Return images and scale factors in Visium's layout."""
    from napari_semst.sample.section import MARGIN

    per_micron = 1 / _MICRONS_PER_PIXEL[platform]
    full_size = (1 + 2 * MARGIN) * places.width * per_micron
    diameter = _DIAMETER[platform] * per_micron
    hires = (1 + 2 * MARGIN) * places.width * _IMAGE_DETAIL[platform]
    hires = int(np.clip(hires, _LEAST_HIRES, _MOST_HIRES))
    images: dict[str, NDArray[np.uint8]] = {}
    if image:
        from napari_semst.sample.histology import draw_histology, shrink

        cells = places.points if platform == "cells" else None
        images["hires"] = draw_histology(
            section, places.width, hires, seed, cells, patches
        )
        if artefacts is not None and artefacts.kinds:
            images["hires"] = artefacts.applied(images["hires"], section)
        if handling is not None:
            images["hires"] = handling.stained(images["hires"])
        images["lowres"] = shrink(images["hires"], _LOWRES)
    return {
        "images": images,
        "scalefactors": {
            "microns_per_pixel": _MICRONS_PER_PIXEL[platform],
            "spot_diameter_fullres": diameter,
            "fiducial_diameter_fullres": 1.6 * diameter,
            "tissue_hires_scalef": hires / full_size,
            "tissue_lowres_scalef": _LOWRES / full_size,
        },
        "metadata": {"source": "simulated"},
    }
