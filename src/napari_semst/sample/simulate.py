"""The simulated section: where its spots are, and what a tissue object says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_semst.errors import ConfigError, one_of

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from napari_semst.sample.geometry import Section
    from napari_semst.sample.places import Places

LIBRARY = "simulated_cortex"
_PLATFORMS = ("visium", "cells")
_SPECIES = ("human", "mouse")
_DIAMETER = {"visium": 55.0, "cells": 10.0}
# Counts of a spot per gene of the panel, and their spread by chance on a log scale.
_COUNTS_PER_GENE = {"visium": 1.0, "cells": 0.9}
_LIBRARY_SPREAD = {"visium": 0.30, "cells": 0.40}
# Full-resolution pixels of a slide scanner; cells come in microns.
_MICRONS_PER_PIXEL = {"visium": 0.5, "cells": 1.0}
# The image: pixels per micron where the section's size allows.
_IMAGE_DETAIL = {"visium": 0.31, "cells": 1.0}
_LEAST_HIRES, _MOST_HIRES, _LOWRES = 1000, 2000, 600


def simulated_cortex(
    n_spots: int = 3000,
    n_genes: int = 1500,
    *,
    platform: Literal["visium", "cells"] = "visium",
    seed: int = 0,
    image: bool = True,
    species: Literal["human", "mouse"] = "human",
    discordant: bool = True,
) -> AnnData:
    """Return a simulated section of cerebral cortex with known layers.

    A gyrus and a sulcus with layers 1 to 6 and white matter, modelled on human
    dorsolateral prefrontal cortex; nothing in it was measured. The section is as
    large as its spots need.

    Parameters
    ----------
    n_spots
        Spots, or cells; at least 50.
    n_genes
        Genes: real symbols, markers of layers and cell types first; at least 50.
    platform
        ``"visium"``: 55 micron spots 100 microns apart on a hexagonal lattice;
        ``"cells"``: scattered cells, denser where the layer is.
    seed
        The same seed gives the same section.
    image
        Whether to draw an image in the colours of haematoxylin and eosin.
    species
        Spelling of the gene symbols. The anatomy stays human.
    discordant
        Whether to plant one region, 3.5 % of the spots and at least three, in layer 3
        whose counts are mostly layer 5's while the image there stays layer 3's.
        Without it nothing else changes: all other spots have the same counts.

    Returns
    -------
    anndata.AnnData
        ``X`` raw counts (CSR, float32), ``obsm["spatial"]`` full-resolution pixels,
        ``obs["ground_truth"]`` the layer by anatomy, as one would draw it from the
        image, also in the planted region; ``obs["discordant"]`` whether a spot is
        in that region, absent where none is planted; ``obs["cell_type"]``, for
        cells, the type that the counts are of; ``uns["spatial"]["simulated_cortex"]``
        images and scale factors in Visium's layout, ``uns["dataset_info"]``.

    Raises
    ------
    ConfigError
        If an argument is not accepted.
    """
    from napari_semst.sample.discordant import EXPRESSED_LAYER, discordant_region
    from napari_semst.sample.geometry import draw_section
    from napari_semst.sample.places import lattice, scatter

    _check(n_spots, n_genes, platform, seed, species)
    section = draw_section(np.random.default_rng((seed, 1)))
    rng = np.random.default_rng((seed, 2))
    place = lattice if platform == "visium" else scatter
    places = place(section, n_spots, rng)
    region = None
    if discordant:
        rng = np.random.default_rng((seed, 5))
        region = discordant_region(section, places.points, rng)
    tissue = _tissue(section, places, n_genes, platform, seed, species, region)
    tissue.uns["spatial"] = {LIBRARY: _library(section, places, platform, seed, image)}
    tissue.uns["dataset_info"] = {
        "name": LIBRARY,
        "simulated": True,
        "description": "Simulated section of cerebral cortex: counts, layers and "
        "image were all made by napari-semst; nothing was measured.",
        "platform": platform,
        "species": species,
        "seed": seed,
    }
    if discordant:
        tissue.uns["dataset_info"]["discordant_expression"] = EXPRESSED_LAYER
    return tissue


def _check(n_spots: int, n_genes: int, platform: str, seed: int, species: str) -> None:
    """Refuse arguments that no section can be made from."""
    for name, value, low in (
        ("n_spots", n_spots, 50), ("n_genes", n_genes, 50), ("seed", seed, 0)
    ):  # fmt: skip
        if value < low:
            raise ConfigError(f"Expected {name} to be at least {low}; got {value!r}.")
    if platform not in _PLATFORMS:
        raise ConfigError(one_of("platform", platform, _PLATFORMS))
    if species not in _SPECIES:
        raise ConfigError(one_of("species", species, _SPECIES))


def _tissue(
    section: Section,
    places: Places,
    n_genes: int,
    platform: str,
    seed: int,
    species: str,
    region: NDArray[np.bool_] | None,
) -> AnnData:
    """Return counts, layers and coordinates; no image yet."""
    import pandas as pd
    from anndata import AnnData

    from napari_semst.sample import composition, expression, geometry
    from napari_semst.sample.discordant import discordant_shares
    from napari_semst.sample.genes import CELL_TYPES, panel

    rng = np.random.default_rng((seed, 3))
    symbols, programmes = panel(n_genes, species)
    genes = expression.make_panel(programmes, rng)
    depth = section.at("depth", places.points)
    fields = expression.smooth_fields(places.points, rng, len(genes.loadings))
    layers = geometry.layer_codes(depth)
    obs: dict[str, Any] = {"in_tissue": np.ones(len(depth), dtype=np.int64)}
    obs |= places.columns
    obs["ground_truth"] = pd.Categorical.from_codes(layers, list(geometry.LAYERS))
    shares, types = _mixtures(composition.cell_shares(depth), depth, platform, rng)
    library = _library_size(fields, depth, rng, _LIBRARY_SPREAD[platform])
    library = _COUNTS_PER_GENE[platform] * n_genes * library
    counts = expression.draw_counts(shares, library, fields, genes, seed)
    if region is not None:
        obs["discordant"] = region
        # Generators of its own, so that every other spot keeps the counts it had.
        rng = np.random.default_rng((seed, 6))
        planted = discordant_shares(depth[region])
        planted, types[region] = _mixtures(planted, depth[region], platform, rng)
        drawn = expression.draw_counts(
            planted, library[region], fields[region], genes, int(rng.integers(2**31))
        )
        counts = _with_rows(counts, region, drawn)
    names = _barcodes(len(depth))
    if platform == "cells":
        obs["cell_type"] = pd.Categorical.from_codes(types, list(CELL_TYPES))
        names = [f"cell_{number}" for number in range(1, len(depth) + 1)]
    return AnnData(
        X=counts,
        obs=pd.DataFrame(obs, index=pd.Index(names, dtype=str)),
        var=pd.DataFrame({"programme": pd.Categorical(programmes)}, index=symbols),
        obsm={"spatial": _pixels(places, platform)},
    )


def _mixtures(
    shares: NDArray[np.float32],
    depth: NDArray[np.float32],
    platform: str,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return each spot's mixture, ``(n, n_types)``, and its main type, ``(n,)``."""
    from napari_semst.sample import composition, expression

    if platform == "visium":
        # As many cells as the anatomy has there, whatever they express.
        n_cells = composition.cell_density(depth) * np.float32(0.006)
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


def _pixels(places: Places, platform: str) -> NDArray[np.float64]:
    """Return the spots ``(n, 2)`` in full-resolution pixels."""
    from napari_semst.sample.geometry import MARGIN

    pixels = (places.points + MARGIN) * (places.width / _MICRONS_PER_PIXEL[platform])
    # A pixel's centre, not its corner, is at a whole number.
    return np.round(pixels - 0.5, 2)


def _library_size(
    fields: NDArray[np.float32],
    depth: NDArray[np.float32],
    rng: np.random.Generator,
    spread: float,
) -> NDArray[np.float32]:
    """Return relative library sizes ``(n,)``: by region, by layer, and by chance."""
    by_depth = np.interp(depth, [0, 0.08, 0.16, 0.95, 1.05], [0.7, 0.6, 1.0, 1.0, 1.1])
    by_region = 0.15 * fields[:, 0] - 0.12 * fields[:, 1]
    by_chance = rng.normal(0, spread, len(depth))
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


def _library(
    section: Section, places: Places, platform: str, seed: int, image: bool
) -> dict[str, Any]:
    """Return images and scale factors in Visium's layout."""
    from napari_semst.sample.geometry import MARGIN

    per_micron = 1 / _MICRONS_PER_PIXEL[platform]
    full_size = (1 + 2 * MARGIN) * places.width * per_micron
    diameter = _DIAMETER[platform] * per_micron
    hires = (1 + 2 * MARGIN) * places.width * _IMAGE_DETAIL[platform]
    hires = int(np.clip(hires, _LEAST_HIRES, _MOST_HIRES))
    images: dict[str, NDArray[np.uint8]] = {}
    if image:
        from napari_semst.sample.histology import draw_histology, shrink

        cells = places.points if platform == "cells" else None
        images["hires"] = draw_histology(section, places.width, hires, seed, cells)
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
