"""Our columns in a layer's table of features, beside those of users and plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Layer
    from pandas import DataFrame, Series

OWN_FEATURES = "semst_own_features"
"""Key of a layer's metadata for our columns of its features: our name for each, and
the name that it has there."""

BARCODE = "barcode"
"""Our column that tells which spot of the tissue a point is."""

_OURS = " (SemST)"


def own_column(layer: Layer, name: str) -> Series | None:
    """Return one of our columns of a layer's table, None where it is gone."""
    there = layer.metadata.get(OWN_FEATURES, {}).get(name)
    return layer.features.get(there, None)


def features_of_others(layer: Layer) -> DataFrame:
    """Return the columns of a layer's table that are not ours."""
    ours = layer.metadata.get(OWN_FEATURES, {}).values()
    return layer.features.drop(columns=[x for x in ours if x in layer.features])


def put_own_features(
    layer: Layer, table: DataFrame, others: DataFrame | None = None
) -> None:
    """Put our columns into a layer's table, in the place of those we put there last.

    What users and other plugins put there stays. Where one of their columns has a
    name of ours, ours is the one that is told apart, by ``(SemST)``.

    Parameters
    ----------
    layer
        Points.
    table
        A row for each point.
    others
        Columns to keep; `None`: those that the layer has.
    """
    from pandas import concat

    others = features_of_others(layer) if others is None else others
    names = {name: name + _OURS * (name in others) for name in table}
    ours = table.rename(columns=names).reset_index(drop=True)
    layer.metadata[OWN_FEATURES] = names
    layer.features = concat([ours, others.reset_index(drop=True)], axis=1)


def own_features_again(layer: Layer) -> DataFrame:
    """Return our columns as they are in a layer's table, by our names for them."""
    ours = layer.metadata.get(OWN_FEATURES, {})
    there = {name: column for name, column in ours.items() if column in layer.features}
    table = layer.features[list(there.values())]
    return table.set_axis(list(there), axis=1)
