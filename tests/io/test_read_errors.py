"""What is said of what cannot be read: what it is, what was sought, what to do."""

from __future__ import annotations

import gzip

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import InputError
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from tests.io.folders import save, table_of, write_cosmx, write_xenium
from tests.io.outs import write_outs


def refused(path, **options):
    with pytest.raises(InputError) as error:
        read(path, **options)
    text = str(error.value)
    assert text.startswith("Expected ")
    assert text.endswith(".")
    return text


@pytest.fixture
def outs(tmp_path, tissue):
    return write_outs(tmp_path / "S1" / "outs", tissue, matrix="mtx")


@pytest.mark.parametrize(
    "name",
    [
        "spatial/tissue_hires_image.png",
        "spatial/scalefactors_json.json",
        "spatial/tissue_positions.csv",
        "filtered_feature_bc_matrix/barcodes.tsv",
        "analysis/clusters.csv",
        "analysis",
        "web_summary.html",
        "molecule_info.h5",
    ],
)
def test_a_part_of_a_run_names_the_run(outs, name):
    (outs / "analysis").mkdir()
    (outs / "analysis" / "clusters.csv").write_text("Barcode,Cluster\nA,1\nB,2\n")
    (outs / "web_summary.html").write_text("<html>")
    with h5py.File(outs / "molecule_info.h5", "w") as file:
        file["count"] = np.ones(3)
    text = refused(outs / name)
    assert "(Space Ranger folder). Choose that folder." in text
    assert str(outs) in text


def test_a_folder_above_names_what_can_be_read_in_it(tmp_path, outs, tissue):
    write_xenium(tmp_path / "X2", tissue)
    write_cosmx(tmp_path / "C3", tissue)
    (tmp_path / "notes.txt").write_text("nothing")
    text = refused(tmp_path)
    assert "C3 (CosMx flat files), S1 (Space Ranger folder), X2 (Xenium out" in text


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (
            "filtered_feature_bc_matrix",
            "has the positions spatial/tissue_positions.csv",
        ),
        ("spatial", "the matrix filtered_feature_bc_matrix/matrix.mtx, but no positi"),
        ("filtered_feature_bc_matrix/features.tsv", "found: barcodes.tsv."),
        ("filtered_feature_bc_matrix/barcodes.tsv", "found: features.tsv."),
    ],
)
@pytest.mark.parametrize("given", [".", ".."])
def test_what_is_missing_of_a_run_is_named(tmp_path, outs, gone, words, given):
    (outs / gone).rename(tmp_path / "gone")
    assert words in refused(outs / given)


@pytest.mark.parametrize("name", ["matrix.mtx", "other.mtx"])
def test_a_matrix_as_text_alone(tmp_path, outs, name):
    matrix = tmp_path / name
    matrix.write_bytes((outs / "filtered_feature_bc_matrix/matrix.mtx").read_bytes())
    text = refused(matrix)
    assert ("barcodes.tsv" if name == "matrix.mtx" else "not named matrix.mtx") in text


def test_files_that_are_named_and_not_there_or_of_another_kind(outs):
    (outs / "notes.txt").write_text("no matrix")
    assert f"or in {outs}; there is none" in refused(outs, counts="none.h5")
    assert f"or in {outs}; there is none" in refused(outs, positions="none.csv")
    assert "neither HDF5 nor Matrix Market" in refused(outs, counts="notes.txt")
    (outs / "other.csv").write_text("Barcode,Cluster\nA,1\nB,2\n")
    text = refused(outs, positions="other.csv")
    assert "missing: in_tissue" in text
    assert "found: barcode, Cluster. Choose another file." in text


def test_packed_and_empty_things(tmp_path, tissue):
    tissue.write_h5ad(tmp_path / "a.h5ad")
    packed = tmp_path / "a.h5ad.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.h5ad").read_bytes()))
    assert "It is packed: unpack it first." in refused(packed)
    (tmp_path / "empty").mkdir()
    assert "empty is empty. Choose another." in refused(tmp_path / "empty")
    (tmp_path / "outs.zip").write_bytes(b"PK")
    assert "is a packed folder. Unpack it" in refused(tmp_path / "outs.zip")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "outs.tar.gz").write_bytes(b"\x1f\x8b")
    assert "Unpack outs.tar.gz there first." in refused(inner)


def test_a_folder_of_tables_without_counts_names_plain_tables(tmp_path, tissue):
    save(table_of(tissue).iloc[:, :2], tmp_path / "two.csv")
    text = refused(tmp_path)
    assert "a table of counts beside a table of places" in text
    assert "holds: two.csv" in text


@pytest.mark.parametrize("choice", ["part", "positions", "counts"])
def test_a_choice_that_an_input_does_not_leave_is_refused(tmp_path, tissue, choice):
    folder = write_cosmx(tmp_path / "C3", tissue)
    text = refused(folder, **{choice: "16"})
    assert f"Expected no choice of {choice} for {folder} (CosMx flat files)" in text
    assert "got '16'. Leave it out" in text
    if choice != "counts":
        with pytest.raises(InputError, match="Expected no choice"):
            preview(folder, **{choice: "16"})


def test_another_bin_size_is_not_read_from_the_folder_of_one(tmp_path, tissue):
    one = write_outs(tmp_path / "square_008um", tissue)
    assert read(one, part=8).n_obs == read(one, part="square_008um").n_obs
    assert "it holds one section; got '16'" in refused(one, part=16)
    assert "it holds one section; got '16'" in refused(
        write_outs(tmp_path / "S1", tissue), part=16
    )


def test_decimal_commas_are_named(tmp_path, tissue):
    save(table_of(tissue), tmp_path / "counts.csv", sep=";")
    places = pd.DataFrame(tissue.obsm["spatial"] + 0.5, tissue.obs_names, ["x", "y"])
    save(places, tmp_path / "places.csv", sep=";", decimal=",")
    text = refused(tmp_path)
    assert "They have decimal commas, such as" in text
    assert "save the table with decimal points" in text


def test_an_empty_file_beside_others_is_named(tmp_path, tissue):
    save(table_of(tissue), tmp_path / "counts.csv")
    (tmp_path / "places.csv").touch()
    assert "Without content: places.csv. Copy or download" in refused(tmp_path)
