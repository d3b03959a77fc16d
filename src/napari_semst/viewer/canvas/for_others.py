"""What other plugins look for in our layers, put there where such a plugin is loaded.

napari-spatialdata's View and Scatter colour a layer by ``metadata["adata"]``. They ask
that table which of its columns names the instances, and the layer, in
``metadata["indices"]``, which instance each point is.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from napari_semst.io.export.linked import ATTRIBUTES, INSTANCE, OWN_REGION

if TYPE_CHECKING:
    from anndata import AnnData

_PLUGIN = "napari_spatialdata"


def metadata_for_others(tissue: AnnData) -> dict[str, Any]:
    """Return what a layer of points carries for other plugins.

    Where napari-spatialdata is loaded, a tissue that is of no SpatialData object gets
    a column of its spots' names and a note that they are the instances; files that are
    saved have neither.

    Parameters
    ----------
    tissue
        The section, a point for each of its spots.
    """
    if _PLUGIN not in sys.modules:
        return {}
    attrs = tissue.uns.get(ATTRIBUTES)
    key = str(attrs.get("instance_key", "")) if isinstance(attrs, dict) else ""
    if key not in tissue.obs:
        if attrs is not None:
            return {}  # another program's note of a table: not ours to replace
        key = INSTANCE
        tissue.obs[INSTANCE] = tissue.obs_names.to_numpy(dtype=object)
        tissue.uns[ATTRIBUTES] = {
            "region": OWN_REGION,
            "region_key": INSTANCE,
            "instance_key": INSTANCE,
        }
    return {"indices": tissue.obs[key].tolist(), "instance_key": key}
