"""The simulated section: where its spots are, and what a tissue object says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_semst.errors import ConfigError, one_of

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.sample.geometry import Section
    from napari_semst.sample.places import Places

LIBRARY = "simulated_cortex"
_PLATFORMS = ("visium", "cells")
_SPECIES = ("human", "mouse")
_DIAMETER = {"visium": 55.0, "cells": 10.0}
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

    Returns
    -------
    anndata.AnnData
        ``X`` raw counts (CSR, float32), ``obsm["spatial"]`` full-resolution pixels,
        ``obs["ground_truth"]`` the layer, ``uns["spatial"]["simulated_cortex"]``
        images and scale factors in Visium's layout, ``uns["dataset_info"]``.

    Raises
    ------
    ConfigError
        If an argument is not accepted.
    """
    from napari_semst.sample.geometry import draw_section
    from napari_semst.sample.places import lattice, scatter

    _check(n_spots, n_genes, platform, seed, species)
    section = draw_section(np.random.default_rng((seed, 1)))
    rng = np.random.default_rng((seed, 2))
    place = lattice if platform == "visium" else scatter
    places = place(section, n_spots, rng)
    tissue = _tissue(section, places, n_genes, platform, seed, species)
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
) -> AnnData:
    """Return counts, layers and coordinates; no image yet."""
    import pandas as pd
    from anndata import AnnData

    from napari_semst.sample import composition, expression, geometry
    from napari_semst.sample.genes import CELL_TYPES, panel

    rng = np.random.default_rng((seed, 3))
    symbols, programmes = panel(n_genes, species)
    genes = expression.make_panel(programmes, rng)
    depth = section.at("depth", places.points)
    shares = composition.cell_shares(depth)
    fields = expression.smooth_fields(places.points, rng, len(genes.loadings))
    layers = geometry.layer_codes(depth)
    obs: dict[str, Any] = {"in_tissue": np.ones(len(depth), dtype=np.int64)}
    obs |= places.columns
    obs["ground_truth"] = pd.Categorical.from_codes(layers, list(geometry.LAYERS))
    if platform == "visium":
        n_cells = composition.cell_density(depth) * np.float32(0.006)
        shares = expression.mix_shares(shares, n_cells, rng)
        names = _barcodes(len(depth))
        library = 1.0 * n_genes * _library_size(fields, depth, rng, 0.30)
    else:
        chosen = _choose(shares, rng)
        obs["cell_type"] = pd.Categorical.from_codes(chosen, list(CELL_TYPES))
        # Molecules of neighbours fall within a cell's outline.
        shares = 0.25 * shares
        shares[np.arange(len(chosen)), chosen] += 0.75
        names = [f"cell_{number}" for number in range(1, len(depth) + 1)]
        library = 0.9 * n_genes * _library_size(fields, depth, rng, 0.40)
    counts = expression.draw_counts(shares, library, fields, genes, seed)
    return AnnData(
        X=counts,
        obs=pd.DataFrame(obs, index=pd.Index(names, dtype=str)),
        var=pd.DataFrame({"programme": pd.Categorical(programmes)}, index=symbols),
        obsm={"spatial": _pixels(places, platform)},
    )


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
