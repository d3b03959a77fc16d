"""Features of spots that are shown when the mouse is over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.io.text_columns import as_texts
from napari_semst.viewer import colourings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from pandas import DataFrame


def features_of(
    tissue: AnnData, column: str = "", these: Sequence[int] | None = None
) -> DataFrame:
    """Return what hovering over a spot shows: one row per spot.

    Parameters
    ----------
    tissue
        The tissue.
    column
        The obs column that tells sections apart; empty for one section.
    these
        Indices of the spots asked for; `None`: all.
    """
    from pandas import DataFrame

    rows = slice(None) if these is None else list(these)

    def words(name: str) -> Any:
        return as_texts(tissue.obs[name].iloc[rows]).to_numpy(dtype=object)

    table: dict[str, Any] = {"barcode": tissue.obs_names[rows].to_numpy(dtype=object)}
    if column:
        table["section"] = words(column)
    if keys.DOMAIN in tissue.obs:
        table["domain"] = words(keys.DOMAIN)
    for label, key in (
        ("modulation", keys.MODULATION),
        ("confidence", keys.CONFIDENCE),
        ("discordance", keys.DISCORDANCE),
        ("unexplained", keys.UNEXPLAINED),
        ("surprise", keys.SURPRISE),
    ):
        if key in tissue.obs:
            table[label] = tissue.obs[key].iloc[rows].to_numpy()
    if tissue.X is not None:
        every = these is None
        totals = (
            colourings.total_counts(tissue) if every else tissue.X[rows].sum(axis=1)
        )
        table["total_counts"] = np.asarray(totals, dtype=np.float64).ravel()
    return DataFrame(table)
