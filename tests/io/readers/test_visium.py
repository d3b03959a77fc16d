from __future__ import annotations

import json
import shutil
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from PIL import Image
from scipy import sparse

from napari_semst.errors import InputError
from napari_semst.io.alignment import share_inside
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from tests.io.outs import (
    positions_table,
    write_10x_h5,
    write_10x_h5_v2,
    write_image,
    write_outs,
    write_positions,
)

POSITIONS = ("v1", "v2", "parquet")
MATRICES = ("h5", "h5-v2", "mtx.gz", "mtx", "mtx-old")


def assert_same(found: AnnData, tissue: AnnData) -> None:
    assert list(found.obs_names) == list(tissue.obs_names)
    assert list(found.var_names) == list(tissue.var_names)
    assert list(found.var["gene_ids"]) == list(tissue.var["gene_ids"])
    assert isinstance(found.X, sparse.csr_matrix)
    assert found.X.dtype == np.float32
    assert (found.X != tissue.X).nnz == 0
    np.testing.assert_array_equal(
        found.obsm["spatial"], np.asarray(tissue.obsm["spatial"]).round()
    )
    assert list(found.obs["array_row"]) == list(tissue.obs["array_row"])
    assert (found.obs["in_tissue"] == 1).all()


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("positions", POSITIONS)
def test_reads_every_version(tmp_path, tissue, positions, matrix):
    outs = write_outs(
        tmp_path / "S1" / "outs", tissue, positions=positions, matrix=matrix
    )
    found = read(outs)
    assert_same(found, tissue)
    library = "V1_Section" if matrix == "h5" else "S1"
    section = found.uns["spatial"][library]
    assert {k: v.shape for k, v in section["images"].items()} == {
        "hires": (750, 850, 3),
        "lowres": (225, 255, 3),
    }
    assert all(image.dtype == np.uint8 for image in section["images"].values())
    assert section["scalefactors"]["spot_diameter_fullres"] == 55.5
    assert input_warnings(found) == []
    assert share_inside(found) == 1.0


@pytest.mark.parametrize("given", ["outs", "above", "spatial", "link"])
def test_takes_the_folder_above_inside_and_through_a_link(tmp_path, tissue, given):
    outs = write_outs(tmp_path / "S1" / "outs", tissue)
    path = {"outs": outs, "above": outs.parent, "spatial": outs / "spatial"}.get(given)
    if path is None:
        path = tmp_path / "link"
        path.symlink_to(outs)
    assert detect_format(path).name == "visium"
    assert_same(read(path), tissue)


def test_reads_through_links_inside_outs(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue)
    elsewhere = tmp_path / "elsewhere"
    (outs / "spatial").rename(elsewhere)
    (outs / "spatial").symlink_to(elsewhere)
    assert_same(read(outs), tissue)


def test_missing_hires_leaves_lowres_and_missing_images_none(tmp_path, tissue):
    low = read(write_outs(tmp_path / "a", tissue, images=("lowres",)))
    none = read(write_outs(tmp_path / "b", tissue, images=()))
    assert list(low.uns["spatial"]["V1_Section"]["images"]) == ["lowres"]
    assert none.uns["spatial"]["V1_Section"]["images"] == {}
    assert share_inside(none) is None


def test_image_without_scale_factors_is_not_shown_but_said(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue)
    (outs / "spatial" / "scalefactors_json.json").unlink()
    found = read(outs)
    assert found.uns["spatial"]["V1_Section"]["images"] == {}
    assert "scalefactors_json.json" in input_warnings(found)[0]


def test_repeated_symbols_are_told_apart_and_antibodies_left_out(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue)
    named = tissue.copy()
    named.var_names = ["TBCE", "TBCE", *tissue.var_names[2:]]
    write_10x_h5(outs / "filtered_feature_bc_matrix.h5", named, antibody=True)
    found = read(outs)
    assert list(found.var_names[:3]) == ["TBCE", "TBCE-1", "GENE2"]
    assert found.n_vars == tissue.n_vars
    assert list(found.var["gene_ids"]) == list(tissue.var["gene_ids"])


def test_bare_matrix_with_positions_beside_or_given(tmp_path, tissue):
    matrix = tmp_path / "GSM1_filtered_feature_bc_matrix.h5"
    write_10x_h5(matrix, tissue)
    with pytest.raises(InputError, match="positions of the spots beside"):
        read(matrix)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_positions(elsewhere, positions_table(tissue), "v1")
    given = elsewhere / "tissue_positions_list.csv"
    assert detect_format(matrix).name == "10x_h5"
    assert_same(read(matrix, positions=given), tissue)
    # As repositories name the files of two sections in one folder.
    shutil.copy(given, tmp_path / "GSM1_tissue_positions_list.csv")
    shutil.copy(given, tmp_path / "GSM2_tissue_positions_list.csv")
    shutil.copy(given, tmp_path / "GSM2_other.csv")
    write_image(tmp_path / "GSM1_tissue_hires_image.png", 0.5)
    (tmp_path / "GSM1_scalefactors_json.json").write_text(
        '{"tissue_hires_scalef": 0.5}'
    )
    found = read(matrix)
    assert_same(found, tissue)
    assert share_inside(found) == 1.0


def test_another_matrix_of_the_folder_may_be_chosen(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue)
    doubled = tissue.copy()
    doubled.X = doubled.X * 2
    write_10x_h5_v2(outs / "other.h5", doubled)
    assert read(outs, counts="other.h5").X.sum() == 2 * tissue.X.sum()
    with pytest.raises(InputError, match="none"):
        read(outs, counts="missing.h5")


def test_raw_matrix_keeps_the_spots_in_tissue(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue, n_outside=0)
    table = positions_table(tissue, 0)
    table.loc[table["barcode"].isin(tissue.obs_names[:30]), "in_tissue"] = 0
    write_positions(outs / "spatial", table, "v2")
    found = read(outs)
    assert list(found.obs_names) == list(tissue.obs_names[30:])
    assert input_warnings(found) == []


def test_what_is_neither_in_tissue_nor_outside_is_refused(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue, n_outside=0)
    table = positions_table(tissue, 0)
    table.loc[table["barcode"].isin(tissue.obs_names[:2]), "in_tissue"] = -5
    write_positions(outs / "spatial", table, "v2")
    with pytest.raises(InputError, match="2 of 196 rows have others"):
        read(outs)


def test_positions_of_another_run_are_noticed(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue[:150].copy())
    table = positions_table(tissue, 0)
    outside = table["barcode"].isin(tissue.obs_names[:60])
    write_positions(outs / "spatial", table.assign(in_tissue=1 - 1 * outside), "v2")
    found = read(outs)
    assert found.n_obs == 90
    assert (
        "60 barcodes of the matrix lie outside the tissue" in input_warnings(found)[0]
    )

    short = table[~table["barcode"].isin(tissue.obs_names[:10])]
    write_positions(outs / "spatial", short, "v2")
    found = read(outs)
    assert found.n_obs == 140
    assert "10 of 150 barcodes" in input_warnings(found)[0]


def test_other_barcodes_are_refused_with_examples(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue)
    table = positions_table(tissue)
    table["barcode"] = table["barcode"].str.removesuffix("-1")
    write_positions(outs / "spatial", table, "v2")
    with pytest.raises(InputError, match=r"share none.*-1, .*positions"):
        read(outs)
    write_positions(outs / "spatial", positions_table(tissue).assign(in_tissue=0), "v2")
    with pytest.raises(InputError, match="marks none"):
        read(outs)


def _no_columns(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns={"pxl_row_in_fullres": "row"})


def _text(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype(str).assign(pxl_row_in_fullres="here")


def _twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[:2]])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_columns, "missing: pxl_row"),
        (_text, "rows have none"),
        (_twice, "2 occur again"),
        (lambda table: table.iloc[:0], "share none"),
    ],
)
@pytest.mark.parametrize("version", ["v2", "parquet"])
def test_spoilt_positions_are_refused(tmp_path, tissue, spoil, words, version):
    outs = write_outs(tmp_path / "outs", tissue, positions=version)
    write_positions(outs / "spatial", spoil(positions_table(tissue)), version)
    with pytest.raises(InputError, match=words):
        read(outs)


def test_short_header_less_positions_are_refused(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue, positions="v1")
    path = outs / "spatial" / "tissue_positions_list.csv"
    path.write_text("AAAC-1,1,0\nAAAG-1,1,1\n")
    with pytest.raises(InputError, match="found 3"):
        read(outs)


@pytest.mark.parametrize(
    "name",
    [
        "filtered_feature_bc_matrix.h5",
        "spatial/tissue_positions.csv",
        "spatial/scalefactors_json.json",
        "spatial/tissue_hires_image.png",
    ],
)
@pytest.mark.parametrize("how", ["empty", "cut", "noise"])
def test_damaged_files_are_refused_in_plain_words(tmp_path, tissue, name, how):
    outs = write_outs(tmp_path / "outs", tissue)
    path = outs / name
    whole = path.read_bytes()
    spoilt = {"empty": b"", "cut": whole[: len(whole) // 2], "noise": b"\x00\xff" * 400}
    path.write_bytes(spoilt[how])
    with pytest.raises(InputError, match="Expected"):
        read(outs)


def test_cut_short_text_matrix_is_refused(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue, matrix="mtx.gz")
    path = outs / "filtered_feature_bc_matrix" / "matrix.mtx.gz"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="Expected"):
        read(outs)


def test_matrix_of_another_size_than_its_features_is_refused(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue, matrix="mtx")
    features = outs / "filtered_feature_bc_matrix" / "features.tsv"
    features.write_text("".join(features.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="59 features"):
        read(outs)


def test_index_outside_the_matrix_is_refused(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue)
    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "a") as file:
        file["matrix/indices"][0] = 10**9
    with pytest.raises(InputError, match="10x matrix"):
        read(outs)


def test_images_of_unreasonable_size_are_refused(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue)
    path = outs / "spatial" / "tissue_hires_image.png"
    for side in (12_100, 20_000):  # above our bound, above Pillow's
        Image.new("1", (side, side)).save(path)
        with pytest.raises(InputError, match="144 million pixels"):
            read(outs)


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "I;16"])
def test_images_of_other_modes_become_colour(tmp_path, tissue, mode):
    outs = write_outs(tmp_path / "outs", tissue, images=("hires",))
    if mode == "I;16":
        image = Image.fromarray(np.full((20, 30), 257 * 100, dtype=np.uint16))
    elif mode == "P":
        image = Image.new("RGB", (30, 20), (100, 100, 100)).quantize(2)
    else:
        image = Image.new("RGB", (30, 20), (100, 100, 100)).convert(mode)
    image.save(outs / "spatial" / "tissue_hires_image.png")
    found = read(outs).uns["spatial"]["V1_Section"]["images"]["hires"]
    assert found.shape == (20, 30, 4 if "A" in mode else 3)
    assert (found[..., :3] == 100).all()


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_impossible_scale_factors_are_refused(tmp_path, tissue, value):
    outs = write_outs(tmp_path / "outs", tissue)
    path = outs / "spatial" / "scalefactors_json.json"
    path.write_text(json.dumps({"tissue_hires_scalef": value}))
    with pytest.raises(InputError, match="positive number"):
        read(outs)


def test_files_that_may_not_be_read_are_said(tmp_path, tissue, monkeypatch):
    outs = write_outs(tmp_path / "outs", tissue)
    monkeypatch.setattr("os.access", lambda *args: False)
    with pytest.raises(InputError, match="permission denied"):
        read(outs)


def test_reads_the_real_section(tmp_path, shared_data):
    tissue = anndata.read_h5ad(shared_data / "tissue" / "DLPFC_151673.h5ad")
    outs = tmp_path / "151673" / "outs"
    outs.mkdir(parents=True)
    shutil.copytree(
        shared_data / "visium_151673" / "spatial",
        outs / "spatial",
        copy_function=shutil.copyfile,
    )
    write_10x_h5(outs / "filtered_feature_bc_matrix.h5", tissue, library="151673")
    found = read(Path(outs.parent))
    assert list(found.obs_names) == list(tissue.obs_names)
    assert (found.X != tissue.X).nnz == 0
    np.testing.assert_array_equal(found.obsm["spatial"], tissue.obsm["spatial"])
    assert input_warnings(found) == []
    stored = tissue.uns["spatial"]["151673"]
    mine = found.uns["spatial"]["151673"]
    np.testing.assert_array_equal(mine["images"]["lowres"], stored["images"]["lowres"])
    assert mine["scalefactors"]["tissue_lowres_scalef"] == pytest.approx(0.045004502)
    assert share_inside(found) == 1.0


def test_matrix_with_repeated_barcodes_or_no_genes_is_refused(tmp_path, tissue):
    outs = write_outs(tmp_path / "outs", tissue)
    path = outs / "filtered_feature_bc_matrix.h5"
    with h5py.File(path, "a") as file:
        file["matrix/barcodes"][1] = file["matrix/barcodes"][0]
    with pytest.raises(InputError, match="1 occur again"):
        read(outs)
    write_10x_h5(path, tissue)
    with h5py.File(path, "a") as file:
        file["matrix/features/feature_type"][:] = b"Custom"
    with pytest.raises(InputError, match="60 custom features"):
        read(outs)
