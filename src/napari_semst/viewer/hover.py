"""Our layers as they come into a viewer.

The status bar over spots is the same for points and images, and napari handles both as
they can be handled.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

from napari_semst.viewer import adapter, spots
from napari_semst.viewer.canvas.for_others import metadata_for_others
from napari_semst.viewer.hover_features import features_of
from napari_semst.viewer.outlines.load_outlines import read_outlines_when_wanted
from napari_semst.viewer.spots import tissue_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer
    from napari.types import LayerData


def watch_current(layers: Sequence[LayerData]) -> None:
    """Receive the layers that the current viewer is about to make.

    A reader returns data, of which the viewer makes layers by itself.

    Parameters
    ----------
    layers
        Data of layers, as `adapter.layers_of` returns them.
    """
    if not layers:
        return
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        # Connecting the same function twice is one connection.
        viewer.layers.events.inserted.connect(_on_inserted)


def _on_inserted(event: Any) -> None:
    receive_layer(event.value)


def receive_layer(layer: Layer) -> None:
    """Make of a layer that came into a viewer what it is to be there, if it is ours.

    The mouse over an image of spots tells the spot, outlines are read when they are
    looked at, and napari can save and export what it could not.
    """
    from napari_semst.viewer.canvas.our_layers import take_in_hand

    # A plugin's viewer hands out stand-ins of layers.
    layer = getattr(layer, "__wrapped__", layer)
    take_in_hand(layer)
    carry_for_others(layer)
    read_outlines_when_wanted(layer)
    if spots.raster_of(layer) is not None:
        layer.get_status = MethodType(_status, layer)


def carry_for_others(layer: Layer) -> None:
    """Give a section's points what plugins that were loaded since look for in them."""
    layer = getattr(layer, "__wrapped__", layer)
    tissue = tissue_of(layer)
    if tissue is not None and spots.raster_of(layer) is None:
        known = layer.metadata.get("indices")
        if known is None or len(known) != tissue.n_obs:
            layer.metadata.update(metadata_for_others(tissue))


def _status(
    layer: Layer, position: Any = None, *, world: bool = False, **more: Any
) -> dict[str, Any]:
    """Return the layer's own status with the spot in the place of the pixel."""
    status: dict[str, Any] = type(layer).get_status(
        layer, position, world=world, **more
    )
    if position is None:
        return status
    place = position if world else layer.data_to_world(position)
    spot = spots.spot_at(layer, place)
    text = status.get("value", "")
    new = "" if spot is None else spot_in_words(layer, spot)
    for part in ("coordinates", "value"):
        if text and part in status:
            status[part] = status[part].removesuffix(text) + new
    return status


def features_at(layer: Layer, spot: int) -> dict[str, Any]:
    """Return the features that hovering over a spot of a layer shows, by name.

    Parameters
    ----------
    layer
        The spots, as points or as an image.
    spot
        Index of the spot.
    """
    tissue = tissue_of(layer)
    if spots.raster_of(layer) is None or tissue is None:
        return dict(layer.features.iloc[spot])
    row = (
        features_of(tissue, adapter.hover_sections_by(layer), [spot]).iloc[0].to_dict()
    )
    more = layer.metadata.get(spots.MORE_FEATURES, {})
    features = {name: values[spot] for name, values in more.items()}
    return {"barcode": row.pop("barcode"), **features, **row}


def spot_in_words(layer: Layer, spot: int) -> str:
    """Return a spot's number and features as the status bar shows those of points."""
    features = features_at(layer, spot).items()
    # What is not known is not equal to itself.
    known = [f"{name}: {_word(value)}" for name, value in features if value == value]
    return f"{spot}; {', '.join(known)}"


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value)
