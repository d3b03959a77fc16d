from __future__ import annotations

import json

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.io.formats.cell_polygons import (
    centroids_and_areas,
    read_cell_polygons,
)
from tests.io.outs import square_of_cell


def write(path, features, **more):
    path.write_text(json.dumps({"type": "FeatureCollection", **more} | features))
    return path


def feature(name, kind, coordinates, key="cell_id"):
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": {key: name}}


def ring(x, y, half):
    return square_of_cell(1, x, y, half)["geometry"]["coordinates"][0]


def test_holes_pieces_and_lines_have_the_centres_that_they_should(tmp_path):
    features = [
        feature("square", "Polygon", [ring(10, 20, 2)]),
        feature("turned", "Polygon", [ring(1e6, -5, 2)[::-1]]),
        feature("hole", "Polygon", [ring(0, 0, 4), ring(2, 0, 2)[::-1]]),
        feature("pieces", "MultiPolygon", [[ring(0, 0, 1)], [ring(10, 0, 2)]]),
        feature("line", "Polygon", [[[0, 0], [4, 2], [0, 0]]]),
        feature("open", "Polygon", [ring(3, 3, 1)[:-1]]),
        feature("deep", "Polygon", [[[*corner, 7] for corner in ring(5, 6, 1)]]),
        feature("pieces", "Polygon", [ring(-10, 0, 2)]),
    ]
    path = write(tmp_path / "a.geojson", {"features": features}, name="x")
    polygons = read_cell_polygons(path)
    centroids, areas = centroids_and_areas(polygons)
    expected = {
        "square": (10, 20, 16),
        "turned": (1e6, -5, 16),
        "hole": (-2 * 16 / 48, 0, 48),
        "pieces": ((0 * 4 + 10 * 16 - 10 * 16) / 36, 0, 36),
        "line": (4 / 3, 2 / 3, 0),
        "open": (3, 3, 4),
        "deep": (5, 6, 4),
    }
    assert list(polygons.ids) == list(expected)
    found = np.column_stack([centroids, areas])
    np.testing.assert_allclose(found, list(expected.values()), atol=1e-9)
    assert list(polygons.cells) == [0, 1, 2, 2, 3, 3, 4, 5, 6, 3]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("block", [7, 100, 10**6])
def test_files_are_read_block_by_block(tmp_path, monkeypatch, block, indent):
    monkeypatch.setattr("napari_semst.io.formats.cell_polygons._BLOCK", block)
    features = [square_of_cell(n, 3.25 * n, -n, 1) for n in range(40)]
    text = json.dumps(
        {"type": "FeatureCollection", "features": features}, indent=indent
    )
    (tmp_path / "a.geojson").write_text(text)
    (tmp_path / "b.geojson").write_text(json.dumps(features, indent=indent))
    for name in ("a", "b"):
        polygons = read_cell_polygons(tmp_path / f"{name}.geojson")
        centroids, _ = centroids_and_areas(polygons)
        assert list(polygons.ids) == [str(n) for n in range(40)]
        np.testing.assert_allclose(centroids, [[3.25 * n, -n] for n in range(40)])
    for length in (len(text) // 2, len(text) - 3, len(text) - 1):
        (tmp_path / "a.geojson").write_text(text[:length].rstrip(" \n]}"))
        with pytest.raises(InputError, match="cut short"):
            read_cell_polygons(tmp_path / "a.geojson")


def test_features_without_an_outline_are_passed_over(tmp_path):
    features = [
        feature("a", "Point", [1, 2]),
        {"type": "Feature", "geometry": None, "properties": {"cell_id": 2}},
        feature("b", "Polygon", [ring(1, 2, 3)], key="label"),
        {**feature("", "Polygon", [ring(1, 2, 3)], key="other"), "id": "c"},
    ]
    path = write(tmp_path / "a.geojson", {"features": features})
    assert list(read_cell_polygons(path).ids) == ["b", "c"]


@pytest.mark.parametrize(
    "spoilt",
    [
        feature("a", "Polygon", [[[1], [2], [3]]]),
        feature("a", "Polygon", [["x", "yy"]]),
        feature("a", "Polygon", [1, 2]),
        feature("a", "Polygon", [[["1", "2"], ["3", "4"], ["1", "2"]]]),
        feature(None, "Polygon", [ring(1, 2, 3)]),
        feature("a", "Polygon", [[[1, 2], [float("nan"), 2], [1, 3]]]),
        "text",
    ],
)
def test_other_values_are_refused(tmp_path, spoilt):
    path = write(tmp_path / "a.geojson", {"features": [spoilt]})
    with pytest.raises(InputError, match=r"a\.geojson"):
        read_cell_polygons(path)


def test_a_damaged_feature_is_refused_without_reading_on(tmp_path):
    features = [square_of_cell(n, n, n, 1) for n in range(30)]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (tmp_path / "a.geojson").write_text(
        text.replace('"type"', "type", 1).replace('"Feature"', "Feature", 12)
    )
    with pytest.raises(InputError, match=r"a\.geojson"):
        read_cell_polygons(tmp_path / "a.geojson")
