"""Open-ST: what its tables hold beside cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.io.matrices import is_stored
from napari_semst.io.notes import warn

if TYPE_CHECKING:
    from anndata import AnnData

# The label of each cell in the mask; 0 for what lies in none.
_LABELS, _OUTSIDE = "cell_ID_mask", 0


def without_background(adata: AnnData) -> AnnData:
    """Return a table of Open-ST without the row that sums what lies outside of cells.

    ``openst transcript_assign`` writes it as one more cell at the origin, with a large
    part of all counts. Other tables are returned as they are.

    Parameters
    ----------
    adata
        A table of cells.
    """
    labels = adata.obs.get(_LABELS)
    if labels is None or labels.dtype.kind not in "iuf":
        return adata
    outside = (labels == _OUTSIDE).to_numpy()
    if not outside.any() or outside.all():
        return adata
    said = ""
    if adata.X is not None and not is_stored(adata.X):
        counts = np.asarray(adata.X.sum(axis=1)).ravel()
        share = counts[outside].sum() / max(counts.sum(), 1)
        said = f" it holds {share:.0%} of the counts and"
    adata = adata[~outside].copy()
    warn(
        adata,
        f"obs[{_LABELS!r}] is 0 for what lies outside of cells:{said} is left out.",
    )
    return adata
