"""Cells and genes that are planted: immune cells, and a pre-cancerous programme."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import ConfigError
from napari_semst.sample.composition import cell_shares
from napari_semst.sample.genes import CELL_TYPES, panel_symbols, spell_symbol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.sample.expression import GenePanel

    Floats = NDArray[np.float32]

# Cell types that the cortex has none of: name -> symbols.
IMMUNE = {
    "T cell": "CD3D CD3E TRAC CD2 IL7R CD7 CD8A LCK CCL5 GZMK NKG7 IL32",
    "Macrophage": "CD163 MRC1 CD14 MSR1 MS4A7 CD68 VSIG4 F13A1 STAB1 C5AR1",
    "B cell": "CD79A MS4A1 CD79B CD19 BANK1 JCHAIN MZB1 IGHM IGKC TNFRSF17",
}
TYPES = (*CELL_TYPES, *IMMUNE)
# Which cells come: microglia of the place, and the others from the blood.
_INFILTRATE = {"Microglia": 0.25, "T cell": 0.35, "Macrophage": 0.25, "B cell": 0.15}
# Share of a spot's cells that are immune at strength 1.
_MOST_INFILTRATED = 0.6
_CONTENT = 0.8
_FOLD = 8.0

# Genes of the panel that rise on the way to a tumour: dividing cells, a change towards
# mesenchyme, antigens shown under interferon, stress.
PRECANCER = (
    "CDK1 CDC20 CDC6 CDC45 CDC25A CDC25B CDC25C CDK4 KIF11 KIF15 KIF18A KIF20A KIF22 "
    "KIF23 KIF2C KIF4A KIF20B VIM CD44 FN1 SOX9 CDH2 CDH11 TGFB1 TGFBI WNT5A NOTCH1 "
    "B2M CD74 PSMB8 PSMB9 PSMB10 FOS JUN JUNB EGR1 HSPA1A HSPA1B DNAJB1 DUSP1"
)
# Fold change of such a gene at strength 1; spread over the genes on a log scale.
_PRECANCER_FOLD = 4.0
_PRECANCER_SPREAD = (0.6, 1.2)
_LEAST_PRECANCER = 5


def panel_with_immune(
    n_genes: int, species: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what `panel_symbols` does, with the markers of immune cells.

    They take the place of the last fifth of the panel at most.
    """
    columns = [symbols.split() for symbols in IMMUNE.values()]
    rounds = [
        (column[place], name)
        for place in range(max(map(len, columns)))
        for name, column in zip(IMMUNE, columns, strict=True)
        if place < len(column)
    ][: n_genes // 5]
    symbols, programmes = panel_symbols(n_genes - len(rounds), species)
    more = tuple(spell_symbol(symbol, species) for symbol, _ in rounds)
    return symbols + more, programmes + tuple(name for _, name in rounds)


def infiltrated_shares(depth: Floats, strength: float) -> Floats:
    """Return shares over `TYPES`, ``(n, n_types)``, of infiltrated tissue.

    Parameters
    ----------
    depth
        ``(n,)`` relative depths.
    strength
        1: three cells of five are immune.
    """
    share = np.float32(_MOST_INFILTRATED * strength)
    shares = cell_shares(depth)
    infiltrated = np.zeros((len(shares), len(TYPES)), dtype=np.float32)
    infiltrated[:, : len(CELL_TYPES)] = (1 - share) * shares
    for name, part in _INFILTRATE.items():
        infiltrated[:, TYPES.index(name)] += share * np.float32(part)
    return infiltrated


def with_immune_cells(
    genes: GenePanel, programmes: tuple[str, ...], seed: tuple[int, ...]
) -> GenePanel:
    """Return a panel whose profiles, ``(n_types, n_genes)``, are those of `TYPES`."""
    rng = np.random.default_rng(seed)
    relative = genes.profiles / genes.profiles.sum(axis=1, keepdims=True)
    # Low among the types: what a gene has where it is no marker.
    plain = np.quantile(relative, 0.25, axis=0)
    names = np.array(programmes)
    rows = plain * np.exp(rng.normal(0, 0.10, (len(IMMUNE), len(names))))
    for row, name in zip(rows, IMMUNE, strict=True):
        mine = names == name
        row[mine] *= _FOLD * np.exp(rng.uniform(1.0, 2.0, mine.sum()))
        row[names == "Microglia"] *= _FOLD / 2 if name == "Macrophage" else 1
    rows *= _CONTENT / rows.sum(axis=1, keepdims=True)
    profiles = np.concatenate([genes.profiles, rows.astype(np.float32)])
    return replace(genes, profiles=profiles)


def with_precancer(
    genes: GenePanel,
    symbols: tuple[str, ...],
    species: str,
    strength: float,
    seed: tuple[int, ...],
) -> GenePanel:
    """Return a panel whose pre-cancerous genes are raised in every cell type.

    Parameters
    ----------
    strength
        1: fourfold, give or take.

    Raises
    ------
    ConfigError
        If the panel holds fewer than five of the genes.
    """
    wanted = [spell_symbol(symbol, species) for symbol in PRECANCER.split()]
    raised = np.isin(symbols, wanted)
    if raised.sum() < _LEAST_PRECANCER:
        raise ConfigError(
            f"Expected a panel with at least {_LEAST_PRECANCER} pre-cancerous genes "
            f"for the kind 'precancer'; {len(symbols)} genes hold {raised.sum()}. "
            "Ask for more genes, 300 or so."
        )
    rng = np.random.default_rng(seed)
    folds = np.zeros(len(symbols))
    folds[raised] = strength * np.log(_PRECANCER_FOLD)
    folds *= rng.uniform(*_PRECANCER_SPREAD, len(folds))
    return replace(genes, profiles=genes.profiles * np.exp(folds).astype(np.float32))
