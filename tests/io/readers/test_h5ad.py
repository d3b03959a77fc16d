from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from napari_semst.errors import CountsError, InputError
from napari_semst.io.coordinates import find_coordinates, locate_coordinates
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read


def saved(tmp_path, adata: AnnData):
    path = tmp_path / "section.h5ad"
    adata.write_h5ad(path)
    return path


def without_coordinates(adata: AnnData) -> tuple[AnnData, np.ndarray]:
    xy = adata.obsm.pop("spatial")
    return adata, xy


def test_reads_all_of_a_file(tmp_path, tissue):
    tissue.layers["other"] = tissue.X * 2
    tissue.uns["mine"] = {"a": 1}
    found = read(saved(tmp_path, tissue))
    assert (found.X != tissue.X).nnz == 0
    assert (found.layers["other"] != tissue.layers["other"]).nnz == 0
    assert found.uns["mine"] == {"a": 1}
    assert list(found.obs["ground_truth"]) == list(tissue.obs["ground_truth"])
    np.testing.assert_array_equal(found.obsm["spatial"], tissue.obsm["spatial"])
    assert found.uns["semst_input"]["coordinates"] == "obsm['spatial']"
    assert input_warnings(found) == []


@pytest.mark.parametrize("key", ["X_spatial", "spatial_xy"])
def test_other_obsm_keys_are_found(tmp_path, tissue, key):
    tissue, xy = without_coordinates(tissue)
    tissue.obsm["X_umap"] = -xy
    tissue.obsm[key] = xy
    found = read(saved(tmp_path, tissue))
    np.testing.assert_array_equal(found.obsm["spatial"], xy)
    np.testing.assert_array_equal(
        read(saved(tmp_path, tissue), positions="X_umap").obsm["spatial"], -xy
    )


@pytest.mark.parametrize(
    ("x", "y"),
    [("x", "y"), ("x_centroid", "y_centroid"), ("center_x", "center_y")],
)
def test_obs_columns_are_found(tmp_path, tissue, x, y):
    tissue, xy = without_coordinates(tissue)
    tissue.obs[x], tissue.obs[y] = xy.T
    np.testing.assert_array_equal(read(saved(tmp_path, tissue)).obsm["spatial"], xy)


def test_named_obs_columns(tissue):
    tissue, xy = without_coordinates(tissue)
    tissue.obs["my x"], tissue.obs["my y"] = xy.T
    np.testing.assert_array_equal(find_coordinates(tissue, "my x, my y"), xy)


def test_places_on_a_visium_array_become_a_hexagonal_lattice(tissue):
    tissue, _ = without_coordinates(tissue)
    xy = find_coordinates(tissue)
    one_row_down = np.linalg.norm(xy[14] - xy[0])
    assert one_row_down == pytest.approx(np.linalg.norm(xy[1] - xy[0]))
    assert "not pixels" in locate_coordinates(tissue).remarks[0]


def test_no_coordinates_is_said_with_what_there_is(tmp_path, tissue):
    tissue, xy = without_coordinates(tissue)
    tissue.obs = tissue.obs[["ground_truth"]]
    tissue.obsm["X_pca"], tissue.obsm["X_umap"] = xy, xy
    words = (
        "No coordinates: expected obsm['spatial'], found obsm keys X_pca, X_umap. "
        "Name the right ones as coordinates (positions where a file is read): a key of "
        "obsm, or two columns of obs as 'x,y'."
    )
    for key in (None, "spatial"):
        with pytest.raises(InputError) as caught:
            find_coordinates(tissue, key)
        assert str(caught.value) == words
    found = read(saved(tmp_path, tissue))  # of use still: another key may be picked
    assert input_warnings(found) == [words]
    assert "spatial" not in found.obsm
    with pytest.raises(InputError, match="nowhere"):
        read(saved(tmp_path, tissue), positions="nowhere")


def test_flat_third_coordinate_is_left_out_and_a_deep_one_refused(tissue):
    xy = tissue.obsm["spatial"]
    flat = np.column_stack([xy, np.full(len(xy), 7.0)])
    tissue.obsm["spatial"] = flat
    found = locate_coordinates(tissue)
    np.testing.assert_array_equal(found.xy, xy)
    assert "left out" in found.remarks[0]
    tissue.obsm["spatial"] = np.column_stack([xy, np.arange(len(xy))])
    with pytest.raises(InputError, match="third from 0 to 195"):
        find_coordinates(tissue)


@pytest.mark.parametrize("width", [1, 4, 50])
def test_other_shapes_are_refused(tissue, width):
    tissue.obsm["spatial"] = np.zeros((tissue.n_obs, width))
    with pytest.raises(InputError, match=r"shape \(196, 2\); found \(196, "):
        find_coordinates(tissue)


def test_spots_at_one_place_and_text_are_refused(tissue):
    tissue.obsm["spatial"] = np.ones((tissue.n_obs, 2))
    with pytest.raises(InputError, match="different places"):
        find_coordinates(tissue)
    tissue.obs["x"] = tissue.obs["y"] = "left"
    with pytest.raises(InputError, match="Expected numbers"):
        find_coordinates(tissue, "x,y")


def test_data_frames_and_integers_are_taken(tissue):
    xy = tissue.obsm["spatial"].astype(int)
    tissue.obsm["spatial"] = pd.DataFrame(
        xy, index=tissue.obs_names, columns=["x", "y"]
    )
    found = find_coordinates(tissue)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, xy)


def test_spots_without_coordinates_are_left_out_and_named(tmp_path, tissue):
    tissue.obsm["spatial"][[3, 5], 0] = np.nan
    names = list(tissue.obs_names)
    with pytest.raises(InputError, match=f"2 of 196 have none.*{names[3]}"):
        find_coordinates(tissue)
    found = read(saved(tmp_path, tissue))
    assert list(found.obs_names) == [n for i, n in enumerate(names) if i not in (3, 5)]
    assert "2 of 196 spots have no coordinates" in input_warnings(found)[0]
    tissue.obsm["spatial"][:150] = np.inf
    assert read(saved(tmp_path, tissue)).n_obs == 196
    with pytest.raises(InputError, match="150 of 196"):
        read(saved(tmp_path, tissue), positions="spatial")


@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
def test_repeated_barcodes_and_genes_are_told_apart(tmp_path, tissue):
    tissue.obs_names = ["A", "A", *tissue.obs_names[2:]]
    tissue.var_names = ["G", "G", *tissue.var_names[2:]]
    found = read(saved(tmp_path, tissue))
    assert list(found.obs_names[:2]) == ["A", "A-1"]
    assert list(found.var_names[:2]) == ["G", "G-1"]
    assert [text.split(" occur")[0] for text in input_warnings(found)] == [
        "1 barcodes",
        "1 gene names",
    ]


def test_counts_of_a_layer_become_x(tmp_path, tissue):
    counts = tissue.X.copy()
    tissue.layers["raw_counts"] = counts
    tissue.X = counts.copy()
    tissue.X.data = np.log1p(tissue.X.data)
    path = saved(tmp_path, tissue)
    assert (counts != read(path, counts="raw_counts").X).nnz == 0
    assert (read(path).X != tissue.X).nnz == 0
    with pytest.raises(CountsError, match="layer named 'nowhere'"):
        read(path, counts="nowhere")


def test_coordinates_of_the_file_are_kept_where_others_take_their_place(
    tmp_path, tissue
):
    xy = tissue.obsm["spatial"].copy()
    deep = np.column_stack([xy, np.full(len(xy), 7.0)])
    tissue.obsm["spatial"] = deep
    found = read(saved(tmp_path, tissue))
    np.testing.assert_array_equal(found.obsm["spatial"], xy)
    np.testing.assert_array_equal(found.obsm["spatial_original"], deep)
    assert found.uns["semst_input"]["original_coordinates"] == (
        "obsm['spatial_original']"
    )
    assert "kept in obsm['spatial_original']" in input_warnings(found)[1]
    # Another choice of coordinates writes over neither.
    found.obs["x"], found.obs["y"] = -xy.T
    again = read(saved(tmp_path, found), positions="x,y")
    np.testing.assert_array_equal(again.obsm["spatial"], -xy)
    np.testing.assert_array_equal(again.obsm["spatial_original"], deep)
    np.testing.assert_array_equal(again.obsm["spatial_original_2"], xy)


@pytest.mark.parametrize("kind", [np.int32, np.float32, np.float64])
def test_two_columns_stay_as_they_are(tmp_path, tissue, kind):
    tissue.obsm["spatial"] = tissue.obsm["spatial"].astype(kind)
    found = read(saved(tmp_path, tissue))
    assert found.obsm["spatial"].dtype == kind
    np.testing.assert_array_equal(found.obsm["spatial"], tissue.obsm["spatial"])
    assert list(found.obsm) == ["spatial"]
    assert input_warnings(found) == []


@pytest.mark.parametrize("column", ["library_id", "sample"])
def test_several_sections_in_one_file_are_warned_of(tmp_path, tissue, column):
    tissue.uns["spatial"] = {"A": {"scalefactors": {}}, "B": {"scalefactors": {}}}
    assert input_warnings(read(saved(tmp_path, tissue))) == []
    tissue.obs[column] = pd.Categorical(["A"] * 100 + ["B"] * 96)
    (told,) = input_warnings(read(saved(tmp_path, tissue)))
    assert told.startswith(f"This file holds 2 sections (A, B; see obs['{column}'])")
    assert "neighbours are sought across them" in told
    alone = tissue[tissue.obs[column] == "A"].copy()
    assert input_warnings(read(saved(tmp_path, alone))) == []


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_cut_short_files_are_refused_in_plain_words(tmp_path, tissue, share):
    path = saved(tmp_path, tissue)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"empty|cut short|no HDF5 file"):
        read(path)


def test_missing_folder_and_text_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is none"):
        read(tmp_path / "missing.h5ad")
    (tmp_path / "folder.h5ad").mkdir()
    with pytest.raises(InputError, match="an instrument's folder"):
        read(tmp_path / "folder.h5ad")
    text = tmp_path / "text.h5ad"
    text.write_text("hello")
    with pytest.raises(InputError, match="no HDF5 file"):
        read(text)


def test_damage_inside_is_refused(tmp_path, tissue):
    import h5py

    path = saved(tmp_path, tissue)
    with h5py.File(path, "a") as file:
        file["X/indices"][5] = 10**6
    with pytest.raises(InputError, match="AnnData file"):
        read(path)
    with h5py.File(path, "a") as file:
        del file["X/indptr"]
    with pytest.raises(InputError, match="AnnData file"):
        read(path)


def test_permission_is_said(tmp_path, tissue, monkeypatch):
    path = saved(tmp_path, tissue)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(anndata, "read_h5ad", refuse)
    with pytest.raises(InputError, match="permission denied"):
        read(path)


def test_an_empty_table_is_refused(tmp_path):
    empty = AnnData(sparse.csr_matrix((0, 5)))
    with pytest.raises(InputError, match="0 spots"):
        read(saved(tmp_path, empty))


def test_real_sections_are_read(shared_data):
    for path in sorted((shared_data / "tissue").glob("*.h5ad")):
        found = read(path)
        assert found.obsm["spatial"].shape == (found.n_obs, 2)
        assert input_warnings(found) == []
