from __future__ import annotations

import gzip

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_semst.errors import InputError
from napari_semst.io.alignment import spot_size
from napari_semst.io.formats import bins
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format

GENES = ["ACTB", "MBP", "SNAP25"]
HEADER = "#FileFormat=GEMv0.1\n#BinSize=1\n#OffsetX=100\n#OffsetY=20\n"


@pytest.fixture
def molecules():
    """3,000 molecules of three genes on a chip of 400 x 300 spots."""
    rng = np.random.default_rng(0)
    n = 3000
    return pd.DataFrame(
        {
            "geneID": rng.choice(GENES, n),
            "x": rng.integers(0, 400, n),
            "y": rng.integers(0, 300, n),
            "MIDCount": rng.integers(1, 4, n),
        }
    ).sort_values("geneID", kind="stable")


def write_gem(path, molecules, header=HEADER):
    text = (header + molecules.to_csv(sep="\t", index=False)).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def write_gef(path, molecules, size=1, *, numbered=False, names="gene"):
    """Write square bins of one size, by their corner's spot or numbered one by one."""
    table = molecules.copy()
    step = size if numbered else 1
    table["x"], table["y"] = (table[a] // size * size // step for a in "xy")
    table = table.groupby(["geneID", "x", "y"], as_index=False)["MIDCount"].sum()
    held = table.rename(columns={"MIDCount": "count"})[["x", "y", "count"]]
    numbers = table.groupby("geneID", sort=True).size()
    genes = np.zeros(len(numbers), [(names, "S32"), ("offset", "u4"), ("count", "u4")])
    genes[names], genes["count"] = numbers.index.to_numpy("S32"), numbers
    genes["offset"] = np.append(0, np.cumsum(numbers)[:-1])
    with h5py.File(path, "a") as file:
        group = file.create_group(f"geneExp/bin{size}")
        types = {"x": "u4", "y": "u4", "count": "u1"}
        group["expression"] = held.to_records(index=False, column_dtypes=types)
        group["expression"].attrs["minX"] = np.array([7], np.int32)
        group["gene"] = genes
    return path


def assert_bins(found, molecules, size):
    """Every bin has the sum of its molecules, and stands in its middle."""
    table = molecules.assign(x=molecules["x"] // size, y=molecules["y"] // size)
    want = table.pivot_table("MIDCount", ["y", "x"], "geneID", "sum", fill_value=0)
    assert sorted(found.var_names) == GENES
    assert found.n_obs == len(want)
    np.testing.assert_array_equal(found[:, GENES].X.toarray(), want.to_numpy())
    y, x = (want.index.get_level_values(a).to_numpy() for a in "yx")
    middle = np.stack([x, y], axis=1) * size + (size - 1) / 2
    np.testing.assert_array_equal(found.obsm["spatial"], middle)
    assert spot_size(found).diameter == size
    assert list(found.obs_names) == [
        f"{a * size}_{b * size}" for a, b in zip(x, y, strict=True)
    ]


@pytest.mark.parametrize("name", ["chip.gem", "chip.gem.gz", "molecules.txt"])
def test_text_is_summed_in_bins(tmp_path, molecules, name, monkeypatch):
    monkeypatch.setattr(bins, "STEP", 700)
    path = write_gem(tmp_path / name, molecules)
    assert detect_format(path).name == "gem"
    found = read(path)
    assert_bins(found, molecules, 50)
    assert_bins(read(path, part="20"), molecules, 20)
    assert found.uns["semst_input"]["gem"]["OffsetX"] == "100"
    found.write_h5ad(tmp_path / "saved.h5ad")
    assert_bins(read(tmp_path / "saved.h5ad"), molecules, 50)


def test_genes_of_a_newer_text_have_ids_and_names(tmp_path, molecules):
    ids = dict(zip(GENES, ["ENSG1", "ENSG2", "ENSG3"], strict=True))
    table = molecules.rename(columns={"geneID": "geneName", "MIDCount": "MIDCounts"})
    table.insert(0, "geneID", table["geneName"].map(ids))
    found = read(write_gem(tmp_path / "chip.gem", table, ""))
    assert_bins(found, molecules, 50)
    assert dict(zip(found.var_names, found.var["gene_ids"], strict=True)) == ids


@pytest.mark.parametrize("names", ["gene", "geneName"])
@pytest.mark.parametrize(
    ("sizes", "numbered"), [((1,), False), ((1, 50), False), ((25,), True)]
)
def test_square_bins_are_read_or_summed(
    tmp_path, molecules, sizes, numbered, names, monkeypatch
):
    monkeypatch.setattr(bins, "STEP", 700)
    path = tmp_path / "chip.tissue.gef"
    for size in sizes:
        write_gef(path, molecules, size, numbered=numbered, names=names)
    assert detect_format(path).name == "gef"
    found = read(path)
    assert_bins(found, molecules, 50)
    assert_bins(read(path, part="bin100"), molecules, 100)
    assert found.uns["semst_input"]["chip"] == {"minX": 7}
    assert list(found.uns["spatial"]) == ["chip"]


def test_bins_that_cannot_be_summed_are_refused(tmp_path, molecules):
    path = write_gef(tmp_path / "chip.gef", molecules, 20)
    with pytest.raises(InputError, match="found bins of 20"):
        read(path)
    assert_bins(read(path, part="20"), molecules, 20)


CELL_HEADER = "#FileFormat=GEMv0.1\n#BinType=CellBin\n#BinSize=Cell\n"


def binned_rows(molecules, size, *, numbered=False):
    """Return the molecules as rows of bins, told by a corner or numbered."""
    table = molecules.copy()
    step = size if numbered else 1
    table["x"], table["y"] = (table[a] // size * size // step for a in "xy")
    return table.groupby(["geneID", "x", "y"], as_index=False)["MIDCount"].sum()


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("told", ["BinSize=20", "binsize = 20", "BinSize=bin20"])
def test_a_text_of_larger_bins_is_summed_in_their_multiples(
    tmp_path, molecules, told, numbered
):
    rows = binned_rows(molecules, 20, numbered=numbered)
    path = write_gem(tmp_path / "chip.gem", rows, f"#{told}\n#BinType=Bin\n")
    assert_bins(read(path, part=20), molecules, 20)
    assert_bins(read(path, part="100"), molecules, 100)
    with pytest.raises(
        InputError, match=r"found bins of 20\. Ask for one of these: part=20"
    ):
        read(path)
    with pytest.raises(InputError, match="found bins of 20"):
        preview(path)
    seen = preview(path, part="60")
    assert seen.parts == ("bins of 20 x 20 spots of the chip", seen.part)
    assert "Multiples of 20" in seen.remarks[0]


def test_bins_told_by_their_middle_keep_their_places_apart(tmp_path, molecules):
    rows = binned_rows(molecules, 20)
    rows[["x", "y"]] += 10
    path = write_gem(tmp_path / "chip.gem", rows, "#BinSize=20\n")
    assert_bins(read(path, part="20"), molecules, 20)


@pytest.mark.parametrize("told", ["0", "wide", "-5"])
def test_a_bin_size_that_is_none_is_refused(tmp_path, molecules, told):
    path = write_gem(tmp_path / "chip.gem", molecules, f"#BinSize={told}\n")
    with pytest.raises(InputError, match="BinSize in the first lines"):
        read(path)


@pytest.mark.parametrize("cell", ["CellID", "cell", "cell_id"])
@pytest.mark.parametrize("header", [CELL_HEADER, ""])
def test_a_text_of_cells_is_summed_by_cell(
    tmp_path, molecules, cell, header, monkeypatch
):
    monkeypatch.setattr(bins, "STEP", 700)
    table = molecules.assign(ExonCount=0)
    # Cells are strips; their numbers are no smaller than those of large chips.
    table[cell] = (table["x"] // 100) * 2_000_000_011
    table.loc[table["y"] % 50 == 0, cell] = -1
    path = write_gem(tmp_path / "chip.cellbin.gem.gz", table, header)
    found = read(path)
    inside = table[table[cell] > 0]
    want = inside.pivot_table("MIDCount", cell, "geneID", "sum", fill_value=0)
    assert list(found.obs_names) == [str(c) for c in want.index]
    np.testing.assert_array_equal(found[:, GENES].X.toarray(), want.to_numpy())
    middles = inside.groupby(cell)[["x", "y"]].mean()
    np.testing.assert_allclose(found.obsm["spatial"], middles)
    outside = int(table["MIDCount"][table[cell] <= 0].sum())
    assert found.uns["semst_input"]["counts_outside_cells"] == outside
    assert f"{outside:,} of" in input_warnings(found)[0]
    assert preview(path).part == "cells"
    assert_bins(read(path, part="50"), molecules, 50)
    found.write_h5ad(tmp_path / "saved.h5ad")


def test_a_text_said_to_be_of_cells_that_names_none_is_refused(tmp_path, molecules):
    path = write_gem(tmp_path / "chip.gem", molecules, CELL_HEADER)
    with pytest.raises(InputError, match="to have a column CellID"):
        read(path)
    plain = write_gem(tmp_path / "plain.gem", molecules)
    with pytest.raises(InputError, match="to have a column CellID to read cells"):
        read(plain, part="cells")
    none = write_gem(tmp_path / "none.gem", molecules.assign(CellID=0), CELL_HEADER)
    with pytest.raises(InputError, match="outside of cells"):
        read(none)


@pytest.mark.parametrize(
    "names",
    [
        {"MIDCount": "UMICount"},
        {"MIDCount": "MIDCounts", "geneID": "geneName"},
        {"MIDCount": "umicount", "geneID": "geneid"},
    ],
)
def test_columns_are_known_by_each_of_their_names(tmp_path, molecules, names):
    table = molecules.assign(ExonCount=1).rename(columns=names)
    assert_bins(read(write_gem(tmp_path / "chip.gem", table, "")), molecules, 50)


@pytest.mark.parametrize("form", [np.int32, lambda n: np.array([n], np.uint32)])
def test_attributes_are_numbers_or_arrays_of_one(tmp_path, molecules, form):
    path = write_gef(tmp_path / "chip.gef", molecules)
    with h5py.File(path, "a") as file:
        attributes = file["geneExp/bin1/expression"].attrs
        for key, value in {"minX": 7, "minY": 3, "resolution": 715}.items():
            attributes[key] = form(value)
    found = read(path)
    assert_bins(found, molecules, 50)
    assert found.uns["semst_input"]["chip"] == {"minX": 7, "minY": 3}
    factors = found.uns["spatial"]["chip"]["scalefactors"]
    assert factors["microns_per_pixel"] == 0.715


def write_cells(path, *, offset=0):
    """Write three cells, with 2, 0 and 1 genes."""
    fields = [("id", "u4"), ("x", "i4"), ("y", "i4"), ("offset", "u4")]
    fields += [("geneCount", "u2"), ("area", "u2")]
    cells = np.array(
        [
            (4, 10, 20, 0, 2, 100),
            (5, 30, 20, 2, 0, 90),
            (9, 30, 50, 2 + offset, 1, 110),
        ],
        fields,
    )
    counts = np.array([(0, 3), (2, 1), (1, 7)], [("geneID", "u4"), ("count", "u2")])
    with h5py.File(path, "w") as file:
        group = file.create_group("cellBin")
        group["cell"], group["cellExp"] = cells, counts
        group["gene"] = np.array([(g.encode(),) for g in GENES], [("geneName", "S64")])
    return path


def test_cells_are_read_one_by_one(tmp_path):
    path = write_cells(tmp_path / "chip.cellbin.gef")
    assert detect_format(path).name == "gef"
    found = read(path)
    np.testing.assert_array_equal(found.X.toarray(), [[3, 0, 1], [0, 0, 0], [0, 7, 0]])
    np.testing.assert_array_equal(found.obsm["spatial"], [[10, 20], [30, 20], [30, 50]])
    assert list(found.obs_names) == ["4", "5", "9"]
    assert spot_size(found).diameter == pytest.approx(2 * np.sqrt(100 / np.pi))
    with pytest.raises(InputError, match="it holds cells"):
        read(path, part="50")


def test_damaged_files_are_refused(tmp_path, molecules):
    path = write_gef(tmp_path / "a.gef", molecules)
    with h5py.File(path, "a") as file:
        table = file["geneExp/bin1/gene"][()]
        table["count"][-1] += 5
        file["geneExp/bin1/gene"][...] = table
    with pytest.raises(InputError, match="share out"):
        read(path)
    with pytest.raises(InputError, match="share out"):
        read(write_cells(tmp_path / "b.gef", offset=1))
    with pytest.raises(InputError, match="Expected x from 0"):
        read(write_gem(tmp_path / "c.gem", molecules.assign(x=-1)))
    with pytest.raises(InputError, match="could not be read"):
        read(write_gem(tmp_path / "d.gem", molecules.assign(x="here")))
    with pytest.raises(InputError, match="counts of 0 or more"):
        read(write_gem(tmp_path / "e.gem", molecules.assign(MIDCount=-1)))


def test_other_tables_and_files_are_declined(tmp_path, molecules):
    path = write_gem(tmp_path / "a.gem", molecules.drop(columns="MIDCount"))
    assert detect_format(path) is None
    (tmp_path / "b.gem.gz").write_bytes(b"\x1f\x8b broken")
    assert detect_format(tmp_path / "b.gem.gz") is None


def test_what_a_file_lacks_is_named(tmp_path, molecules):
    text = write_gem(tmp_path / "a.gem", molecules.rename(columns={"MIDCount": "n"}))
    with pytest.raises(InputError, match="found geneID, x, y, n"):
        read(text)
    (tmp_path / "b.gem").write_text("geneID\tx\ty\tMIDCount\n")
    with pytest.raises(InputError, match="found no table"):
        read(tmp_path / "b.gem")
    path = write_gef(tmp_path / "c.gef", molecules)
    with pytest.raises(InputError, match="it holds square bins"):
        read(path, part="cells")
    with h5py.File(path, "a") as file:
        group = file["geneExp/bin1"]
        held = group["expression"][()]
        del group["expression"]
        held.dtype.names = ("x", "y", "MIDcount")
        group["expression"] = held
    with pytest.raises(InputError, match="missing: count; found: x, y, MIDcount"):
        read(path)


_molecule = st.tuples(
    st.integers(0, 60), st.integers(0, 60), st.integers(0, 2), st.integers(0, 3)
)


@settings(max_examples=30, deadline=None)
@given(st.lists(_molecule, min_size=1, max_size=60), st.integers(1, 20), st.data())
def test_sums_do_not_depend_on_how_molecules_come(table, size, data):
    rows = np.array(table)
    cut = data.draw(st.integers(0, len(rows)))
    sums = bins.BinSums(size)
    for part in (rows[cut:], rows[:cut]):
        sums.add(*part.T)
    counts, _, corners = sums.result(3)
    dense = np.zeros((61, 61, 3))
    np.add.at(dense, (rows[:, 1] // size, rows[:, 0] // size, rows[:, 2]), rows[:, 3])
    x, y = corners.T // size
    np.testing.assert_array_equal(counts.toarray(), dense[y, x])
    assert counts.sum() == dense.sum()
    assert counts.has_canonical_format
