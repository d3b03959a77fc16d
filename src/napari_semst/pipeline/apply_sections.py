"""Labels of several sections, each given on its own, as one result."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.core.sections import Sections
    from napari_semst.pipeline.result import DomainResult

# Of a result, what has a row for each spot.
_BY_SPOT = (
    "codes",
    "latent",
    "modulation",
    "modulation_scale",
    "modulation_shift",
    "scale",
    "shift",
    "confidence",
    "coverage",
)


def concat_results(
    found: list[DomainResult], parts: Sections, tissue: AnnData
) -> DomainResult:
    """Return the labels of several sections as one result, in the table's order."""
    from napari_semst.pipeline.provenance import spots_hash

    place = np.argsort(np.concatenate(list(parts.spots())))
    arrays: dict[str, Any] = {}
    for name in _BY_SPOT:
        values = [getattr(one, name) for one in found]
        if any(value is None for value in values):
            arrays[name] = None
        else:
            arrays[name] = np.concatenate(values)[place]
    provenance = dict(found[0].provenance)
    provenance["section"] = {
        **provenance["section"],
        "sections": dict(zip(parts.names, map(int, parts.sizes), strict=True)),
    }
    hashes = "".join(one.provenance["input_hash"] for one in found)
    provenance["input_hash"] = hashlib.sha256(hashes.encode()).hexdigest()
    provenance["spots_hash"] = spots_hash(tissue.obs_names)
    provenance["seconds"] = {
        "apply": round(sum(one.provenance["seconds"]["apply"] for one in found), 3)
    }
    provenance["warnings"] = [
        f"{name}: {text}"
        for name, one in zip(parts.names, found, strict=True)
        for text in one.warnings
    ]
    return replace(found[0], provenance=provenance, **arrays)
