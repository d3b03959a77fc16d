"""How much each listed gene counts in a spot's mean."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_semst.errors import ConfigError, one_of
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.config import SemanticsConfig
    from napari_semst.semantics.base import GeneLists, Semantics

GENE_WEIGHTS = ("equal", "rank")


def gene_list_weights(lists: GeneLists, kind: str) -> NDArray[np.float64] | None:
    """Return the weight of each listed gene by its place in the list.

    The gene at place r, from 1 on, weighs ``1 / log2(1 + r)``: 1, 0.63, 0.5, ... and
    0.23 at place 20 (the discount of Jarvelin and Kekalainen 2002, "Cumulated
    gain-based evaluation of IR techniques").

    Parameters
    ----------
    kind
        ``"equal"`` or ``"rank"``.

    Returns
    -------
    numpy.ndarray or None
        Shape as ``lists.indices``; `None` for equal weights.

    Raises
    ------
    ConfigError
        If there are no such weights.
    """
    if kind not in GENE_WEIGHTS:
        raise ConfigError(one_of("gene_weights", kind, GENE_WEIGHTS))
    if kind == "equal":
        return None
    one = 1 / np.log2(2 + np.arange(lists.indices.shape[1]))
    return np.broadcast_to(one, lists.indices.shape)


def weights_for(
    settings: SemanticsConfig, lists: GeneLists
) -> NDArray[np.float64] | None:
    """Return the weights that the settings ask for; refuse them where none is used.

    Parameters
    ----------
    settings
        Source, per and gene_weights are read.

    Raises
    ------
    ConfigError
        If the source takes a list as a whole, and weights are to differ.
    """
    weights = gene_list_weights(lists, settings.gene_weights)
    if weights is not None and not averages_genes(settings):
        per = " per spot" if settings.source == "server" else ""
        raise ConfigError(
            Worded(
                f"Expected gene_weights 'equal' with the source {settings.source!r}"
                f"{per}, which averages no genes; got {settings.gene_weights!r}. Leave "
                "the setting out, or choose builtin, table, genes, or a server",
                Way(
                    " with --per gene.",
                    " with semantics.per = 'gene'.",
                    " that reads each gene once.",
                ),
            )
        )
    return weights


def averages_genes(settings: SemanticsConfig) -> bool:
    """Return whether a spot's vector is a mean of the vectors of its genes."""
    if settings.source == "server":
        return settings.per == "gene"
    return settings.source in ("builtin", "table", "genes")


def with_weights_recorded(found: Semantics, settings: SemanticsConfig) -> Semantics:
    """Return semantics whose record says how genes were weighted, where they were."""
    if not averages_genes(settings):
        return found
    provenance = {**found.provenance, "gene_weights": settings.gene_weights}
    return replace(found, provenance=provenance)
