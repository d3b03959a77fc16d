"""Small real outputs of instruments, compared with what csv and h5py read by hand."""

from __future__ import annotations

import csv
import gzip

import h5py
import numpy as np
import pytest
from scipy import sparse

from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format


@pytest.fixture(scope="module")
def instruments(shared_data):
    folder = shared_data / "instruments"
    if not folder.is_dir():
        pytest.skip(f"no outputs of instruments at {folder}")
    return folder


def rows_of(path, delimiter=","):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter=delimiter))
    return rows[0], rows[1:]


def assert_cells(found, counts, places):
    """Every cell with counts and a place has them; the genes are those left."""
    names = [name for name in counts if name in places]
    assert list(found.obs_names) == names
    genes = list(found.var_names)
    want = np.array([[counts[name][gene] for gene in genes] for name in names])
    np.testing.assert_array_equal(found.X.toarray(), want)
    xy = np.array([places[name] for name in names], float)
    np.testing.assert_allclose(found.obsm["spatial"], xy)


def test_cosmx(instruments):
    folder = instruments / "cosmx_dbkero"
    assert detect_format(folder).name == "cosmx"
    header, rows = rows_of(folder / "DBKero_exprMat_file.csv.gz")
    counts = {
        f"{row[0]}_{row[1]}": dict(zip(header[2:], map(int, row[2:]), strict=True))
        for row in rows
        if row[1] != "0"
    }
    header, rows = rows_of(folder / "DBKero_metadata_file.csv")
    x, y = (header.index(f"Center{axis}_global_px") for axis in "XY")
    places = {f"{row[0]}_{row[1]}": (row[x], row[y]) for row in rows}
    found = read(folder)
    assert found.shape == (905, 1000)
    assert_cells(found, counts, places)


def test_cosmx_put_together_from_fields(instruments, tmp_path):
    folder = instruments / "cosmx_dbkero"
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    cells = tmp_path / "DBKero_metadata_file.csv"
    cells.write_text(cells.read_text().replace("global_px", "elsewhere"))
    whole, put = read(folder), read(tmp_path)
    np.testing.assert_allclose(put.obsm["spatial"], whole.obsm["spatial"])


@pytest.mark.parametrize(
    ("name", "shape"), [("merscope_sfe", (100, 347)), ("merscope_small_r", (8, 9))]
)
def test_merscope(instruments, name, shape):
    folder = instruments / name
    assert detect_format(folder).name == "merscope"
    header, rows = rows_of(next(folder.glob("*cell_by_gene.csv")))
    counts = {
        row[0]: dict(zip(header[1:], map(int, row[1:]), strict=True)) for row in rows
    }
    header, rows = rows_of(next(folder.glob("*cell_metadata.csv")))
    x, y = header.index("center_x"), header.index("center_y")
    places = {row[0]: (row[x], row[y]) for row in rows}
    found = read(folder)
    assert found.shape == shape
    assert_cells(found, counts, places)


@pytest.mark.parametrize(
    ("name", "shape"), [("xenium_sfe", (569, 27)), ("xenium_small_r", (6, 4))]
)
def test_xenium(instruments, name, shape):
    folder = instruments / name
    assert detect_format(folder).name == "xenium"
    with h5py.File(folder / "cell_feature_matrix.h5") as file:
        held = {key: file["matrix"][key][()] for key in ("data", "indices", "indptr")}
        ids = file["matrix/barcodes"][()].astype(str)
        features = file["matrix/features/name"][()].astype(str)
        size = (len(ids), len(features))
    matrix = sparse.csr_matrix((held["data"], held["indices"], held["indptr"]), size)
    counts = {
        cell: dict(zip(features, row, strict=True))
        for cell, row in zip(ids, matrix.toarray(), strict=True)
    }
    header, rows = rows_of(folder / "cells.csv.gz")
    cell, x, y = (header.index(n) for n in ("cell_id", "x_centroid", "y_centroid"))
    places = {row[cell]: (row[x], row[y]) for row in rows}
    found = read(folder)
    assert found.shape == shape
    assert_cells(found, counts, places)


@pytest.mark.parametrize("size", [1, 50])
def test_stereo_seq(instruments, size):
    path = next((instruments / "stereoseq_spateo").glob("*.gem.gz"))
    _, rows = rows_of(path, "\t")
    want: dict[tuple[str, str], int] = {}
    for gene, x, y, count in rows:
        corner = f"{int(x) // size * size}_{int(y) // size * size}"
        want[corner, gene] = want.get((corner, gene), 0) + int(count)
    found = read(path, part=str(size))
    held = found.X.tocoo()
    told = {
        (found.obs_names[row], found.var_names[column]): int(value)
        for row, column, value in zip(held.row, held.col, held.data, strict=True)
    }
    assert told == want
    corners = np.array([name.split("_") for name in found.obs_names], float)
    np.testing.assert_array_equal(found.obsm["spatial"], corners + (size - 1) / 2)
