"""Places and lengths are the same in whatever unit a layer is."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_semst.viewer import adapter, pinned_copies, sections, spots, spots_as_image
from napari_semst.viewer.canvas.units import canvas_per_layer
from tests.widgets.stand_in import small_tissue

# napari 0.6.2 keeps units and draws numbers: there the canvas has every layer's unit.
drawn_in_units = pytest.mark.skipif(
    not hasattr(ViewerModel().layers.extent, "units"),
    reason="this release of napari draws all units alike",
)


@pytest.fixture(params=["points", "image"])
def shown(request, monkeypatch):
    """A section in a viewer without a window: the viewer, the image and the spots."""
    if request.param == "image":
        monkeypatch.setattr(spots_as_image, "MOST_POINTS", 1)
    viewer = ViewerModel()
    for data in adapter.layers_of(small_tissue()):
        viewer.add_layer(Layer.create(*data))
    return viewer, *viewer.layers


def put_in(layer, unit, factor):
    layer.scale = np.array(layer.scale) * factor
    layer.translate = np.array(layer.translate) * factor
    layer.units = (unit, unit)


@drawn_in_units
def test_the_canvas_counts_in_the_smallest_unit(shown):
    viewer, image, layer = shown
    assert canvas_per_layer(viewer.layers, layer) == 1
    put_in(layer, "mm", 1e-3)
    # Pixels and millimetres do not go together: the viewer drops both.
    assert canvas_per_layer(viewer.layers, layer) == 1
    put_in(image, "um", 1)
    assert canvas_per_layer(viewer.layers, layer) == pytest.approx(1000)
    assert canvas_per_layer(viewer.layers, image) == 1


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("um", 1.0), pytest.param("mm", 1e-3, marks=drawn_in_units), ("um", 0.5)],
)
def test_a_spot_is_found_where_the_canvas_shows_it(shown, unit, factor):
    viewer, image, layer = shown
    put_in(layer, unit, factor)
    put_in(image, "um", 1.0)
    places = spots.positions(layer)[[6, 67]]
    box = sections.on_canvas(viewer, layer, places)
    in_micrometres = 1000 if unit == "mm" else 1
    np.testing.assert_allclose(box, places * factor * in_micrometres)
    per_layer = canvas_per_layer(viewer.layers, layer)
    assert spots.spot_at(layer, box[0] / per_layer) == 6
    assert spots.world_per_place(layer) == pytest.approx(factor)
    np.testing.assert_allclose(spots.to_places(layer, box / per_layer), places)


@drawn_in_units
def test_pins_stand_beside_a_section_in_two_units(shown):
    viewer, image, layer = shown
    put_in(layer, "um", 1.0)
    put_in(image, "mm", 1e-3)
    pinned_copies.pin(viewer, layer, "a")
    picture, copy = viewer.layers[-2:]
    # In pixels or others again, and all layers would lose their units.
    assert {str(one.units[0]) for one in viewer.layers} == {"micrometer", "millimeter"}
    away = [
        (np.array(new.translate) - old.translate)[-1] * factor
        for new, old, factor in ((copy, layer, 1), (picture, image, 1000))
    ]
    assert away[0] == pytest.approx(away[1])
    assert away[0] > 1000
