"""What was done to a section's layers with the viewer's own tools, and undoing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_semst.viewer import adapter, spots
from napari_semst.viewer.arrange import arrange
from napari_semst.viewer.canvas.drawn import drawn_as
from napari_semst.viewer.canvas.own_features import (
    BARCODE,
    features_of_others,
    own_column,
    put_own_features,
)
from napari_semst.viewer.canvas.units import canvas_per_layer, layer_matrix, layer_units
from napari_semst.viewer.hover_features import features_of
from napari_semst.viewer.sections import section_shown, sections_by, show_section
from napari_semst.viewer.spots import tissue_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer
    from numpy.typing import NDArray
    from pandas import DataFrame

    Floats = NDArray[np.float64]

ChangeKind = Literal["points", "places", "colours", "features", "apart", "hidden"]

# Of a spot's diameter, how far a spot may lie beside its place on the image.
_APART = 0.25


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One thing that was done to a section's layer.

    Parameters
    ----------
    kind
        ``points``: they are not the section's spots; ``places``: spots were moved;
        ``colours``: painted otherwise; ``features``: our columns are not as we wrote
        them; ``apart``: spots and image do not lie on each other any more;
        ``hidden``: the layer is not shown.
    count
        Of the points or columns that it concerns.
    found
        Points that there are now.
    """

    kind: ChangeKind
    count: int = 0
    found: int = 0

    @property
    def breaks_colours(self) -> bool:
        """Whether the colours on the canvas are not those that a legend tells of."""
        return self.kind in ("points", "colours")


def layer_changes(
    layer: Layer, images: Sequence[Layer], layers: Any
) -> tuple[LayerChange, ...]:
    """Return what was done to a section's layers since we drew them.

    Parameters
    ----------
    layer, images
        The spots and their images.
    layers
        Of the viewer.
    """
    tissue, kept = tissue_of(layer), drawn_as(layer)
    if tissue is None or kept is None:
        return ()
    found = []
    if not spots.holds_its_spots(layer):
        return (LayerChange("points", *_lost(layer)),)
    if kept.places is not None:
        moved = int((np.asarray(layer.data) != kept.places).any(axis=1).sum())
        if moved:
            found.append(LayerChange("places", moved))
        # Painted by value or by column, the colours are the viewer's.
        direct = str(layer.face_color_mode) == "direct" and kept.colours is not None
        if not direct or not np.array_equal(layer.face_color, kept.colours):  # type: ignore[arg-type]
            found.append(LayerChange("colours"))
        barcodes = own_column(layer, BARCODE)
        names = tissue.obs_names.to_numpy(dtype=object)
        if barcodes is None or not np.array_equal(barcodes.to_numpy(object), names):
            found.append(LayerChange("features", 1))
    if any(_apart(layer, image, layers) for image in images if image.visible):
        found.append(LayerChange("apart"))
    if not layer.visible:
        found.append(LayerChange("hidden"))
    return tuple(found)


def _lost(layer: Layer) -> tuple[int, int]:
    """Return how many of the spots no point stands for, and how many points there are.

    Where the points cannot be told from one another all spots count.
    """
    tissue, barcodes = tissue_of(layer), own_column(layer, BARCODE)
    assert tissue is not None
    if barcodes is None:
        return tissue.n_obs, len(layer.data)
    left = np.isin(tissue.obs_names.to_numpy(dtype=str), barcodes.to_numpy(dtype=str))
    return int((~left).sum()), len(layer.data)


def _apart(layer: Layer, image: Layer, layers: Any) -> bool:
    """Return whether spots and an image were moved from each other."""
    drawn = drawn_as(image)
    if drawn is None:
        return False
    own, other = _by_hand(layer, layers), _by_hand(image, layers)
    pixels = image.data[0] if getattr(image, "multiscale", False) else image.data
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [height, 0], [0, width], [height, width]], np.float64)
    places = corners * drawn.scale[-2:] + drawn.translate[-2:]
    away = _moved(places, own) - _moved(places, other)
    diameter = float(np.median(spots.diameters(layer)))
    size = float(np.sqrt(abs(np.linalg.det(own[:2, :2]))))
    return bool(np.abs(away).max() > _APART * diameter * size)


def _by_hand(layer: Layer, layers: Any) -> Floats:
    """Return what was done to a layer's place since it was drawn, ``(3, 3)``."""
    drawn = drawn_as(layer)
    assert drawn is not None
    before = np.diag([*drawn.scale[-2:], 1.0])
    before[:2, 2] = drawn.translate[-2:]
    now = layer_matrix(layer)
    now[:2] *= canvas_per_layer(layers, layer)
    return np.asarray(now @ np.linalg.inv(before))


def _moved(places: Floats, matrix: Floats) -> Floats:
    return np.asarray(places @ matrix[:2, :2].T + matrix[:2, 2])


def mend_features(layer: Layer) -> bool:
    """Put our columns back where they were cut off or changed; others stay.

    Returns
    -------
    bool
        Whether the points are still the spots, so that it could be done.
    """
    adapter.refresh(layer)
    return spots.holds_its_spots(layer)


def restore_layers(layer: Layer, images: Sequence[Layer]) -> tuple[str, ...]:
    """Draw a section's layers as the data say, with the colours that we gave them.

    Parameters
    ----------
    layer, images
        The spots and their images.

    Returns
    -------
    tuple of str
        The columns of others in the table of features that could not be kept, as
        nothing tells which of their rows is which spot.
    """
    tissue, kept = tissue_of(layer), drawn_as(layer)
    if tissue is None or kept is None:
        return ()
    lost: tuple[str, ...] = ()
    if spots.raster_of(layer) is None:
        whole, others = spots.holds_its_spots(layer), features_of_others(layer)
        if not whole:
            others, lost = _by_spot(layer, others)
        column = sections_by(layer)
        arrangement = arrange(tissue, layer.metadata.get(adapter.COORDINATES), column)
        layer.selected_data = set()
        sizes = layer.size if whole else arrangement.diameters
        spots.move(layer, arrangement.positions, sizes)
        own = features_of(tissue, adapter.hover_sections_by(layer))
        put_own_features(layer, own, others)
        assert kept.colours is not None
        spots.paint_layer(layer, kept.colours)
        show_section(layer, section_shown(layer), images)
    units = layer_units(layer)
    for one in (layer, *images):
        _put_back(one, units)
    return lost


def _by_spot(layer: Layer, others: DataFrame) -> tuple[DataFrame, tuple[str, ...]]:
    """Return others' columns with a row for each spot, and the names of those lost."""
    tissue, barcodes = tissue_of(layer), own_column(layer, BARCODE)
    assert tissue is not None
    table = others.set_axis([""] * len(others)) if barcodes is None else others
    if barcodes is not None:
        table = others.set_axis(barcodes.astype(str).to_numpy())
    # A point that was added has the name of another, or none.
    table = table[~table.index.duplicated()]
    known = table.index.isin(tissue.obs_names)
    if others.shape[1] and not known.any():
        return table.iloc[:0].reindex(tissue.obs_names)[[]], tuple(map(str, others))
    return table.reindex(tissue.obs_names), ()


def _put_back(layer: Layer, units: dict[str, Any]) -> None:
    kept = drawn_as(layer)
    if kept is None:
        return
    layer.affine = np.eye(layer.ndim + 1)
    layer.rotate, layer.shear = 0.0, np.zeros(1)
    layer.scale, layer.translate = kept.scale, kept.translate
    if units:
        layer.units = units["units"]
