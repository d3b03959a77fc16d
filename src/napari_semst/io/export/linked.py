"""What a tissue holds for other plugins of the viewer alone, and files do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import DataFrame

ATTRIBUTES = "spatialdata_attrs"
"""Key of uns for the elements that a table annotates, of the package spatialdata."""

OWN_REGION = "points of napari-semst"
"""The element of a table that is of no SpatialData object."""

INSTANCE = "point_of_napari"
"""Column of obs that names the points of a layer, for other plugins."""


def own_obs(tissue: AnnData) -> DataFrame:
    """Return a tissue's columns of spots without that for other plugins of napari."""
    if not _is_linked(tissue):
        return tissue.obs
    return tissue.obs.drop(columns=INSTANCE, errors="ignore")


def own_uns(tissue: AnnData) -> dict[str, Any]:
    """Return a tissue's notes without that for other plugins of napari."""
    left_out = {ATTRIBUTES} if _is_linked(tissue) else set()
    return {key: held for key, held in tissue.uns.items() if key not in left_out}


def _is_linked(tissue: AnnData) -> bool:
    attrs = tissue.uns.get(ATTRIBUTES)
    return isinstance(attrs, dict) and attrs.get("region") == OWN_REGION
