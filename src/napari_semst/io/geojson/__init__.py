"""Regions as GeoJSON, in QuPath's layout, both ways."""

from __future__ import annotations

from napari_semst.io.geojson.label import add_regions
from napari_semst.io.geojson.write import write_geojson

__all__ = ["add_regions", "write_geojson"]
