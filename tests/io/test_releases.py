"""Files of one release of anndata, in another: names, texts and layers."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import SaveError
from napari_semst.io.counts import find_counts
from napari_semst.io.export.atomic import estimated_bytes
from napari_semst.io.export.h5ad import write
from napari_semst.io.export.readback import check_readback
from napari_semst.io.matrices import named_layers
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.text_columns import as_texts
from napari_semst.viewer.adapter import snapshot

# What anndata 0.10 can read; later releases know more.
KNOWN_TO_ALL = {
    "anndata", "array", "awkward-array", "bytes", "categorical", "csc_matrix",
    "csr_matrix", "dataframe", "dict", "nullable-boolean", "nullable-integer",
    "numeric-scalar", "raw", "rec-array", "string", "string-array",
}  # fmt: skip


def as_nullable(path, name):
    """Store a column of text as pandas 3 does: values and a mask."""
    with h5py.File(path, "r+") as file:
        values = file[name].asstr()[:]
        del file[name]
        group = file.create_group(name)
        group.attrs.update(
            {"encoding-type": "nullable-string-array", "encoding-version": "0.1.0"}
        )
        group.attrs["na-value"] = "NaN"
        held = group.create_dataset("values", data=values, dtype=h5py.string_dtype())
        held.attrs.update({"encoding-type": "string-array"})
        held.attrs["encoding-version"] = "0.2.0"
        mask = group.create_dataset("mask", data=np.zeros(len(values), bool))
        mask.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def with_texts(tissue):
    """A tissue that holds texts wherever it can."""
    names = tissue.obs_names
    tissue.obs["note"] = pd.array(["text", None] * (len(names) // 2), dtype="string")
    tissue.obs["unique"] = pd.array([f"spot {i}" for i in range(len(names))], "string")
    table = {"kind": pd.array(["a", "b"] * (len(names) // 2), dtype="string")}
    tissue.obsm["table"] = pd.DataFrame(table, index=names)
    tissue.uns["deep"] = {
        "table": pd.DataFrame({"a": pd.array(["x", "y"], dtype="string")}),
        "gaps": pd.DataFrame({"a": pd.array(["x", None], dtype="string")}),
        "texts": pd.array(["x", "y"], dtype="string"),
        "some texts": pd.array(["x", None], dtype="string"),
        "objects": pd.DataFrame({"a": ["x", None, None]}, dtype=object),
    }
    tissue.layers["twice"] = tissue.X * 2
    tissue.raw = tissue.copy()
    return tissue


def test_what_is_written_can_be_read_since_anndata_0_10(tmp_path, tissue):
    path = write(with_texts(tissue), tmp_path / "a.h5ad")
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, held: found.update({name: held.attrs.get("encoding-type")})
        )
    strange = {n: e for n, e in found.items() if e and e not in KNOWN_TO_ALL}
    assert strange == {}
    assert {"obs/_index", "raw/var/_index", "obsm/table/kind", "layers/twice"} <= set(
        found
    )
    back = read(path)
    assert list(back.obs["note"].dropna()) == ["text"] * (tissue.n_obs // 2)
    assert list(back.uns["deep"]["gaps"]["a"].isna()) == [False, True]
    assert list(back.uns["deep"]["texts"]) == ["x", "y"]
    assert list(pd.isna(back.uns["deep"]["some texts"])) == [False, True]
    assert list(back.uns["deep"]["objects"]["a"].isna()) == [False, True, True]
    assert list(back.obsm["table"]["kind"]) == list(tissue.obsm["table"]["kind"])


@pytest.mark.parametrize("more", [(), ("obs/unique",), ("var/gene_ids",)])
def test_names_that_may_have_gaps_are_read_and_previewed(tmp_path, tissue, more):
    path = write(with_texts(tissue), tmp_path / "a.h5ad")
    for name in ("obs/_index", "var/_index", "obsm/table/_index", *more):
        as_nullable(path, name)
    found, back = preview(path), read(path)
    assert (found.n_spots, found.n_genes) == tissue.shape == back.shape
    assert found.counts == "X"
    assert found.counts_places == ("X", "twice", "raw")
    assert "unique" in found.annotations
    assert list(back.obs_names) == list(tissue.obs_names)
    # Nothing in it keeps it from being saved again, or is lost on the way.
    again = read(write(back, tmp_path / "b.h5ad"))
    assert list(again.obs["unique"]) == list(tissue.obs["unique"])


def test_names_that_are_categories_are_counted(tmp_path, tissue):
    path = write(tissue, tmp_path / "a.h5ad")
    with h5py.File(path, "r+") as file:
        names = file["obs/_index"].asstr()[:]
        del file["obs/_index"]
        group = file.create_group("obs/_index")
        group.create_dataset("categories", data=names, dtype=h5py.string_dtype())
        group.create_dataset("codes", data=np.arange(len(names), dtype="i2"))
        group.attrs.update({"encoding-type": "categorical", "ordered": False})
        group.attrs["encoding-version"] = "0.2.0"
    assert preview(path).n_spots == tissue.n_obs


def test_results_with_gaps_read_back_the_same(tmp_path, tissue):
    gaps = ["1", None] * (tissue.n_obs // 2)
    tissue.obs["semst_domain"] = pd.array(gaps, dtype="string")
    tissue.obs["semst_confidence"] = [0.5, np.nan] * (tissue.n_obs // 2)
    back = read(write(tissue, tmp_path / "a.h5ad"))
    assert list(back.obs["semst_domain"].isna()) == [False, True] * (tissue.n_obs // 2)
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file["obs/semst_domain/codes"][1] = 0
    with pytest.raises(SaveError, match="semst_domain"):
        check_readback(tissue, tmp_path / "a.h5ad")


def test_texts_have_no_gaps_that_equal_nothing():
    for gaps in (pd.NA, None, np.nan):
        for kind in ("string", object, "category"):
            column = pd.Series(["a", gaps, "b"], dtype=kind)
            assert list(as_texts(column)) == ["a", "nan", "b"]
    assert list(as_texts(pd.Series([1.0, np.nan]))) == ["1.0", "nan"]


def test_x_is_no_layer_whatever_anndata_says():
    held = SimpleNamespace(layers={None: "X", "counts": "C"})
    assert named_layers(held) == {"counts": "C"}


def test_x_is_offered_counted_and_copied_once(tissue):
    without = estimated_bytes(tissue)
    tissue.layers["twice"] = tissue.X * 2
    own = tissue.X
    size = own.data.nbytes + own.indices.nbytes + own.indptr.nbytes
    assert estimated_bytes(tissue) - without == pytest.approx(1.1 * size, rel=0.01)
    assert set(named_layers(tissue)) == {"twice"}
    copy = snapshot(tissue)
    assert copy.X is own or (own != copy.X).nnz == 0
    assert set(named_layers(copy)) == {"twice"}
    assert find_counts(copy, "twice").where == "layers['twice']"


def test_stores_in_chunks_within_shards_are_previewed(tmp_path, tissue):
    path = tmp_path / "a.zarr"
    with warnings.catch_warnings():
        # Of formats to come, and of an option of pandas that anndata asks for.
        warnings.simplefilter("ignore")
        tissue.write_zarr(path)
    found = preview(path)
    assert (found.n_spots, found.n_genes, found.counts) == (*tissue.shape, "X")
    assert anndata.read_zarr(path).shape == read(path).shape == tissue.shape
