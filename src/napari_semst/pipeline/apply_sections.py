"""Labels of several sections, each given on its own, as one result."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

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


def rows_in_order(
    values: Sequence[NDArray[Any] | None], parts: Sections
) -> NDArray[Any] | None:
    """Return the rows of all sections in the table's order of spots.

    `None` where a section has none, or rows of another width.
    """
    arrays = [value for value in values if value is not None]
    if len(arrays) < len(values) or len({one.shape[1:] for one in arrays}) > 1:
        return None
    place = np.argsort(np.concatenate(list(parts.spots())))
    rows: NDArray[Any] = np.concatenate(arrays)[place]
    return rows


def concat_results(
    found: list[DomainResult], parts: Sections, tissue: AnnData
) -> DomainResult:
    """Return the labels of several sections as one result, in the table's order."""
    from napari_semst.pipeline.provenance import spots_hash

    arrays: dict[str, Any] = {
        name: rows_in_order([getattr(one, name) for one in found], parts)
        for name in _BY_SPOT
    }
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
