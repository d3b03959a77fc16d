"""The sources of gene semantics: one line for each.

A new one is a file or folder beside this one, a line of `SOURCES`, and a choice of
``semantics.source`` in `napari_semst.config.settings`. It is imported only when asked
for, so it may need heavy packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_semst.errors import SemanticsError, one_of

if TYPE_CHECKING:
    from napari_semst.semantics.base import SemanticSource

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
