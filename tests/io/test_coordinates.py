"""Places as other tools write them: by the names of columns, with gaps, as text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import InputError
from napari_semst.io.coordinates import find_coordinates, locate_coordinates
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read


def placed(tissue, names, columns):
    """Return the tissue with a table of places, and where its spots are."""
    xy = np.asarray(tissue.obsm["spatial"]).copy()
    table = pd.DataFrame(columns, index=tissue.obs_names)
    tissue.obsm["spatial"] = table[list(names)]
    return tissue, xy


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("x", "y"),
        ("pxl_col_in_fullres", "pxl_row_in_fullres"),
        ("imagecol", "imagerow"),
        ("sdimx", "sdimy"),
        ("X_centroid", "Y_centroid"),
    ],
)
@pytest.mark.parametrize("kind", ["obsm", "obs"])
def test_names_say_which_column_is_x(tmp_path, tissue, x, y, kind):
    xy = tissue.obsm["spatial"].copy()
    columns = {y: xy[:, 1], "area": 5.0, x: xy[:, 0]}
    if kind == "obsm":
        placed(tissue, (y, x), columns)
    else:
        del tissue.obsm["spatial"]
        tissue.obs = tissue.obs.assign(**columns)
    tissue.write_h5ad(tmp_path / "a.h5ad")
    found = read(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(found.obsm["spatial"], xy)
    assert preview(tmp_path / "a.h5ad").coordinates


def test_a_table_of_more_columns_gives_its_places(tissue):
    xy = tissue.obsm["spatial"]
    columns = {"area": np.arange(196.0), "row": xy[:, 1], "col": xy[:, 0]}
    tissue, xy = placed(tissue, columns, columns)
    np.testing.assert_array_equal(find_coordinates(tissue), xy)
    columns = {"y": xy[:, 1], "z": np.arange(196.0), "x": xy[:, 0]}
    tissue, xy = placed(tissue, columns, columns)
    with pytest.raises(InputError, match="third from 0 to 195"):
        find_coordinates(tissue)


def test_unknown_and_contradicting_names_are_told(tissue):
    xy = tissue.obsm["spatial"]
    tissue, xy = placed(tissue, "ab", {"a": xy[:, 0], "b": xy[:, 1]})
    found = locate_coordinates(tissue)
    np.testing.assert_array_equal(found.xy, xy)
    assert "'a', 'b' do not say which is x" in found.remarks[0]
    tissue.obs["row_um"], tissue.obs["col_um"] = xy.T
    chosen = locate_coordinates(tissue, "row_um,col_um")
    np.testing.assert_array_equal(chosen.xy, xy)
    assert "'row_um' was named as x" in chosen.remarks[0]


def test_an_array_in_obsm_is_hexagonal_as_one_in_obs(tissue):
    del tissue.obsm["spatial"]
    in_obs = find_coordinates(tissue)
    tissue.obsm["spatial"] = tissue.obs[["array_row", "array_col"]]
    np.testing.assert_allclose(find_coordinates(tissue), in_obs)


def _whole(values):
    return pd.array(np.rint(values), dtype="Int64")


def _texts(values):
    return np.array([f"{value:.4f}" for value in values], dtype=object)


def _categories(values):
    return pd.Categorical(values)


@pytest.mark.parametrize("make", [_whole, _texts, _categories])
@pytest.mark.parametrize("kind", ["obsm", "obs"])
def test_gaps_among_places_are_missing_spots(tmp_path, tissue, make, kind):
    xy = tissue.obsm["spatial"].copy()
    columns = {}
    for name, values in zip("xy", xy.T, strict=True):
        column = pd.Series(make(values), index=tissue.obs_names)
        column.iloc[[3, 5]] = pd.NA if make is _whole else None
        columns[name] = column
    if make is _texts:
        columns["x"].iloc[[3, 5]] = "NA"
        columns["y"].iloc[[3, 5]] = " "
    if kind == "obsm":
        placed(tissue, "xy", columns)
    else:
        del tissue.obsm["spatial"]
        tissue.obs = tissue.obs.assign(**columns)
    tissue.write_h5ad(tmp_path / "a.h5ad")
    found = read(tmp_path / "a.h5ad")
    kept = np.delete(xy, [3, 5], axis=0)
    np.testing.assert_allclose(found.obsm["spatial"], kept, atol=0.5)
    (told,) = [t for t in input_warnings(found) if "no coordinates" in t]
    assert told.startswith("2 of 196 spots have no coordinates")


def test_fractions_with_gaps_are_taken(tissue):
    # Not every release of anndata writes them.
    xy = tissue.obsm["spatial"].copy()
    columns = {name: pd.array(v, "Float64") for name, v in zip("xy", xy.T, strict=True)}
    columns["x"][3] = pd.NA
    placed(tissue, "yx", columns)
    xy[3, 0] = np.nan
    found = locate_coordinates(tissue, allow_missing=True)
    np.testing.assert_array_equal(found.xy, xy)


def test_text_among_numbers_is_refused_with_what_it_is(tissue):
    tissue.obs["x"], tissue.obs["y"] = ["left"] + ["1.5"] * 195, "2"
    with pytest.raises(InputError, match="found 'left', and 0 more"):
        find_coordinates(tissue, "x,y")


@pytest.mark.parametrize("far", [1e300, -1e300, 1e13])
def test_a_spot_beyond_any_tissue_is_refused(tmp_path, tissue, far):
    tissue.obsm["spatial"][3, 1] = far
    tissue.write_h5ad(tmp_path / "a.h5ad")
    for step in (lambda: find_coordinates(tissue), lambda: read(tmp_path / "a.h5ad")):
        with pytest.raises(InputError, match=r"1 of 196 spots lie more than 1e\+12"):
            step()
