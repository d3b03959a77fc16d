"""Gene semantics: sources of one vector per spot, and what they need."""

from __future__ import annotations

from napari_semst.genes.gene_names import Species, guess_species, is_uninformative
from napari_semst.semantics.base import GeneLists, Semantics, SemanticSource
from napari_semst.semantics.negative_controls import with_control
from napari_semst.semantics.registry import SOURCES, source
from napari_semst.semantics.standardise import standardise
from napari_semst.semantics.top_genes import rank_genes

__all__ = [
    "SOURCES",
    "GeneLists",
    "SemanticSource",
    "Semantics",
    "Species",
    "guess_species",
    "is_uninformative",
    "rank_genes",
    "source",
    "standardise",
    "with_control",
]
