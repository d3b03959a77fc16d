"""A simulated section whose image and expression disagree where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_semst.errors import ConfigError, one_of
from napari_semst.sample.region_placement import DepthRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.sample.assemble import Planting
    from napari_semst.sample.image_patch import ImagePatch
    from napari_semst.sample.section_handling import SectionHandling

LIBRARY = "simulated_discordance"
STRENGTHS = {"strong": 1.0, "weak": 0.5}
NONE = "none"


@dataclass(frozen=True)
class PatternSite:
    """Where a region lies, and what is planted there.

    Parameters
    ----------
    planted
        What is planted, in words.
    expressed
        Depth in the middle of the layer whose expression is planted; 0 for others.
    """

    home: DepthRange
    layer: str
    planted: str
    expressed: float = 0.0


@dataclass(frozen=True)
class PlantedPattern:
    """One way in which image and expression disagree.

    Parameters
    ----------
    sites
        Its regions take turns among them. A layer of which much is planted would be a
        layer that looks so: two regions of one kind have layers of their own.
    measure
        What a strength of 1 means.
    """

    sites: tuple[PatternSite, ...]
    measure: str


PATTERNS = {
    "programme": PlantedPattern(
        (
            PatternSite(
                DepthRange(0.32, 0.10, 0.545), "L3", "expression of layer 5", 0.65
            ),
            PatternSite(
                DepthRange(0.87, 0.75, 0.99), "L6", "expression of layer 3", 0.32
            ),
        ),
        "the whole mixture of cells is the other layer's",
    ),
    "infiltration": PlantedPattern(
        (
            PatternSite(
                DepthRange(1.20, 1.04, 9.0),
                "WM",
                "microglia, macrophages, T cells and B cells",
            ),
        ),
        "60 % of the cells",
    ),
    "precancer": PlantedPattern(
        (
            PatternSite(
                DepthRange(0.87, 0.75, 0.99),
                "L6",
                "genes of division, mesenchyme and stress",
            ),
        ),
        "fourfold expression, give or take",
    ),
    "image": PlantedPattern(
        (PatternSite(DepthRange(0.65, 0.55, 0.745), "L5", "image of layer 4"),),
        "all nuclei, and the felt between them, are drawn as layer 4's",
    ),
}
_IMAGE_DEPTH = 0.50
_SHARE, _MOST_IN_ALL = 0.03, 0.12


def simulated_discordance(
    n_spots: int = 3000,
    n_genes: int = 1500,
    *,
    seed: int = 0,
    kinds: Sequence[str] = ("programme",),
    strength: Literal["both", "strong", "weak"] | float = "both",
    platform: Literal["visium", "cells"] = "visium",
    image: bool = True,
    species: Literal["human", "mouse"] = "human",
    artefacts: Sequence[str] = (),
    cohort: int | None = None,
) -> AnnData:
    """Return a simulated section with regions where image and expression disagree.

    The section is the hard one of `simulated_cortex`; the regions are other ones. Every
    spot outside of them has the counts that it has with no kind at all, and the image
    there is the same. By default there are two regions, one strong and one weak.

    Parameters
    ----------
    n_spots, n_genes, platform, image, species
        As for `simulated_cortex`. The last 32 genes, at most a fifth, are markers of
        immune cells.
    seed
        The same seed gives the same section; as many regions of the same kinds stand
        at the same places, however strong they are.
    kinds
        What is planted; each is measured in its own way at a strength of 1:

        - ``"programme"``: layer 5's expression in layer 3, and layer 3's in layer 6
          where there is a second region; the share of the mixture.
        - ``"infiltration"``: microglia, macrophages, T cells and B cells in white
          matter whose image shows none; 60 % of the cells.
        - ``"precancer"``: genes of dividing cells, mesenchyme, interferon and stress
          raised in layer 6; fourfold, by the logarithm of the fold change.
        - ``"image"``: layer 4 drawn where layer 5 is, smaller nuclei and twice as many;
          the share of the nuclei. The counts are what they were.

        None gives the section without discordance.
    strength
        ``"strong"`` is 1 and ``"weak"`` 0.5; ``"both"``, two regions of each kind; or a
        number above 0 and up to 1.
    artefacts
        What is no discordance, and is to be told from it; the counts of spots are what
        they were, but for those of the two regions:

        - ``"stroma"``: a region of fibres, in the image and in its genes.
        - ``"necrosis"``: a region without nuclei, of few counts of any kind.
        - ``"fold"``: tissue that lies double along a line.
        - ``"gradient"``: a stain that grows from 0.7 to 1.3 across the slide.
        - ``"shift"``: an image that lies a twentieth of the width beside its spots.
    cohort
        Number of a cohort. Its sections, of different seeds, have genes that do the
        same, and each its own preparation: genes are caught better or worse (by 15 %),
        depth differs (by 25 %) and so do the stains (by 10 %), and sections lie turned
        by quarters. `None`: a section that stands alone, whose genes are its own.

    Returns
    -------
    anndata.AnnData
        As the hard section, and ``obs["discordant"]``, whether a spot lies in any
        region; ``obs["discordance_kind"]`` and ``obs["discordance_strength"]``, both
        ``"none"`` where it lies in none; ``obs["artefact"]``, ``"stroma"``,
        ``"necrosis"`` or ``"none"``; ``uns["dataset_info"]["planted"]``, what was
        planted by region. A region has 3 % of the spots, less where all of them
        would have more than 14 %, and no spot at an edge of the tissue.
        ``obs["ground_truth"]`` is the layer by anatomy, everywhere. Total counts do
        not change with what is planted.

    Raises
    ------
    ConfigError
        If an argument is not accepted, or the regions find no room.
    """
    from napari_semst.sample import assemble as parts
    from napari_semst.sample.artefacts import (
        HOME,
        REGIONAL,
        SlideArtefacts,
        check_artefacts,
    )
    from napari_semst.sample.programmes import TYPES, panel_with_immune
    from napari_semst.sample.region_placement import place_regions
    from napari_semst.sample.section_handling import SectionHandling
    from napari_semst.sample.simulate_cortex import check_arguments, dataset_info

    check_arguments(n_spots, n_genes, platform, min(seed, cohort or seed), species)
    own = None if cohort is None else SectionHandling(cohort, seed)
    regions = _regions(kinds, strength, image)
    wrong = check_artefacts(artefacts, image=image)
    section, places = parts.draw_layout(n_spots, platform, seed)
    share = min(_SHARE, _MOST_IN_ALL / max(len(regions), 1))
    sites = _sites(regions)
    regional = [kind for kind in REGIONAL if kind in wrong]
    homes = [*(site.home for site in sites), *[HOME] * len(regional)]
    where = place_regions(section, places.points, homes, share, (seed, 7))
    regional_at = {
        kind: where == len(sites) + number for number, kind in enumerate(regional)
    }
    where[where >= len(sites)] = -1
    named = panel_with_immune(n_genes, species)
    plantings, patches = _plans(regions, where, places.points, named, species, seed)
    marks = _marks(regions, where, regional_at if wrong else None)
    plantings += _regional_plantings(regional_at, named[0], species, seed)
    tissue = parts.assemble(
        section, places, named, platform, seed, plantings, marks, TYPES, own
    ).counted()
    done = SlideArtefacts(wrong, places.points, regional_at, places.width, seed)
    entry = parts.library_entry(
        section, places, platform, seed, image, patches, done, own
    )
    if own is not None:
        _turn(tissue, entry, own, places.width)
    tissue.uns["spatial"] = {LIBRARY: entry}
    info = dataset_info(LIBRARY, platform, species, seed)
    info["planted"] = _told(regions, where)
    info |= {"artefacts": ", ".join(wrong)} if wrong else {}
    info |= {} if cohort is None else {"cohort": cohort}
    tissue.uns["dataset_info"] = info
    return tissue


def _turn(
    tissue: AnnData, entry: dict[str, Any], own: SectionHandling, width: float
) -> None:
    """Lay spots and pictures as the section happens to lie on its slide."""
    from napari_semst.sample.section import MARGIN

    side = (1 + 2 * MARGIN) * width / entry["scalefactors"]["microns_per_pixel"]
    lying = tissue.obsm["spatial"], entry["images"], side
    tissue.obsm["spatial"], entry["images"] = own.turned(*lying)
    # Rows and columns of the slide are those of sections that lie upright.
    upright = [name for name in ("array_row", "array_col") if name in tissue.obs]
    tissue.obs = tissue.obs.drop(columns=upright)


def _marks(
    regions: Sequence[tuple[str, str, float]],
    where: NDArray[np.int64],
    regional_at: dict[str, NDArray[np.bool_]] | None,
) -> dict[str, Any]:
    """Return the columns that tell what is planted where, and which artefacts."""
    import pandas as pd

    marks: dict[str, Any] = {"discordant": where >= 0}
    for column, part in (("discordance_kind", 0), ("discordance_strength", 1)):
        names = np.array([NONE, *(region[part] for region in regions)], dtype=object)
        categories = list(dict.fromkeys(names))
        marks[column] = pd.Categorical(names[where + 1], categories)
    if regional_at is not None:
        names = np.full(len(where), NONE, dtype=object)
        for kind, there in regional_at.items():
            names[there] = kind
        marks["artefact"] = pd.Categorical(names, [NONE, *regional_at])
    return marks


def _regions(
    kinds: Sequence[str], strength: str | float, image: bool
) -> list[tuple[str, str, float]]:
    """Return kind, name of the strength and strength of every region wanted."""
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    kinds = [] if kinds == [NONE] else kinds
    for kind in kinds:
        if kind not in PATTERNS:
            raise ConfigError(one_of("kinds", kind, (*PATTERNS, NONE)))
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"Expected every kind once; got {', '.join(kinds)}.")
    if "image" in kinds and not image:
        raise ConfigError(
            "Expected an image for the kind 'image'; got image=False. Draw the image, "
            "or leave this kind out."
        )
    if isinstance(strength, str):
        if strength not in ("both", *STRENGTHS):
            raise ConfigError(one_of("strength", strength, ("both", *STRENGTHS)))
        wanted = {n: s for n, s in STRENGTHS.items() if strength in ("both", n)}
    elif 0 < strength <= 1:
        wanted = {f"{strength:g}": float(strength)}
    else:
        raise ConfigError(
            f"Expected strength to be above 0 and at most 1; got {strength!r}."
        )
    return [(kind, name, value) for kind in kinds for name, value in wanted.items()]


def _sites(regions: Sequence[tuple[str, str, float]]) -> list[PatternSite]:
    """Return where every region lies: those of a kind take turns."""
    kinds = [kind for kind, _, _ in regions]
    turns = [kinds[:number].count(kind) for number, kind in enumerate(kinds)]
    return [
        PATTERNS[kind].sites[turn % len(PATTERNS[kind].sites)]
        for kind, turn in zip(kinds, turns, strict=True)
    ]


def _plans(
    regions: Sequence[tuple[str, str, float]],
    where: NDArray[np.int64],
    points: NDArray[np.float64],
    named: tuple[tuple[str, ...], tuple[str, ...]],
    species: str,
    seed: int,
) -> tuple[list[Planting], list[ImagePatch]]:
    """Return what is to be planted in counts, and what in the image."""
    from napari_semst.sample import programmes as planted
    from napari_semst.sample.assemble import Planting
    from napari_semst.sample.composition import cell_shares
    from napari_semst.sample.discordant_region import discordant_shares
    from napari_semst.sample.image_patch import ImagePatch

    symbols, programmes = named
    plantings, patches = [], []
    sites = _sites(regions)
    for number, (kind, _, strength) in enumerate(regions):
        there = where == number
        # Kinds have genes of their own: the same ones, strong or weak.
        own = (seed, 8, list(PATTERNS).index(kind))
        rng = np.random.default_rng((seed, 9, number))
        if kind == "image":
            patch = ImagePatch(points, there, _IMAGE_DEPTH, strength, (seed, 9, number))
            patches.append(patch)
        elif kind == "programme":
            site = sites[number]
            shares = partial(
                discordant_shares,
                strength=strength,
                home=site.home.middle,
                expressed=site.expressed,
            )
            plantings.append(Planting(there, shares, rng))
        elif kind == "infiltration":
            genes = partial(planted.with_immune_cells, programmes=programmes, seed=own)
            plantings.append(
                Planting(there, partial(planted.infiltrated_shares, strength=strength),
                    rng, genes)
            )  # fmt: skip
        else:
            genes = partial(
                planted.with_precancer,
                symbols=symbols, species=species, strength=strength, seed=own,
            )  # fmt: skip
            plantings.append(Planting(there, cell_shares, rng, genes))
    return plantings, patches


def _regional_plantings(
    where: dict[str, NDArray[np.bool_]],
    symbols: tuple[str, ...],
    species: str,
    seed: int,
) -> list[Planting]:
    """Return what is to be changed in the counts of artefacts that are regions."""
    from napari_semst.sample import artefacts
    from napari_semst.sample.assemble import Planting
    from napari_semst.sample.composition import cell_shares

    found = []
    for number, (kind, there) in enumerate(where.items()):
        stroma = partial(artefacts.stromal_genes, symbols=symbols, species=species)
        genes = stroma if kind == "stroma" else artefacts.necrotic_genes
        rng = np.random.default_rng((seed, 11, number))
        same_depth = kind == "stroma"
        found.append(Planting(there, cell_shares, rng, genes, same_depth))
    return found


def _told(
    regions: Sequence[tuple[str, str, float]], where: NDArray[np.int64]
) -> dict[str, dict[str, str | float | int]]:
    """Return what was planted, by region, in a form that files keep."""
    return {
        f"{kind}_{name}".replace(".", "_"): {
            "kind": kind,
            "strength": strength,
            "spots": int((where == number).sum()),
            "layer": site.layer,
            "planted": site.planted,
            "strength_of_1": PATTERNS[kind].measure,
        }
        for number, ((kind, name, strength), site) in enumerate(
            zip(regions, _sites(regions), strict=True)
        )
    }
