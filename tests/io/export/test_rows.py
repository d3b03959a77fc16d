from __future__ import annotations

from types import SimpleNamespace

import anndata
import h5py
import numpy as np
import pytest
from anndata.io import sparse_dataset
from scipy import sparse

from napari_semst.errors import SaveError
from napari_semst.io.export import rows
from napari_semst.io.export.h5ad import write
from napari_semst.io.export.rows import copy_stored, write_by_rows
from napari_semst.sample import simulated_cortex


@pytest.fixture(scope="module")
def tissue():
    return simulated_cortex(60, 50, image=False)


def bare(tissue):
    """The same tissue without its counts."""
    return anndata.AnnData(
        obs=tissue.obs, var=tissue.var, obsm=dict(tissue.obsm), uns=tissue.uns
    )


def test_rows_make_the_file_that_the_whole_makes(tissue, tmp_path) -> None:
    parts = [tissue.X[:25], tissue.X[25:25], tissue.X[25:]]
    write_by_rows(bare(tissue), iter(parts), tmp_path / "rows.h5ad")
    write(tissue, tmp_path / "whole.h5ad")
    parted, whole = (
        anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("rows", "whole")
    )
    assert sparse.isspmatrix_csr(parted.X)
    assert parted.X.dtype == whole.X.dtype
    assert parted.X.indptr.dtype == whole.X.indptr.dtype
    np.testing.assert_array_equal(parted.X.toarray(), whole.X.toarray())
    assert parted.obs.equals(whole.obs)
    assert parted.uns.keys() == whole.uns.keys()


def test_rows_that_are_missing_leave_no_file(tissue, tmp_path) -> None:
    with pytest.raises(SaveError, match="60 spots; 25 came"):
        write_by_rows(bare(tissue), iter([tissue.X[:25]]), tmp_path / "rows.h5ad")
    assert not list(tmp_path.iterdir())


def test_a_copy_holds_what_links_lead_to_and_nothing_else(tissue, tmp_path) -> None:
    tissue.write_h5ad(tmp_path / "in.h5ad")
    bare(tissue).write_h5ad(tmp_path / "out.h5ad")
    with h5py.File(tmp_path / "in.h5ad", "r+") as file:
        for name in ("data", "indices"):
            file.move(f"X/{name}", f"elsewhere/{name}")
            file[f"X/{name}"] = h5py.SoftLink(f"/elsewhere/{name}")
        file["X/more"] = np.zeros(3)
        file["X"].attrs["more"] = "more"
        copy_stored({"X": sparse_dataset(file["X"])}, tmp_path / "out.h5ad")
    with h5py.File(tmp_path / "out.h5ad") as file:
        assert sorted(file["X"]) == ["data", "indices", "indptr"]
        assert "more" not in file["X"].attrs
    copied = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert (copied.X != tissue.X).nnz == 0


def test_rows_end_in_words_before_the_disk_is_full(
    tissue, tmp_path, monkeypatch
) -> None:
    usage = SimpleNamespace(disk_usage=lambda folder: SimpleNamespace(free=10**6))
    monkeypatch.setattr(rows, "shutil", usage)
    with pytest.raises(SaveError, match="free in"):
        write_by_rows(bare(tissue), iter([tissue.X]), tmp_path / "rows.h5ad")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def packed(tissue, tmp_path):
    """A file of the tissue and of a layer, packed in pieces of 50."""
    saved = tissue.copy()
    saved.layers["counts"] = saved.X.copy()
    path = tmp_path / "packed.h5ad"
    saved.write_h5ad(path)
    with h5py.File(path, "r+") as file:
        for where in ("X", "layers/counts"):
            for name in ("data", "indices", "indptr"):
                values = file[where][name][:]
                del file[where][name]
                file[where].create_dataset(
                    name, data=values, chunks=(50,), compression="gzip"
                )
    return path


def pieces(path, where="X"):
    with h5py.File(path) as file:
        return {name: file[where][name].chunks for name in ("data", "indices")}


def test_counts_that_a_file_holds_are_copied_as_it_packs_them(packed, tmp_path) -> None:
    found = anndata.read_h5ad(packed)
    found.obs["new"] = 1.0
    write(found, tmp_path / "out.h5ad", packed_in=packed)
    again = anndata.read_h5ad(tmp_path / "out.h5ad")
    for one, other in ((again.X, found.X), (again.layers["counts"], found.X)):
        np.testing.assert_array_equal(one.toarray(), other.toarray())
    assert (again.obs["new"] == 1).all()
    for where in ("X", "layers/counts"):
        assert set(pieces(tmp_path / "out.h5ad", where).values()) == {(50,)}
    # What is written is not changed by it.
    assert found.X.nnz == found.layers["counts"].nnz > 0


@pytest.mark.parametrize("change", ["a value", "a gene", "a type", "fewer spots"])
def test_counts_that_differ_are_packed_anew(packed, tmp_path, change) -> None:
    found = anndata.read_h5ad(packed)
    if change == "a value":
        found.X.data[-1] += 1
    elif change == "a gene":
        found.X.indices[-1] -= found.X.indices[-1] > 0
    elif change == "a type":
        found.X = found.X.astype(np.float64)
    else:
        found = found[:-1].copy()
    write(found, tmp_path / "out.h5ad", packed_in=packed)
    again = anndata.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_array_equal(again.X.toarray(), found.X.toarray())
    assert again.X.dtype == found.X.dtype
    assert set(pieces(tmp_path / "out.h5ad").values()) != {(50,)}


def test_counts_that_are_not_packed_are_packed(tissue, tmp_path) -> None:
    tissue.write_h5ad(tmp_path / "plain.h5ad")
    found = anndata.read_h5ad(tmp_path / "plain.h5ad")
    write(found, tmp_path / "out.h5ad", packed_in=tmp_path / "plain.h5ad")
    with h5py.File(tmp_path / "out.h5ad") as file:
        assert file["X/data"].compression == "gzip"


@pytest.mark.parametrize("become", ["moved", "cut short", "no file of HDF5", "written"])
def test_a_file_that_cannot_be_read_any_more_costs_no_result(
    packed, tmp_path, become
) -> None:
    found, held = anndata.read_h5ad(packed), packed.read_bytes()
    packed.unlink()
    if become == "cut short":
        packed.write_bytes(held[: len(held) // 2])
    elif become == "no file of HDF5":
        packed.write_bytes(b"nothing")
    elif become == "written":
        packed.write_bytes(held)
        with h5py.File(packed, "r+") as file:
            del file["X"].attrs["shape"]
    write(found, tmp_path / "out.h5ad", packed_in=packed)
    again = anndata.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_array_equal(again.X.toarray(), found.X.toarray())
    assert found.X.nnz > 0
