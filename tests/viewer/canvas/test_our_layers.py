"""napari's box for resolution, its writers and its figures cope with our layers."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer, Points
from napari.utils.io import imsave

from napari_semst.viewer import adapter, hover, spots, spots_as_image
from napari_semst.viewer.canvas import our_layers
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def layer(monkeypatch):
    """Spots that are an image, in a viewer without a window."""
    monkeypatch.setattr(spots_as_image, "MOST_POINTS", 1)
    return shown()[-1]


def shown(wide=1):
    viewer, tissue = ViewerModel(), small_tissue()
    tissue.obsm["spatial"] *= wide
    for data in adapter.layers_of(tissue):
        viewer.add_layer(Layer.create(*data))
        hover.receive_layer(viewer.layers[-1])
    return viewer.layers


needs_box = pytest.mark.skipif(
    not hasattr(Image, "locked_data_level"), reason="napari has no such box"
)


@needs_box
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_resolution_too_fine_is_shown_as_fine_as_can_be(layer, level):
    layer.locked_data_level = level
    finest = layer.locked_data_level
    assert max(layer.level_shapes[finest]) == our_layers.MOST_WHOLE
    # Whatever comes then can be done.
    spots.paint_layer(layer, np.ones((120, 4), np.float32))
    layer.locked_data_level = None
    assert layer.locked_data_level is None


@needs_box
def test_a_resolution_that_can_be_drawn_is_drawn(layer):
    for level in (7, 8):
        layer.locked_data_level = level
        assert layer.locked_data_level == level
    layer.locked_data_level = 99
    assert layer.locked_data_level == 8


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_a_picture_of_the_spots_is_saved_at_a_fair_size(
    layer, tmp_path, ending, monkeypatch
):
    monkeypatch.setattr(our_layers, "MOST_EXPORTED", 1024)
    from imageio.v3 import imread

    levels, _, _ = layer.as_layer_data_tuple()
    path = str(tmp_path / f"spots{ending}")
    imsave(path, levels)
    picture = imread(path)
    assert max(picture.shape) == our_layers.MOST_EXPORTED
    level = next(one for one in layer.data if one.shape == picture.shape)
    np.testing.assert_array_equal(picture, np.asarray(level))


def test_a_layer_that_is_duplicated_has_all_levels(layer):
    data, state, kind = layer.as_layer_data_tuple()
    copy = Layer.create(deepcopy(data), state, kind)
    assert (kind, len(copy.data)) == ("image", len(layer.data))
    hover.receive_layer(copy)
    assert type(copy) is type(layer)
    spots.paint_layer(copy, np.ones((120, 4), np.float32))


@pytest.mark.parametrize("many", [False, True])
def test_a_figure_of_napari_asks_for_no_more_than_can_be(monkeypatch, many):
    """It has a pixel for each of the finest layer's, over all layers."""
    if many:
        monkeypatch.setattr(spots_as_image, "MOST_POINTS", 1)
    layers = shown(40)  # 48,000 units, and pixels of a picture, wide
    for _ in range(2):
        world, step = layers.extent.world, layers.extent.step
        asked = np.ptp(world, axis=0) / step
        assert asked.max() > our_layers.MOST_EXPORTED * 0.8
        assert asked.max() < our_layers.MOST_EXPORTED * 1.2
        # What was kept of the extent is given up when the layer moves.
        layers[-1].translate = np.array(layers[-1].translate) + 5


def test_layers_of_others_are_left_alone():
    for one in (Points(np.zeros((3, 2))), Image(np.zeros((4, 4)))):
        kind = type(one)
        hover.receive_layer(one)
        assert type(one) is kind
