"""The one editor of each section's labels, whichever window or dock asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from napari_semst.explore.annotate import Annotator

if TYPE_CHECKING:
    from anndata import AnnData

# By identity: a tissue compares itself value by value.
_KNOWN: dict[int, tuple[ref[AnnData], Annotator]] = {}


def annotator_of(tissue: AnnData) -> Annotator:
    """Return the editor of a section's labels, the same each time.

    Two would take back each other's edits without knowing of them.
    """
    held = _KNOWN.get(id(tissue))
    if held is None or held[0]() is not tissue:
        # What was closed is not kept alive by what can be undone in it.
        for number in [k for k, (one, _) in _KNOWN.items() if one() is None]:
            del _KNOWN[number]
        held = _KNOWN[id(tissue)] = ref(tissue), Annotator(tissue)
    return held[1]
