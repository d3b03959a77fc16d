"""Gene semantics: sources of one vector per spot, and what they need.

Sources are made by name with `source`. A new one is a file of this folder and a line
of `SOURCES`; it is imported only when asked for, so it may need heavy packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from napari_semst.errors import SemanticsError, one_of
from napari_semst.genes.gene_names import Species, guess_species, is_uninformative
from napari_semst.semantics.base import GeneLists, Semantics, SemanticSource
from napari_semst.semantics.negative_controls import with_control
from napari_semst.semantics.rank import rank_genes
from napari_semst.semantics.standardise import standardise

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

# name -> module:class
SOURCES = {
    "builtin": "napari_semst.semantics.gene_table.source:BuiltinTable",
    "precomputed": "napari_semst.semantics.precomputed.source:Precomputed",
    "prompts": "napari_semst.semantics.language_model.sources:SpotPrompts",
    "genes": "napari_semst.semantics.language_model.sources:GeneTexts",
    "none": "napari_semst.semantics.none:NoSemantics",
    "table": "napari_semst.semantics.gene_table.user_table:UserTable",
    "server": "napari_semst.semantics.server.source:ServerSource",
}


def source(name: str, **options: Any) -> SemanticSource:
    """Return the semantic source of that name, or raise `SemanticsError`.

    Parameters
    ----------
    name
        One of `SOURCES`.
    **options
        What the source takes, for instance ``embedding`` for ``"precomputed"``.
    """
    if name not in SOURCES:
        raise SemanticsError(one_of("the semantic source", name, SOURCES))
    module, _, class_name = SOURCES[name].partition(":")
    make = getattr(import_module(module), class_name)
    try:
        made: SemanticSource = make(**options)
    except TypeError as error:
        raise SemanticsError(
            f"Expected the options that the source {name!r} takes; got "
            f"{', '.join(options) or 'none'}: {error}."
        ) from error
    return made
