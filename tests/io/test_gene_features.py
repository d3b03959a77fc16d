"""Features that are no genes are left out, counted and told, whatever the format."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

import napari_semst
from napari_semst.errors import InputError
from napari_semst.io.gene_features import feature_kinds
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.wording import for_shell, for_window
from tests.io import stores
from tests.io.folders import write_cosmx, write_merscope, write_xenium
from tests.io.outs import write_10x_h5, write_outs
from tests.io.readers.test_zarr import saved

TYPES = {
    "feature_types": ("Gene Expression", "Blank Codeword", "Negative Control Probe"),
    "CodeClass": ("Endogenous", "FalseCode", "Negative"),
    "is_control": (False, True, True),
}
NAMES = {
    "xenium": ("BLANK_{:04}", "NegControlCodeword_{:04}"),
    "cosmx": ("SystemControl{}", "Negative{}"),
    "merscope": ("Blank-{}", "Sequential_control_{}"),
    "any": ("ERCC-{:05}", "antisense_GENE{}"),
}
STORES = ("h5ad", "zarr")
WRITERS = {"xenium": write_xenium, "cosmx": write_cosmx, "merscope": write_merscope}
FEATURES = ("id", "name", "feature_type")


def with_others(tissue, names=("X{}", "Y{}"), column="", noise=40):
    """Return a tissue with ten further features, five of each name, put in between."""
    rng = np.random.default_rng(0)
    more = rng.poisson(noise, (tissue.n_obs, 10)).astype(np.float32)
    matrix = sparse.csr_matrix(sparse.hstack([tissue.X[:, :7], more, tissue.X[:, 7:]]))
    others = [name.format(i) for name in names for i in range(5)]
    genes = list(tissue.var_names)
    index = pd.Index([*genes[:7], *others, *genes[7:]])
    made = anndata.AnnData(
        matrix, obs=tissue.obs, var=pd.DataFrame(index=index), obsm=tissue.obsm
    )
    if column:
        gene, first, second = TYPES[column]
        told = [gene] * 7 + [first] * 5 + [second] * 5 + [gene] * (len(genes) - 7)
        made.var[column] = told
    return made


def stored(tissue, folder, ending):
    path = folder / f"section.{ending}"
    if ending == "zarr":
        saved(tissue, path)
    else:
        tissue.write_h5ad(path)
    return path


def assert_genes_alone(found, tissue):
    assert list(found.var_names) == list(tissue.var_names)
    assert (found.X != tissue.X).nnz == 0
    assert found.uns["semst_input"]["not_genes"] == 10
    (told,) = input_warnings(found)
    assert told.startswith("10 of 70 features are no genes and are left out: ")


@pytest.mark.parametrize("ending", STORES)
@pytest.mark.parametrize("column", TYPES)
def test_columns_tell_what_is_left_out(tmp_path, tissue, column, ending):
    path = stored(with_others(tissue, column=column), tmp_path, ending)
    found = read(path)
    assert_genes_alone(found, tissue)
    seen = preview(path)
    assert seen.n_genes == 60
    assert list(seen.remarks) == input_warnings(found)


@pytest.mark.parametrize("maker", NAMES)
def test_makers_names_tell_what_is_left_out(tmp_path, tissue, maker):
    path = stored(with_others(tissue, NAMES[maker]), tmp_path, "h5ad")
    assert_genes_alone(read(path), tissue)
    assert preview(path).n_genes == 60


def test_layers_raw_and_other_parts_follow(tmp_path, tissue):
    made = with_others(tissue, NAMES["xenium"])
    made.raw = made.copy()
    made.layers["counts"] = made.X.copy()
    made.varm["loadings"] = np.arange(70.0)[:, None]
    made.uns["spatial"] = {"A": {"images": {}, "scalefactors": {}}}
    found = read(stored(made, tmp_path, "h5ad"), counts="raw")
    assert_genes_alone(found, tissue)
    assert (found.layers["counts"] != tissue.X).nnz == 0
    assert found.varm["loadings"][7, 0] == 17
    assert list(found.uns["spatial"]) == ["A"]


@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
def test_a_protein_does_not_take_the_name_of_its_gene(tmp_path, tissue):
    made = with_others(tissue, column="feature_types")
    names = made.var_names.to_numpy(dtype=object)
    names[7:10] = tissue.var_names[-3:]
    made.var_names = pd.Index(names)
    assert_genes_alone(read(stored(made, tmp_path, "h5ad")), tissue)


def test_all_features_are_kept_where_asked_for(tmp_path, tissue):
    path = stored(with_others(tissue, NAMES["cosmx"]), tmp_path, "h5ad")
    found = read(path, features="all")
    assert found.n_vars == 70
    assert input_warnings(found) == []
    assert preview(path, features="all").n_genes == 70
    # What was read so stays so, also when it is saved and read again.
    again = read(stored(found, tmp_path, "zarr"))
    assert again.n_vars == 70


@pytest.mark.parametrize(
    "kind", ["string", "category", "boolean", "Int8", "bytes as text"]
)
def test_columns_of_any_make_tell_the_same(tmp_path, tissue, kind):
    made = with_others(tissue)
    others = [name[0] in "XY" and name[1:].isdigit() for name in made.var_names]
    values = ["Blank" if other else "Gene" for other in others]
    if kind == "bytes as text":
        values = [str(value.encode()) for value in values]
    if kind in ("boolean", "Int8"):
        flags = pd.array(others, dtype="boolean").astype(kind)
        flags[0] = pd.NA
        made.var["is_control"] = flags
    else:
        column = pd.Series(values, made.var_names)
        column.iloc[0] = None
        made.var["feature_class"] = column.astype(
            kind if kind in ("string", "category") else object
        )
    with anndata.settings.override(allow_write_nullable_strings=True):
        path = stored(made, tmp_path, "h5ad")
    assert_genes_alone(read(path), tissue)
    assert preview(path).n_genes == 60


def test_another_choice_of_features_is_refused(tmp_path, tissue):
    path = stored(tissue, tmp_path, "h5ad")
    for call in (read, preview):
        with pytest.raises(InputError, match="'genes' or 'all'; got 'proteins'"):
            call(path, features="proteins")


@pytest.mark.parametrize("told", ["Antibody Capture", "Protein Expression", "Protein"])
def test_a_table_without_genes_is_refused(tmp_path, tissue, told):
    tissue.var["feature_types"] = told
    path = stored(tissue, tmp_path, "h5ad")
    with pytest.raises(
        InputError, match=r"Expected genes in .*; all 60 .* 60 proteins"
    ):
        read(path)
    assert preview(path).n_genes == 0
    assert read(path, features="all").n_vars == 60


def test_a_tissue_in_memory_is_clustered_by_its_genes(tissue):
    made = with_others(tissue, column="feature_types", noise=400)
    wanted = {"n_domains": 3, "method": "quick"}
    alone = napari_semst.find_domains(tissue, **wanted)
    found = napari_semst.find_domains(made, **wanted)
    assert found.n_vars == 70
    assert list(found.obs["semst_domain"]) == list(alone.obs["semst_domain"])
    told = found.uns["semst"]["default"]["warnings"]
    assert sum("10 of 70 features are no genes" in text for text in told) == 1
    every = napari_semst.find_domains(
        made, **wanted, overrides={"prepare": {"features": "all"}}
    )
    assert not any("no genes" in w for w in every.uns["semst"]["default"]["warnings"])


@pytest.mark.parametrize("form", ["h5", "mtx"])
def test_a_10x_matrix_of_several_types(tmp_path, tissue, form):
    outs = write_outs(tmp_path / "outs", tissue)
    path = outs / "filtered_feature_bc_matrix.h5"
    write_10x_h5(path, tissue, antibody=True)
    if form == "mtx":
        _as_market(path)
    found = read(outs)
    assert list(found.var_names) == list(tissue.var_names)
    assert found.uns["semst_input"]["not_genes"] == 1
    assert (
        "1 of 61 features is no gene and is left out: 1 protein"
        in (input_warnings(found)[0])
    )
    assert preview(outs).n_genes == 60
    assert read(outs, features="all").n_vars == 61


def _as_market(path):
    """Put a folder of text in the place of a matrix in HDF5."""
    with h5py.File(path) as file:
        group = file["matrix"]
        parts = (group[name][()] for name in ("data", "indices", "indptr"))
        matrix = sparse.csc_matrix(tuple(parts), shape=tuple(group["shape"][()]))
        features = [group[f"features/{k}"].asstr()[()] for k in FEATURES]
        barcodes = group["barcodes"].asstr()[()]
    path.unlink()
    folder = path.with_suffix("")
    folder.mkdir()
    mmwrite(folder / "matrix.mtx", matrix)
    lines = ["\t".join(line) for line in zip(*features, strict=True)]
    (folder / "features.tsv").write_text("\n".join(lines))
    (folder / "barcodes.tsv").write_text("\n".join(barcodes))


@pytest.mark.parametrize("kind", WRITERS)
def test_folders_of_instruments_say_and_count_the_same(tmp_path, tissue, kind):
    folder = WRITERS[kind](tmp_path / "run", tissue)
    found, seen = read(folder), preview(folder)
    assert seen.n_genes == found.n_vars == 60
    assert list(seen.remarks) == input_warnings(found)
    assert read(folder, features="all").n_vars > 60


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_tables_of_spatialdata_leave_out_the_same(tmp_path, tissue, zarr_format):
    made = with_others(tissue, NAMES["merscope"])
    store = tmp_path / "section.zarr"
    stores.group(store, {"spatialdata_attrs": {"version": "0.2"}}, zarr_format)
    stores.write_table(store, "table", made, "spots", zarr_format)
    circles = [stores.point(*xy) for xy in np.asarray(tissue.obsm["spatial"])]
    stores.write_shapes(store, "spots", circles, zarr_format, moved=(), radius=2.0)
    assert_genes_alone(read(store), tissue)
    assert preview(store).n_genes == 60


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv"])
def test_plain_tables_leave_out_the_same(tmp_path, tissue, turned, ending):
    made = with_others(tissue, NAMES["xenium"])
    counts = pd.DataFrame(made.X.toarray().astype(int), made.obs_names, made.var_names)
    apart = "\t" if ending == "tsv" else ","
    (counts.T if turned else counts).to_csv(tmp_path / f"counts.{ending}", sep=apart)
    places = pd.DataFrame(made.obsm["spatial"], made.obs_names, ["x", "y"])
    places.to_csv(tmp_path / "places.csv", index_label="spot")
    assert_genes_alone(read(tmp_path), tissue)
    seen = preview(tmp_path)
    assert seen.n_genes == 60
    assert seen.remarks[0].startswith("10 of 70 features")


def test_the_shell_and_python_name_their_own_way(tissue):
    tissue.var["feature_types"] = ["Antibody Capture", *["Gene Expression"] * 59]
    told = feature_kinds(tissue.var_names, tissue.var).sentence()
    assert told.endswith("To use it as a gene, set features to 'all'.")
    assert for_shell(told).endswith("To use it as a gene, add --features all.")
    assert "To use" not in for_window(told)
