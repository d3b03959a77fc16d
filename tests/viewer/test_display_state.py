from __future__ import annotations

import numpy as np
from napari.layers import Layer, Points

from napari_semst.viewer.adapter import layers_of
from napari_semst.viewer.display_state import DisplayState, show_labels_on_hover
from tests.widgets.stand_in import small_tissue


def test_a_layer_remembers_its_look():
    layer = Points(np.zeros((2, 2)))
    assert DisplayState.of(layer) == DisplayState()
    for look in (
        DisplayState("semst_domain", "one", 4, True),
        DisplayState("semst_domain", "one"),
    ):
        look.keep_in(layer)
        assert DisplayState.of(layer) == look


def test_hovering_tells_the_level_only_while_there_is_one():
    tissue = small_tissue()
    layer = Layer.create(*layers_of(tissue)[-1])
    layer.features = layer.features.assign(mine=1)
    ones, threes = np.full(tissue.n_obs, "1"), np.full(tissue.n_obs, "3")
    show_labels_on_hover(layer, threes.astype(object))
    ours = ["barcode", "domain shown", "total_counts"]
    assert list(layer.features) == [*ours, "mine"]
    assert set(layer.features["domain shown"]) == {"3"}
    show_labels_on_hover(layer, ones.astype(object))
    assert set(layer.features["domain shown"]) == {"1"}
    show_labels_on_hover(layer, None)
    assert list(layer.features) == ["barcode", "total_counts", "mine"]
