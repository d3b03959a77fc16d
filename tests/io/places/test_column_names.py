from __future__ import annotations

import numpy as np
import pytest

from napari_semst.io.places.column_names import order_columns, place_pairs, unfold_array


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("x", "y"),
        ("pxl_col_in_fullres", "pxl_row_in_fullres"),
        ("imagecol", "imagerow"),
        ("array_col", "array_row"),
        ("col", "row"),
        ("sdimx", "sdimy"),
        ("X_centroid", "Y_centroid"),
        ("Centroid.X", "Centroid.Y"),
        ("Centroid X \u00b5m", "Centroid Y \u00b5m"),
        ("x_\u03bcm", "y_\u03bcm"),
        ("CenterX_global_px", "CenterY_global_px"),
        ("x_slide_mm", "y_slide_mm"),
        ("spatial_1", "spatial_2"),
    ],
)
def test_a_pair_is_known_in_either_order(x, y):
    assert place_pairs(["area", y, "gene", x]) == [(x, y)]
    assert order_columns([y, x])[:2] == (1, 0)
    assert order_columns([x, y]) == (0, 1, "")


def test_small_letters_and_pixels_go_first():
    assert place_pairs(["Y", "X", "y", "x"])[0] == ("x", "y")
    found = place_pairs(["array_row", "array_col", "imagerow", "imagecol"])
    assert found == [("imagecol", "imagerow"), ("array_col", "array_row")]


@pytest.mark.parametrize(
    "names",
    [
        ["CenterX_local_px", "CenterY_local_px"],
        ["umap_x", "umap_y"],
        ["min_x", "min_y"],
        ["x_centroid", "y_position"],
        ["UMAP_1", "UMAP_2"],
    ],
)
def test_what_is_no_place_in_the_section_is_not_found(names):
    assert place_pairs(names) == []


def test_names_that_count_are_put_in_order():
    assert order_columns(["1", "0"]) == (1, 0, "")
    assert order_columns(["dim2", "dim1"]) == (1, 0, "")


@pytest.mark.parametrize(
    ("names", "order", "word"),
    [
        (["a", "b"], (0, 1), "the first is taken as x"),
        (["y_px", "x_um"], (1, 0), "do not match"),
        (["first", "x"], (1, 0), "does not say its axis"),
    ],
)
def test_a_doubt_is_told(names, order, word):
    found = order_columns(names)
    assert found[:2] == order
    assert word in found.doubt


def test_genes_are_never_places():
    assert place_pairs([f"Cell_x{i}" for i in range(600)] + ["loc_x", "loc_y"]) == []


def test_only_places_on_a_hexagonal_array_are_unfolded():
    hexagonal = np.array([[2.0 * c + r % 2, r] for r in range(5) for c in range(5)])
    there, told = unfold_array(hexagonal, "col", "row")
    np.testing.assert_allclose(there, hexagonal * [1, np.sqrt(3)])
    assert "not pixels" in told[0]
    assert unfold_array(hexagonal, "x", "y")[0] is hexagonal
    pixels = hexagonal * 100
    assert unfold_array(pixels, "col", "row")[0] is pixels
    square = np.array([[c, r] for r in range(5) for c in range(5)], float)
    assert unfold_array(square, "col", "row") == (pytest.approx(square), ())
