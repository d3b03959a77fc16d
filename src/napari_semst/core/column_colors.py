"""The colours of the categories of a column, as scanpy keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.palette import domain_colors, hex_colors

if TYPE_CHECKING:
    from anndata import AnnData


def column_colors(adata: AnnData, column: str) -> dict[str, str]:
    """Return the colour of each category of an obs column by name.

    Those that ``uns`` keeps, as scanpy does, one for each category; ours for those
    that are no colours, and for all where there are fewer.

    Parameters
    ----------
    adata
        The tissue.
    column
        A column of text or categories.

    Returns
    -------
    dict
        ``#rrggbb`` by the name of the category.
    """
    import pandas as pd

    names = [str(name) for name in pd.Categorical(adata.obs[column]).categories]
    colors = domain_colors(len(names))
    stored = np.ravel(adata.uns.get(column + keys.COLORS_SUFFIX, []))
    if len(stored) >= len(names):
        colors = hex_colors(list(stored)[: len(names)], colors)
    return dict(zip(names, colors, strict=True))
