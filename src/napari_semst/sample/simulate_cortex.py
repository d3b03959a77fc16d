"""The simulated cortex as a tissue object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_semst.errors import ConfigError, one_of

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.sample.assemble import UncountedTissue

LIBRARY = "simulated_cortex"
_PLATFORMS = ("visium", "cells")
_SPECIES = ("human", "mouse")


def simulated_cortex(
    n_spots: int = 3000,
    n_genes: int = 1500,
    *,
    platform: Literal["visium", "cells"] = "visium",
    seed: int = 0,
    image: bool = True,
    species: Literal["human", "mouse"] = "human",
    hard: bool = False,
    discordant: bool | None = None,
) -> AnnData:
    """Return a simulated section of cerebral cortex with known layers.

    Layers 1 to 6 and white matter, modelled on human dorsolateral prefrontal cortex;
    nothing in it was measured. The section is as large as its spots need. By default
    it is plain: the crown of a gyrus, every layer several spots thick and with cell
    types of its own, so that the domains found can be seen to be right.

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
    hard
        A gyrus and a sulcus instead, with layers as thin as they are, cell types that
        reach into the layers beside theirs, uneven sequencing, and one planted region.
        For tests and benchmarks: methods lose its thin layers.
    discordant
        Of the hard section, whether to plant the region: 3.5 % of the spots and at
        least three, in layer 3, whose counts are mostly layer 5's while the image there
        stays layer 3's. Without it nothing else changes: all other spots have the same
        counts. By default it is planted. The plain section has none;
        `simulated_discordance` plants more than one kind.

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
        If an argument is not accepted, or ``discordant`` is asked of the plain section.
    """
    return uncounted_cortex(
        n_spots,
        n_genes,
        platform=platform,
        seed=seed,
        image=image,
        species=species,
        hard=hard,
        discordant=discordant,
    ).counted()


def uncounted_cortex(
    n_spots: int = 3000,
    n_genes: int = 1500,
    *,
    platform: Literal["visium", "cells"] = "visium",
    seed: int = 0,
    image: bool = True,
    species: Literal["human", "mouse"] = "human",
    hard: bool = False,
    discordant: bool | None = None,
) -> UncountedTissue:
    """Return the section of `simulated_cortex`, counts drawn when they are asked for.

    Parameters
    ----------
    n_spots, n_genes, platform, seed, image, species, hard, discordant
        As for `simulated_cortex`.

    Raises
    ------
    ConfigError
        As `simulated_cortex`.
    """
    import napari_semst.sample.discordant_region as planted
    from napari_semst.sample import assemble as parts
    from napari_semst.sample.cortex_model import HARD_CORTEX, PLAIN_CORTEX
    from napari_semst.sample.genes import CELL_TYPES, panel_symbols

    check_arguments(n_spots, n_genes, platform, seed, species)
    if discordant and not hard:
        raise ConfigError(
            "Expected discordant with hard=True only; the plain section has no planted "
            "region. Add hard=True, or take simulated_discordance."
        )
    section, places = parts.draw_layout(
        n_spots, platform, seed, HARD_CORTEX if hard else PLAIN_CORTEX
    )
    plantings, marks = [], {}
    discordant = hard if discordant is None else discordant
    if discordant:
        rng = np.random.default_rng((seed, 5))
        marks["discordant"] = planted.discordant_region(section, places.points, rng)
        planting = parts.Planting(
            marks["discordant"],
            planted.discordant_shares,
            np.random.default_rng((seed, 6)),
            same_depth=False,
        )
        plantings.append(planting)
    named = panel_symbols(n_genes, species)
    drawn = parts.assemble(
        section, places, named, platform, seed, plantings, marks, CELL_TYPES
    )
    tissue = drawn.tissue
    entry = parts.library_entry(section, places, platform, seed, image)
    tissue.uns["spatial"] = {LIBRARY: entry}
    tissue.uns["dataset_info"] = dataset_info(LIBRARY, platform, species, seed)
    tissue.uns["dataset_info"]["hard"] = hard
    if discordant:
        tissue.uns["dataset_info"]["discordant_expression"] = planted.EXPRESSED_LAYER
    return drawn


def dataset_info(name: str, platform: str, species: str, seed: int) -> dict[str, Any]:
    """Return `uns["dataset_info"]` of a simulated section."""
    return {
        "name": name,
        "simulated": True,
        "description": "Simulated section of cerebral cortex: counts, layers and "
        "image were all made by napari-semst; nothing was measured.",
        "platform": platform,
        "species": species,
        "seed": seed,
    }


def check_arguments(
    n_spots: int, n_genes: int, platform: str, seed: int, species: str
) -> None:
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
