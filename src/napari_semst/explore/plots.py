"""Plots of genes by domains, drawn by scanpy and matplotlib without any window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.explore.spot_values import count_totals, gene_values, unit_of_genes
from napari_semst.figure.file import text_as_written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.figure import Figure

    from napari_semst.explore.labels import Labels

_INCHES = 1.1
_VIOLIN_SPOTS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class GenesByDomain:
    """Genes of a section by domain, ready to be drawn.

    Parameters
    ----------
    spots
        Expression and ``obs["domain"]`` of the spots that have a domain, of many
        spots a sample.
    genes
        Which ones; those that all domains lack are drawn too.
    colors
        ``#rrggbb`` of each domain.
    unit
        What the numbers are.
    """

    spots: AnnData
    genes: tuple[str, ...]
    colors: dict[str, str]
    unit: str


def genes_by_domain(
    tissue: AnnData, genes: Sequence[str], labels: Labels
) -> GenesByDomain:
    """Return genes of a section by domain; the slow part of a plot.

    Parameters
    ----------
    genes
        Which ones.
    labels
        Domain of each spot; spots of none are left out.

    Raises
    ------
    InputError
        If no gene is named, or none of the spots has a domain.
    """
    colors = dict(zip(labels.names, labels.colors, strict=True))
    spots = _small(tissue, genes, labels)
    return GenesByDomain(spots, tuple(genes), colors, unit_of_genes(tissue))


@text_as_written()
def draw_dots(table: GenesByDomain) -> Figure:
    """Return a dot plot: share of spots as size, mean expression as colour."""
    import scanpy
    from matplotlib.figure import Figure

    genes = table.genes
    figure = Figure((2.6 + 0.42 * len(genes), 1.4 + 0.32 * len(table.colors)))
    # In axes of ours, or it would ask pyplot for a window of its own.
    drawn = scanpy.pl.DotPlot(
        table.spots,
        list(genes),
        "domain",
        figsize=tuple(figure.get_size_inches()),
        ax=figure.subplots(),
    ).style(cmap="viridis")
    unit = table.unit.replace(" per", "\nper")
    drawn = drawn.legend(colorbar_title=unit, size_title="Share of spots (%)")
    drawn.make_figure()
    # Names of genes stand upright below, longer ones need more room.
    longest = max(map(len, genes))
    figure.subplots_adjust(bottom=min(0.12 + 0.022 * longest, 0.45), top=0.93)
    return figure


@text_as_written()
def draw_violins(table: GenesByDomain) -> Figure:
    """Return violins of genes by domain, one row per gene."""
    from matplotlib.figure import Figure

    small, genes = table.spots, table.genes
    groups = small.obs["domain"].cat
    there = [i for i in range(len(groups.categories)) if (groups.codes == i).any()]
    figure = Figure(
        figsize=(1.5 + 0.6 * len(there), 0.6 + _INCHES * len(genes)),
        layout="constrained",
    )
    axes = np.atleast_1d(figure.subplots(len(genes), 1, sharex=True))
    for place, gene in enumerate(genes):
        values = [small.X[groups.codes == i, place] for i in there]
        parts: Any = axes[place].violinplot(values, showextrema=False, widths=0.9)
        for body, i in zip(parts["bodies"], there, strict=True):
            body.set_facecolor(table.colors[groups.categories[i]])
            body.set_alpha(0.9)
        axes[place].plot(
            range(1, len(there) + 1), [np.median(v) for v in values], "_k", ms=10
        )
        axes[place].set_ylabel(gene, rotation=0, ha="right", va="center")
        axes[place].spines[["top", "right"]].set_visible(False)
    names = [groups.categories[i] for i in there]
    long = max(map(len, names)) > 4
    axes[-1].set_xticks(range(1, len(there) + 1), names, rotation=40 if long else 0)
    figure.supylabel(table.unit, fontsize="small")
    return figure


def _small(tissue: AnnData, genes: Sequence[str], labels: Labels) -> AnnData:
    """Return the chosen genes of the spots that have a domain, ready to draw."""
    import pandas as pd
    from anndata import AnnData

    known = np.flatnonzero(labels.codes >= 0)
    if not genes or not len(known):
        raise InputError(
            "Expected genes and spots that have a domain; found "
            f"{len(genes)} genes and {len(known)} spots."
        )
    if len(known) > _VIOLIN_SPOTS:
        random = np.random.default_rng(0)
        known = np.sort(random.choice(known, _VIOLIN_SPOTS, replace=False))
    totals = count_totals(tissue)
    values = np.stack([gene_values(tissue, gene, totals)[known] for gene in genes], 1)
    groups = pd.Categorical.from_codes(labels.codes[known], list(labels.names))
    names = pd.Index([str(spot) for spot in known])
    return AnnData(
        values,
        obs=pd.DataFrame({"domain": groups.remove_unused_categories()}, index=names),
        var=pd.DataFrame(index=list(genes)),
    )
