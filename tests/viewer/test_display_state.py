from __future__ import annotations

import numpy as np
from napari.layers import Points

from napari_semst.viewer.display_state import DisplayState, show_labels_on_hover


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
    layer = Points(np.zeros((2, 2)), features={"barcode": ["a", "b"], "n": [1, 2]})
    show_labels_on_hover(layer, np.array(["1", "3"], object))
    assert list(layer.features) == ["barcode", "domain shown", "n"]
    assert list(layer.features["domain shown"]) == ["1", "3"]
    show_labels_on_hover(layer, np.array(["1", "1"], object))
    assert list(layer.features["domain shown"]) == ["1", "1"]
    show_labels_on_hover(layer, None)
    assert list(layer.features) == ["barcode", "n"]
