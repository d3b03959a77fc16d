"""The methods by name, and where each declares itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# A new method is a package with a `SPEC`, and a line here. Names stand below the
# methods, as settings are checked by them without importing any.
METHODS: Mapping[str, str] = MappingProxyType(
    {
        "semst": "napari_semst.methods.semst.spec",
        "quick": "napari_semst.methods.quick.spec",
        "image-guided": "napari_semst.methods.image_guided.spec",
        "stagate": "napari_semst.methods.hosts.stagate",
        "graphst": "napari_semst.methods.hosts.graphst",
        "sedr": "napari_semst.methods.hosts.sedr",
        "spatial-mgcn": "napari_semst.methods.hosts.spatial_mgcn",
        "mafn": "napari_semst.methods.hosts.mafn",
        "dusted": "napari_semst.methods.hosts.dusted",
        "gaaest": "napari_semst.methods.hosts.gaaest",
        "stdcl": "napari_semst.methods.hosts.stdcl",
        "staig": "napari_semst.methods.hosts.staig",
    }
)
