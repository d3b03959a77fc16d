"""What is known of a tissue as long as it is there, and is not written with it.

What an AnnData would hold for good is written with it. Files beside a section stay
where they are, and the tissue is known by what Python knows it by.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from anndata import AnnData

Known = TypeVar("Known")


class KeptWith(Generic[Known]):
    """One thing that is known of each of some tissues; it goes when they go."""

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}

    def __contains__(self, tissue: AnnData) -> bool:
        return id(tissue) in self._known

    def get(self, tissue: AnnData) -> Known | None:
        """Return what is known of a tissue, None for nothing."""
        return self._known.get(id(tissue))

    def put(self, tissue: AnnData, known: Known) -> None:
        """Know something of a tissue, in place of what was known."""
        if id(tissue) not in self._known:
            weakref.finalize(tissue, self._known.pop, id(tissue), None)
        self._known[id(tissue)] = known

    def pass_on(self, tissue: AnnData, copy: AnnData) -> None:
        """Know the same of a copy of a tissue, or of one of fewer spots."""
        known = self.get(tissue)
        if known is not None and copy is not tissue:
            self.put(copy, known)
