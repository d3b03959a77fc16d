"""What was noticed while reading, kept with the tissue for the user to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from anndata import AnnData

INPUT = "semst_input"


def note(adata: AnnData, **facts: Any) -> None:
    """Keep facts about the input in ``uns["semst_input"]``."""
    adata.uns[INPUT] = {**_kept(adata), **facts}


def warn(adata: AnnData, *texts: str) -> None:
    """Add warnings to ``uns["semst_input"]["warnings"]``, each once."""
    texts_now = [*input_warnings(adata), *texts]
    if texts_now:
        note(adata, warnings=list(dict.fromkeys(texts_now)))


def input_warnings(adata: AnnData) -> list[str]:
    """Return the warnings noted while the tissue was read, oldest first."""
    return [str(text) for text in np.ravel(_kept(adata).get("warnings", []))]


def _kept(adata: AnnData) -> dict[str, Any]:
    kept = adata.uns.get(INPUT)
    return dict(kept) if isinstance(kept, dict) else {}
