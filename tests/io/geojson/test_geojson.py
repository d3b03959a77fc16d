"""Regions to QuPath and back: nothing lost, nothing believed."""

from __future__ import annotations

import json
import uuid

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_semst import add_regions, keys, write_geojson
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.io.geojson import parse
from napari_semst.io.geojson.outline import outlines
from napari_semst.io.read import read
from napari_semst.wording import for_shell

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
HOLE = [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]


def section(places, labels=None) -> AnnData:
    places = np.asarray(places, dtype=float)
    obs = pd.DataFrame(index=[f"spot {i}" for i in range(len(places))])
    if labels is not None:
        obs["label"] = pd.Categorical(labels)
    return AnnData(shape=(len(places), 0), obs=obs, obsm={"spatial": places})


def feature(kind="Polygon", coordinates=(SQUARE,), **properties):
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@pytest.fixture
def put(tmp_path):
    def write(value, name="regions.geojson"):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path

    return write


def labels_of(tissue, column="regions"):
    return [None if pd.isna(v) else v for v in tissue.obs[column]]


def same_labels(tissue, column, back="regions"):
    one, other = labels_of(tissue, column), labels_of(tissue, back)
    assert one == other


@pytest.mark.parametrize("shapes", ["regions", "spots", "both"])
def test_labels_and_colours_come_back(tissue, tmp_path, shapes):
    tissue.obs["ground_truth"] = tissue.obs["ground_truth"].where(
        np.arange(tissue.n_obs) % 9 > 0
    )
    tissue.uns["ground_truth_colors"] = ["#ff0000", "lime", "#0000ff"]
    path = tmp_path / "a.geojson"
    write_geojson(tissue, path, column="ground_truth", shapes=shapes)
    told = add_regions(tissue, path)
    same_labels(tissue, "ground_truth")
    wanted = dict(zip(["band 0", "band 1", "band 2"],
                      ["#ff0000", "#00ff00", "#0000ff"], strict=True))  # fmt: skip
    assert dict(zip(told.names, told.colors, strict=True)) == wanted
    assert list(tissue.uns["regions_colors"]) == list(told.colors)
    assert told.outside == tissue.obs["ground_truth"].isna().sum()
    assert sum(told.counts) + told.outside == tissue.n_obs
    assert told.overlapping == 0
    assert [p.name for p in tmp_path.iterdir()] == ["a.geojson"]


def test_the_layout_is_that_of_qupath(tissue, tmp_path):
    tissue.obs[keys.DOMAIN] = tissue.obs["ground_truth"].cat.codes.astype(str)
    tissue.obs[keys.CONFIDENCE] = np.linspace(0, 1, tissue.n_obs)
    tissue.obs.iloc[0, tissue.obs.columns.get_loc(keys.CONFIDENCE)] = np.nan
    path = tmp_path / "a.geojson"
    write_geojson(tissue, path, shapes="both")
    first = path.read_bytes()
    whole = json.loads(first)
    assert whole["type"] == "FeatureCollection"
    regions, spots = whole["features"][:3], whole["features"][3:]
    assert len(spots) == tissue.n_obs
    for one in whole["features"]:
        assert one["type"] == "Feature"
        assert uuid.UUID(one["id"]).version == 5
        group = one["properties"]["classification"]
        assert set(group) == {"name", "color"}
        assert all(type(v) is int and 0 <= v <= 255 for v in group["color"])
        values = one["properties"]["measurements"].values()
        assert all(isinstance(value, int | float) for value in values)
    assert {one["properties"]["objectType"] for one in regions} == {"annotation"}
    assert {one["properties"]["objectType"] for one in spots} == {"detection"}
    assert len({one["id"] for one in whole["features"]}) == 3 + tissue.n_obs
    assert "confidence" not in spots[0]["properties"]["measurements"]
    assert spots[5]["properties"]["measurements"]["confidence"] == pytest.approx(
        tissue.obs[keys.CONFIDENCE].iloc[5], abs=1e-6
    )
    # By their bounding box QuPath reads ellipses.
    (ring,) = spots[7]["geometry"]["coordinates"]
    box = np.array([np.min(ring, axis=0), np.max(ring, axis=0)])
    np.testing.assert_allclose(box.mean(0), tissue.obsm["spatial"][7], atol=0.01)
    np.testing.assert_allclose(np.diff(box, axis=0)[0], 100, atol=0.1)
    write_geojson(tissue, path, shapes="both", overwrite=True)
    assert path.read_bytes() == first


def rings_of(polygons):
    return [ring for polygon in polygons for ring in polygon]


def signed(ring):
    x, y = (ring - ring[0]).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


def check_rings(found, total):
    """Closed, simple in their corners, outer rings one way and holes the other."""
    area = 0.0
    for polygons in found:
        for outer, *holes in polygons:
            assert signed(outer) > 0
            assert all(signed(hole) < 0 for hole in holes)
            area += sum(signed(ring) for ring in (outer, *holes))
        for ring in rings_of(polygons):
            assert (ring[0] == ring[-1]).all()
            assert len(np.unique(ring, axis=0)) == len(ring) - 1
    assert area == pytest.approx(total)


def lattice(kind):
    row, column = np.divmod(np.arange(400), 20)
    if kind == "squares":
        return 8.0 * np.stack([column, row], axis=1)
    return np.stack([100 * column + 50.0 * (row % 2), 86.6025 * row], axis=1)


@pytest.mark.parametrize(("kind", "ground"), [("squares", 64.0), ("hexagons", 8660.25)])
def test_tiles_of_a_lattice_are_squares_and_hexagons(kind, ground):
    rng = np.random.default_rng(1)
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    places = lattice(kind) @ turn + 1e4
    codes = rng.integers(-1, 3, len(places))
    found = outlines(places, codes, 3, 1.0)
    check_rings(found, ground * (codes >= 0).sum())
    one = outlines(places, np.zeros(len(places), dtype=int), 1, 1.0)
    assert [len(polygon) for polygon in one[0]] == [1]


def test_polygons_are_valid_as_geometry_has_it():
    shapely = pytest.importorskip("shapely", reason="shapely is not installed")
    rng = np.random.default_rng(0)
    for places in (lattice("squares"), rng.random((500, 2)) * 100):
        found = outlines(places, rng.integers(0, 3, len(places)), 3, 1.0)
        whole = [
            shapely.MultiPolygon([(outer, holes) for outer, *holes in polygons])
            for polygons in found
        ]
        assert all(one.is_valid for one in whole)
        union = shapely.unary_union(whole).area
        assert union == pytest.approx(sum(one.area for one in whole))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    n=st.integers(1, 60),
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["scattered", "grid", "line", "clumps"]),
    size=st.sampled_from([1e-3, 1.0, 1e4]),
)
def test_any_places_come_back(tmp_path, n, seed, kind, size):
    rng = np.random.default_rng(seed)
    places = rng.random((n, 2))
    if kind == "grid":
        places = np.unique(rng.integers(0, 8, (n, 2)), axis=0).astype(float)
    elif kind == "line":
        places[:, 1] = 0.5
    elif kind == "clumps":
        places = np.round(places) * 50 + rng.normal(size=(n, 2))
    labels = rng.choice(["a", "b: c", "ü"], len(places))
    tissue = section(places * size, labels)
    path = tmp_path / "a.geojson"
    shapes = ("regions", "spots")[seed % 2]
    write_geojson(tissue, path, column="label", shapes=shapes, overwrite=True)
    add_regions(tissue, path, overwrite=True)
    same_labels(tissue, "label")


def test_spots_at_one_place_are_told(tmp_path):
    places = [[0, 0], [0, 0], [5, 5], [9, 0], [9, 1e-9]]
    tissue = section(places, ["a", "b", "b", "b", "a"])
    written = write_geojson(tissue, tmp_path / "a.geojson", column="label")
    assert "4 spots share their place" in written.notes[0]
    add_regions(tissue, written.path)
    assert labels_of(tissue)[:3] == ["a", "a", "b"]


def test_pixels_are_not_micrometres(tissue, tmp_path):
    path = tmp_path / "a.geojson"
    write_geojson(tissue, path, column="ground_truth", pixel_size=0.5)
    (ring, *_) = json.loads(path.read_text())["features"][0]["geometry"]["coordinates"]
    high = tissue.obsm["spatial"][:, 0].max()
    assert np.max(np.array(ring)[:, 0]) == pytest.approx(2 * high, rel=0.1)
    add_regions(tissue, path, pixel_size=0.5)
    same_labels(tissue, "ground_truth")


def test_one_section_of_several(tissue, tmp_path):
    half = np.arange(tissue.n_obs) % 2
    tissue.obs[keys.SECTION] = np.where(half, "one", "two")
    path = tmp_path / "a.geojson"
    with pytest.raises(InputError, match=r"one section.*section=") as found:
        write_geojson(tissue, path, column="ground_truth")
    assert "--section" in for_shell(found.value)
    with pytest.raises(InputError, match="'two', 'one'; got 'three'"):
        write_geojson(tissue, path, column="ground_truth", section="three")
    tissue.obs["half"] = pd.Categorical(np.where(half, "a", None))
    with pytest.raises(InputError, match="section 'two'"):
        write_geojson(tissue, path, column="half", section="two")
    write_geojson(tissue, path, column="ground_truth", section="one")
    add_regions(tissue, path, section="one")
    wanted = tissue.obs["ground_truth"].where(half == 1).tolist()
    assert labels_of(tissue) == [None if pd.isna(v) else v for v in wanted]


def test_real_sections_come_back(tmp_path, shared_data):
    tissue = read(shared_data / "tissue" / "DLPFC_151673.h5ad")
    tissue = AnnData(obs=tissue.obs, obsm=dict(tissue.obsm), uns=dict(tissue.uns))
    path = tmp_path / "a.geojson"
    write_geojson(tissue, path, column="ground_truth")
    assert add_regions(tissue, path).outside == 28
    same_labels(tissue, "ground_truth")


def test_holes_and_the_smallest_region(put):
    tissue = section([[5, 5], [2, 2], [8, 8], [11, 11]])
    inner = [[1, 1], [3, 1], [3, 3], [1, 3]]
    path = put(
        [
            feature(coordinates=[inner], classification={"name": "Tumour"}),
            feature(coordinates=[SQUARE, HOLE], name="Rest"),
        ]
    )
    told = add_regions(tissue, path)
    assert labels_of(tissue) == [None, "Tumour", "Rest", None]
    assert (told.names, told.counts) == (("Tumour", "Rest"), (1, 1))
    assert (told.outside, told.overlapping) == (2, 1)
    assert "1 spots lie in regions of several labels" in told.words()
    with pytest.raises(InputError, match="Choose another name"):
        add_regions(tissue, path)


@pytest.mark.parametrize(
    ("properties", "by", "label", "color"),
    [
        ({"classification": {"name": "A", "color": [1, 2, 3]}}, "class", "A",
         "#010203"),
        ({"classification": {"name": "A", "colorRGB": -3670016}}, "class", "A",
         "#c80000"),
        ({"classification": {"names": ["A", "B"]}}, "class", "A: B", None),
        ({"classification": "A", "color": [9, 9, 9]}, "class", "A", "#090909"),
        ({"classification": {"name": "A"}, "name": "mine"}, "name", "mine", None),
        ({"name": "mine\x00\nown"}, "class", "mine  own", None),
        ({}, "class", "unclassified", None),
        (None, "class", "unclassified", None),
    ],
)  # fmt: skip
def test_labels_as_versions_of_qupath_write_them(put, properties, by, label, color):
    one = feature() | {"properties": properties}
    tissue = section([[5, 5], [20, 20]])
    told = add_regions(tissue, put({"features": [one], "type": "FeatureCollection"}),
                       by=by)  # fmt: skip
    assert told.names == (label,)
    assert told.colors[0] == (color or told.colors[0])
    assert len(told.colors[0]) == 7


def test_other_shapes(put):
    tissue = section([[5, 5], [20, 20], [40, 40], [60, 60]])
    square = np.array(SQUARE)
    many = feature("MultiPolygon", [[SQUARE], [(square + 15).tolist()]], name="two")
    point = feature("MultiPoint", [[41, 40], [200, 200]], name="point")
    line = feature("LineString", SQUARE, name="line")
    nothing = {"type": "Feature", "geometry": None, "properties": {}}
    inner = feature("Point", [60, 60], name="child")
    parent = feature("Polygon", [SQUARE], objectType="root", childObjects=[inner])
    found = feature(objectType="detection", name="cell")
    path = put([many, point, line, nothing, parent, found])
    told = add_regions(tissue, path)
    assert labels_of(tissue) == ["two", "two", "point", "child"]
    assert told.notes == (
        "3 objects without an area or points were left out.",
        "1 detections beside annotations were left out.",
    )
    bare = {"type": "GeometryCollection", "geometries": [many["geometry"]]}
    assert add_regions(tissue, put(bare), "bare").counts == (2,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "file is empty"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "FeatureCollection, Feature or list"),
        ("[]", "found none"),
        ("[3]", "GeoJSON Feature; found a value of type int"),
        ('{"type": "FeatureCollection"}', "FeatureCollection, Feature or list"),
        (json.dumps(feature("Circle")), "found 'Circle'"),
        (json.dumps(feature(coordinates=[[["1", "2"]] * 4])), "pairs of numbers"),
        (json.dumps(feature(coordinates=[[[1, 2], [3]]])), "pairs of numbers"),
        (json.dumps(feature(coordinates=3)), "type int"),
        (json.dumps(feature(coordinates=[[[10**400, 1]] * 4])), "pairs of numbers"),
        ('{"type": "Polygon", "coordinates": [[[NaN, 1], [2, 3], [4, 5]]]}', "finite"),
        ('{"type": "Polygon", "coordinates": [[[1e999, 1], [2, 3], [4, 5]]]}',
         "finite"),
        ("PK\x03\x04", "compressed"),
        (json.dumps(feature(coordinates=[[[100, 100], [120, 100], [120, 120]]])),
         "none is. The spots lie between"),
    ],
)  # fmt: skip
def test_what_is_not_geojson_is_refused(put, text, words):
    tissue = section([[5, 5], [6, 6]])
    with pytest.raises(InputError, match=words):
        add_regions(tissue, put(text))
    assert "regions" not in tissue.obs


def test_large_files_are_refused(put, monkeypatch):
    monkeypatch.setattr(parse, "MOST_BYTES", 10)
    with pytest.raises(InputError, match="probably another file"):
        add_regions(section([[5, 5], [6, 6]]), put(feature()))


def test_what_cannot_be_written_is_said(tissue, tmp_path, monkeypatch):
    path = tmp_path / "a.geojson"
    with pytest.raises(InputError, match="semst_domain"):
        write_geojson(tissue, path)
    tissue.obs["many"] = [f"{i}" for i in range(tissue.n_obs)]
    with pytest.raises(ConfigError, match="shapes"):
        write_geojson(tissue, path, column="many", shapes="dots")
    with pytest.raises(ConfigError, match="pixel size"):
        write_geojson(tissue, path, column="many", pixel_size=0)
    for label in ("", " a", "a\nb", "x" * 201):
        tissue.obs["odd"] = label
        with pytest.raises(InputError, match="Rename it"):
            write_geojson(tissue, path, column="odd")
    with monkeypatch.context() as patch:
        patch.setattr("napari_semst.io.geojson.write.MOST_SPOTS", 9)
        with pytest.raises(ConfigError, match="Write regions instead"):
            write_geojson(tissue, path, column="ground_truth", shapes="spots")
    with pytest.raises(SaveError, match=r"\.geojson"):
        write_geojson(tissue, tmp_path / "a.json", column="many")
    assert not list(tmp_path.iterdir())


def test_a_file_that_reads_back_otherwise_is_not_kept(tissue, tmp_path, monkeypatch):
    from napari_semst.io.geojson import features

    path = tmp_path / "a.geojson"
    path.write_text("precious")
    monkeypatch.setattr(features, "outlines", lambda *a: list(reversed(outlines(*a))))
    with pytest.raises(SaveError, match="did not"):
        write_geojson(tissue, path, column="ground_truth", overwrite=True)
    assert path.read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1
