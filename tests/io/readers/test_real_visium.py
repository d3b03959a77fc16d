"""Small real outputs of Space Ranger, and plain tables, compared with csv and h5py."""

from __future__ import annotations

import csv
import gzip

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from napari_semst.errors import InputError
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format


@pytest.fixture(scope="module")
def instruments(shared_data):
    folder = shared_data / "instruments"
    if not folder.is_dir():
        pytest.skip(f"no outputs of instruments at {folder}")
    return folder


def lines_of(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def matrix_of(path):
    """Return barcodes, gene ids and dense counts of a matrix."""
    if path.is_dir():
        ends = {p.name.removesuffix(".gz"): p for p in path.iterdir()}
        barcodes = lines_of(ends["barcodes.tsv"])
        genes = [line.split("\t")[0] for line in lines_of(ends["features.tsv"])]
        rows = [r for r in lines_of(ends["matrix.mtx"]) if not r.startswith("%")][1:]
        counts = np.zeros((len(barcodes), len(genes)))
        for row in rows:
            gene, spot, number = map(int, row.split())
            counts[spot - 1, gene - 1] = number
        return barcodes, genes, counts
    with h5py.File(path) as file:
        held = file["matrix"]
        barcodes = held["barcodes"][()].astype(str)
        genes = held["features/id"][()].astype(str)
        parts = (held["data"][()], held["indices"][()], held["indptr"][()])
        counts = sparse.csr_matrix(parts, shape=(len(barcodes), len(genes))).toarray()
    return list(barcodes), list(genes), counts


def positions_of(path):
    """Return (x, y) of every spot in tissue by barcode."""
    if path.suffix == ".parquet":
        rows = [list(row.values()) for row in pq.read_table(path).to_pylist()]
    else:
        rows = list(csv.reader(lines_of(path)))
        rows = rows[1:] if rows[0][0] == "barcode" else rows
    return {r[0]: (float(r[5]), float(r[4])) for r in rows if int(r[1]) == 1}


@pytest.mark.parametrize(
    ("name", "part", "matrix", "positions"),
    [
        ("visium_seurat", None, ".h5", "tissue_positions_list.csv"),
        ("visium_hd_seurat", None, ".h5", "tissue_positions.parquet"),
        ("visium_hd_seurat", 16, ".h5", "tissue_positions.parquet"),
        ("visium_hd_visiumio", None, ".h5", "tissue_positions.parquet"),
        ("visium_cropped_sfe", None, "", "tissue_positions.csv"),
    ],
)
def test_space_ranger(instruments, name, part, matrix, positions):
    folder = instruments / name
    inner = {
        "visium_hd_seurat": f"binned_outputs/square_{part or 8:03}um",
        "visium_hd_visiumio": "square_002um",
        "visium_cropped_sfe": "outs",
    }.get(name, "")
    kind = "visium_hd" if "hd" in name else "visium"
    assert detect_format(folder).name == kind
    outs = folder / inner
    barcodes, genes, counts = matrix_of(outs / f"filtered_feature_bc_matrix{matrix}")
    places = positions_of(outs / "spatial" / positions)
    found = read(folder, part=part)
    kept = [row for row, barcode in enumerate(barcodes) if barcode in places]
    assert len(kept) > 0
    assert list(found.obs_names) == [barcodes[row] for row in kept]
    assert list(found.var["gene_ids"]) == genes
    np.testing.assert_array_equal(found.X.toarray(), counts[kept])
    xy = np.array([places[name] for name in found.obs_names])
    np.testing.assert_allclose(found.obsm["spatial"], xy)
    seen = preview(folder, part=part)
    assert (seen.n_spots, seen.n_genes) == counts.shape
    assert seen.missing == ()


def test_plain_tables_of_two_samples(instruments):
    folder = instruments / "visium_multisample_giotto"
    assert detect_format(folder) is None
    with pytest.raises(InputError, match=r"cell_metadata.txt, spatial_locs.txt"):
        read(folder)
    found = read(folder, positions="spatial_locs.txt")
    rows = csv.reader(lines_of(folder / "expression_matrix.txt.gz"), delimiter=" ")
    spots, *rows = rows
    counts = np.array([row[1:] for row in rows], float).T
    assert list(found.obs_names) == spots
    kept = [i for i, row in enumerate(rows) if not row[0].startswith("DEPRECATED_")]
    assert list(found.var_names) == [rows[i][0] for i in kept]
    np.testing.assert_array_equal(found.X.toarray(), counts[:, kept])
    rows = list(csv.reader(lines_of(folder / "spatial_locs.txt"), delimiter=" "))
    x, y, name = (rows[0].index(column) for column in ("sdimx", "sdimy", "cell_ID"))
    places = {row[name]: (float(row[x]), float(row[y])) for row in rows[1:]}
    xy = np.array([places[spot] for spot in spots])
    np.testing.assert_allclose(found.obsm["spatial"], xy)
