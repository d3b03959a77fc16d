"""Layouts of h5ad files that R and bin2cell write: names, counts, and what is told."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_semst.errors import CountsError
from napari_semst.io.counts import find_counts
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read


@pytest.fixture
def normalised(tissue):
    """Return log-normalised values of a tissue."""
    totals = np.asarray(tissue.X.sum(axis=1))
    return sparse.csr_matrix(tissue.X.multiply(1e4 / totals)).log1p().astype(np.float32)


def seurat_obs(tissue):
    totals = np.asarray(tissue.X.sum(axis=1)).ravel()
    return pd.DataFrame(
        {
            "orig.ident": pd.Categorical(["S1"] * tissue.n_obs),
            "nCount_Spatial": totals,
            "nFeature_Spatial": np.diff(tissue.X.indptr),
        },
        index=tissue.obs_names,
    )


def seuratdisk_file(path, tissue, raw, main, *, numbered=False):
    """Write what SeuratDisk converts: an old layout, names of .raw in ``_index``."""
    names = np.array(list(tissue.var_names), dtype=object)
    text = h5py.string_dtype()
    index = [str(i) for i in range(tissue.n_vars)] if numbered else names
    with h5py.File(path, "w") as file:
        file["X"] = np.asarray(main.toarray() if sparse.issparse(main) else main)
        group = file.create_group("raw/X")
        group.attrs["shape"] = raw.shape
        group.attrs["encoding-type"] = "csr_matrix"
        group.attrs["encoding-version"] = "0.1.0"
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(raw, name)
        for place, own, columns in (
            ("var", index, {"vst.mean": np.ones(len(names))}),
            ("raw/var", index if numbered else names, {"_index": names}),
            ("obs", tissue.obs_names, {"nCount_RNA": np.ones(tissue.n_obs)}),
        ):
            table = file.create_group(place)
            table.attrs["encoding-type"] = "dataframe"
            table.attrs["encoding-version"] = "0.1.0"
            same = "_index" in columns and not numbered
            key = "_index" if same else "index"
            table.attrs["_index"] = key
            order = list(columns)
            table.attrs["column-order"] = np.array(order, dtype=text)
            if key not in columns:
                table.create_dataset(key, data=list(own), dtype=text)
            for name, values in columns.items():
                kind = text if values.dtype == object else values.dtype
                table.create_dataset(name, data=values, dtype=kind)
        file["obsm/X_spatial"] = np.asarray(tissue.obsm["spatial"])
        file["obsm/X_pca"] = np.ones((tissue.n_obs, 2))
    return path


@pytest.mark.parametrize("numbered", [False, True])
def test_seuratdisk_names_are_of_raw_and_counts_are_named(
    tmp_path, tissue, normalised, numbered
):
    path = seuratdisk_file(
        tmp_path / "disk.h5ad", tissue, tissue.X, normalised, numbered=numbered
    )
    found = read(path)
    assert list(found.var_names) == list(tissue.var_names)
    np.testing.assert_array_equal(found.obsm["spatial"], tissue.obsm["spatial"])
    with pytest.raises(CountsError, match="raw holds counts: choose 'raw'"):
        find_counts(found)
    assert (find_counts(found, "raw").matrix != tissue.X).nnz == 0
    assert (read(path, counts="raw").X != tissue.X).nnz == 0
    # A column that is called _index could not be written.
    found.write_h5ad(tmp_path / "again.h5ad")
    again = read(tmp_path / "again.h5ad")
    assert (find_counts(again, "raw").matrix != tissue.X).nnz == 0


def test_seuratdisk_scaled_data_without_counts_is_told(tmp_path, tissue, normalised):
    scaled = normalised.toarray() - normalised.toarray().mean(axis=0)
    path = seuratdisk_file(tmp_path / "scaled.h5ad", tissue, normalised, scaled)
    with pytest.raises(CountsError, match=r"scaled or centred data.*obs is Seurat's"):
        find_counts(read(path))


@pytest.mark.parametrize("main", ["data", "counts"])
def test_sceasy_writes_one_layer(tmp_path, tissue, normalised, main):
    made = anndata.AnnData(
        tissue.X if main == "counts" else normalised,
        obs=seurat_obs(tissue),
        var=pd.DataFrame({"feature_name": tissue.var_names}, index=tissue.var_names),
        obsm={"spatial": np.asarray(tissue.obsm["spatial"])},
    )
    made.write_h5ad(tmp_path / "sceasy.h5ad")
    found = read(tmp_path / "sceasy.h5ad")
    assert input_warnings(found) == []
    assert list(found.var_names) == list(tissue.var_names)
    if main == "counts":
        assert (find_counts(found).matrix != tissue.X).nnz == 0
        return
    with pytest.raises(CountsError, match=r"normalised to 10,000 .* main_layer"):
        find_counts(found)


@pytest.mark.parametrize("main", ["counts", "logcounts", None])
def test_zellkonverter_and_anndatar_keep_assays_in_layers(
    tmp_path, tissue, normalised, main
):
    assays = {"counts": tissue.X, "logcounts": normalised}
    made = anndata.AnnData(
        assays.get(main),
        obs=seurat_obs(tissue),
        var=pd.DataFrame({"ID": tissue.var_names}, index=tissue.var_names),
        obsm={
            "spatial": np.asarray(tissue.obsm["spatial"]),
            "PCA": np.ones((tissue.n_obs, 3)),
        },
        layers={name: held for name, held in assays.items() if name != main},
        uns={"X_name": str(main)},
    )
    made.write_h5ad(tmp_path / "sce.h5ad")
    found = read(tmp_path / "sce.h5ad")
    np.testing.assert_array_equal(found.obsm["spatial"], tissue.obsm["spatial"])
    if main == "counts":
        assert (find_counts(found).matrix != tissue.X).nnz == 0
        return
    with pytest.raises(CountsError, match=r"layers\['counts'\] holds counts"):
        find_counts(found)
    assert (read(tmp_path / "sce.h5ad", counts="counts").X != tissue.X).nnz == 0


def of_bins(tissue, values):
    rng = np.random.default_rng(3)
    obs = tissue.obs.assign(bin_count=rng.integers(2, 30, tissue.n_obs), object_id=1)
    return anndata.AnnData(
        values(tissue.X, obs["bin_count"].to_numpy()).astype(np.float32),
        obs=obs,
        var=tissue.var,
        obsm=tissue.obsm,
    )


def means(counts, bins):
    return sparse.csr_matrix(counts.multiply(1 / bins[:, None]))


def destriped(counts, bins):
    factor = np.random.default_rng(4).uniform(0.7, 1.4, (counts.shape[0], 1))
    return sparse.csr_matrix(counts.multiply(factor))


def test_means_over_bins_are_named_and_what_to_do_is_right(tissue):
    made = of_bins(tissue, means)
    told = r"means over the bins of each cell, such as .* obs\['bin_count'\]"
    with pytest.raises(CountsError, match=told) as raised:
        find_counts(made)
    before, _, code = str(raised.value).partition("adata.X = ")
    assert "normalised" not in before
    adata = made
    adata.X = eval(code.rstrip("."))  # what the message has people write
    np.testing.assert_allclose(find_counts(adata).matrix.toarray(), tissue.X.toarray())


def test_destriped_counts_are_named(tissue):
    made = of_bins(tissue, destriped)
    with pytest.raises(CountsError, match=r"bin2cell makes of counts .* summed over"):
        find_counts(made)
    bins = made.copy()
    bins.obs = tissue.obs.assign(destripe_factor=0.5, n_counts_adjusted=3.0)
    with pytest.raises(CountsError, match=r"adjust_counts=False\)\); or round"):
        find_counts(bins)
    bins.layers["counts"] = tissue.X
    with pytest.raises(CountsError, match=r"bin2cell .* layers\['counts'\] holds"):
        find_counts(bins)
    bins.X = bins.X.rint()
    assert find_counts(bins).where == "X"


def test_normalised_cells_of_bins_are_called_so(tissue, normalised):
    made = of_bins(tissue, lambda counts, bins: normalised)
    with pytest.raises(CountsError, match=r"log \(log1p\) of counts"):
        find_counts(made)
