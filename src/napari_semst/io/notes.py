"""What was noticed while reading, kept with the tissue for the user to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from anndata import AnnData

INPUT = "semst_input"
# The warning that several sections are in one table, void once they are told apart, and
# the column that does it.
_MIXED, _MIXED_BY = "mixed_sections", "mixed_sections_column"


def note(adata: AnnData, **facts: Any) -> None:
    """Keep facts about the input in ``uns["semst_input"]``."""
    adata.uns[INPUT] = {**_kept(adata), **facts}


def warn(adata: AnnData, *texts: str) -> None:
    """Add warnings to ``uns["semst_input"]["warnings"]``, each once."""
    texts_now = [*input_warnings(adata, told_apart=True), *texts]
    if texts_now:
        note(adata, warnings=list(dict.fromkeys(texts_now)))


def warn_of_mixing(adata: AnnData, text: str = "", column: str = "") -> None:
    """Note that one table mixes sections, and the column that tells them apart.

    What was noted of it before goes.
    """
    if text or _MIXED in _kept(adata):
        note(adata, **{_MIXED: [text] if text else [], _MIXED_BY: column})


def mixing_column(adata: AnnData) -> str:
    """Return the obs column noted to tell mixed sections apart, empty for none."""
    column = str(_kept(adata).get(_MIXED_BY, ""))
    return column if column in adata.obs else ""


def input_warnings(adata: AnnData, *, told_apart: bool = False) -> list[str]:
    """Return the warnings noted while the tissue was read, oldest first.

    Parameters
    ----------
    adata
        The tissue.
    told_apart
        Whether its sections are told apart: warnings that they are not are left out.
    """
    kept = _kept(adata)
    found = _texts(kept.get("warnings", []))
    return found if told_apart else [*found, *_texts(kept.get(_MIXED, []))]


def _texts(noted: Any) -> list[str]:
    """Return noted texts, each with its words for every reader where it has them."""
    if isinstance(noted, list):
        return [text if isinstance(text, str) else str(text) for text in noted]
    return [str(text) for text in np.ravel(noted)]


def _kept(adata: AnnData) -> dict[str, Any]:
    kept = adata.uns.get(INPUT)
    return dict(kept) if isinstance(kept, dict) else {}
