"""Layers of spatiato and napari-harpy, whose metadata are empty.

Both keep, for each viewer, the SpatialData object that is open and a registry that says
which of its elements a layer is. They are asked only where they are loaded, and have no
public way to be asked: what is not there as expected counts as no element.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from napari.layers import Layer

_PLUGINS = ("spatiato", "napari_harpy")
_ATTRIBUTES = "spatialdata_attrs"


@dataclass(frozen=True, eq=False)
class RegisteredElement:
    """The element of a SpatialData object that a layer shows.

    Parameters
    ----------
    table
        The rows that annotate it, of the table with the most genes.
    instance_key
        The table's column with the names of what is drawn.
    names
        Name of each point or shape in the layer, one of several parts occurring again;
        `None` where the layer's own numbers are the names.
    """

    table: AnnData
    instance_key: str
    names: tuple[Any, ...] | None


def registered_element(layer: Layer) -> RegisteredElement | None:
    """Return which element with a table of genes a layer shows, None for none."""
    layer = getattr(layer, "__wrapped__", layer)
    for sdata, binding in _bindings(layer):
        name = getattr(binding, "element_name", None)
        found = _table_of(sdata, name)
        if found is not None:
            table, key = found
            return RegisteredElement(table, key, _names(sdata, name, binding))
    return None


def _bindings(layer: Layer) -> Iterator[tuple[Any, Any]]:
    """Yield the SpatialData object and the entry of each registry with a layer."""
    for plugin in _PLUGINS:
        module = sys.modules.get(f"{plugin}._app_state")
        states = getattr(module, "_VIEWER_APP_STATES", None)
        for state in list(states.values()) if states is not None else []:
            registry = getattr(state, "layer_bindings", None)
            binding = None if registry is None else registry.get_binding(layer)
            sdata = getattr(state, "sdata", None)
            # Numbers of objects are given again: an entry of another layer is none.
            if binding is None or sdata is None or binding.layer is not layer:
                continue
            if getattr(binding, "sdata_id", None) in (None, id(sdata)):
                yield sdata, binding


def _table_of(sdata: Any, element: Any) -> tuple[AnnData, str] | None:
    """Return the rows of the table that annotates an element, and its key column."""
    best = None
    for table in getattr(sdata, "tables", {}).values():
        attrs = table.uns.get(_ATTRIBUTES, {})
        region, key = attrs.get("region"), str(attrs.get("instance_key"))
        regions = [region] if isinstance(region, str) else list(region or [])
        if element not in regions or key not in table.obs or not table.n_vars:
            continue
        if best is None or table.n_vars > best[0].n_vars:
            regions_of_rows = table.obs[attrs["region_key"]].astype(str)
            rows = np.asarray(regions_of_rows == str(element))
            best = (table if rows.all() else table[rows]), key
    return best


def _names(sdata: Any, element: Any, binding: Any) -> tuple[Any, ...] | None:
    rows = getattr(binding, "source_row_id_by_rendered_row", None)
    if rows is None:
        return None
    index = sdata[element].index
    return tuple(index[np.asarray(rows, dtype=np.int64)])
