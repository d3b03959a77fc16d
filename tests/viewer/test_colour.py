from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from napari_semst.viewer.colour import (
    MISSING,
    paint_categories,
    paint_numbers,
    robust_limits,
)
from napari_semst.viewer.spots import paint_layer


def test_categories_get_their_colours_and_counts():
    paint = paint_categories(
        np.array([0, 1, 1, -1]), ["a", "b", "c"], ["#ff0000", "#00ff00", "#0000ff"]
    )
    np.testing.assert_allclose(paint.rgba[:3, :3], [[1, 0, 0], [0, 1, 0], [0, 1, 0]])
    np.testing.assert_allclose(paint.rgba[3], to_rgba(MISSING), atol=1e-6)
    rows = [(e.name, e.count, e.share) for e in paint.entries]
    assert rows == [("a", 1, 0.25), ("b", 2, 0.5), ("c", 0, 0.0), ("none", 1, 0.25)]


def test_numbers_run_between_robust_limits():
    values = np.append(np.linspace(0, 1, 101), 1e6)
    paint = paint_numbers(values, "gray")
    assert paint.limits[1] < 1.5
    assert paint.extent == (0.0, 1e6)
    assert paint.rgba[0, 0] == 0.0
    assert paint.rgba[-1, 0] == 1.0
    assert np.all(np.diff(paint.rgba[:101, 0]) >= 0)


def test_spots_without_a_value_are_grey():
    paint = paint_numbers(np.array([0.0, np.nan, np.inf, 1.0]))
    assert paint.n_missing == 2
    for row in (1, 2):
        np.testing.assert_allclose(paint.rgba[row], to_rgba(MISSING), atol=1e-6)


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([np.nan, np.nan], (0.0, 1.0)),
        ([3.0, 3.0], (3.0, 3.0)),
        # All but one are the same: the percentiles alone would show nothing.
        ([*([0.0] * 999), 7.0], (0.0, 7.0)),
    ],
)
def test_limits_of_odd_values(values, limits):
    assert robust_limits(np.array(values)) == limits
    assert np.isfinite(paint_numbers(np.array(values)).rgba).all()


def test_layer_is_painted_in_place():
    from napari.layers import Points

    layer = Points(np.zeros((3, 2)), face_color=np.ones((3, 4)))
    rgba = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], np.float32)
    paint_layer(layer, rgba)
    np.testing.assert_allclose(layer.face_color, rgba)
    assert str(layer.face_color_mode) == "direct"
    with pytest.raises(ValueError, match="3 points; got 2"):
        paint_layer(layer, rgba[:2])


def test_layer_coloured_by_a_feature_is_painted_too():
    from napari.layers import Points

    layer = Points(
        np.zeros((3, 2)), features={"kind": ["a", "b", "a"]}, face_color="kind"
    )
    rgba = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], np.float32)
    paint_layer(layer, rgba)
    np.testing.assert_allclose(layer.face_color, rgba)
