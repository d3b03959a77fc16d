"""Genes of two references, and names that are gaps, bytes or numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import napari_semst
from napari_semst.io.feature_names import find_names, say_references
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from tests.io.outs import write_10x_h5, write_outs

HUMAN = "ACTB GAPDH TP53 EGFR MYC KRT5 COL1A1 CD3E CD4 CD8A MS4A1 GFAP MBP VIM PTPRC"
MIXED = [f"GRCh38_{g}" for g in HUMAN.split()]
MIXED += [f"mm10___{g.capitalize()}" for g in HUMAN.split()]


def of_two_species(tissue, names=MIXED, **columns):
    made = tissue[:, : len(names)].copy()
    made.var = pd.DataFrame(columns, index=names)
    return made


def bare(names):
    return [name.split("_")[-1] for name in names]


GENOMES = [*["GRCh38"] * 15, *["mm10"] * 15]
LAYOUTS = {
    "prefixes": (MIXED, {}),
    "prefixes and genome": (MIXED, {"genome": GENOMES}),
    "genome alone": (bare(MIXED), {"genome": GENOMES}),
    "Seurat": ([n.replace("_", "-") for n in MIXED], {}),
    "releases": ([n.replace("mm10___", "mm10-2020-A_") for n in MIXED], {}),
    "species": (bare(MIXED), {"species": ["human"] * 15 + ["mouse"] * 15}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mixed_species_are_told_and_prefixes_taken_off(tmp_path, tissue, layout):
    names, columns = LAYOUTS[layout]
    made = of_two_species(tissue, names, **columns)
    path = tmp_path / "mixed.h5ad"
    made.write_h5ad(path)
    found = read(path)
    assert list(found.var_names) == bare(MIXED)
    (told,) = input_warnings(found)
    assert told.startswith("Genes of 2 references: 15 of ")
    assert "human" in told
    assert "mouse" in told
    assert preview(path).remarks == (told,)
    if names[0] != "ACTB":
        assert list(found.var["original_names"]) == names
        assert found.var["genome"].iloc[0].startswith("GRCh38")
    found.write_h5ad(tmp_path / "again.h5ad")
    assert list(read(tmp_path / "again.h5ad").var_names) == bare(MIXED)


def test_a_folder_of_two_species_and_what_its_semantics_know(tmp_path, tissue):
    made = of_two_species(tissue, gene_ids=[f"x{i}" for i in range(30)])
    outs = write_outs(tmp_path / "outs", made)
    write_10x_h5(outs / "filtered_feature_bc_matrix.h5", made)
    assert "15 of mm10 (mouse)" in preview(outs).remarks[0]
    found = read(outs)
    assert list(found.var_names) == bare(MIXED)
    overrides = {"training": {"epochs": 1}}
    domains = napari_semst.find_domains(found, n_domains=3, overrides=overrides)
    record = domains.uns["semst"]["default"]
    assert record["semantics"]["species"] == "human and mouse"
    assert record["semantics"]["coverage"] == 1
    assert sum("Genes of 2 references" in text for text in record["warnings"]) == 1


def test_symbols_of_both_species_keep_their_reference(tmp_path, tissue):
    names = ["GRCh38_C3", "mm10___C3", "GRCh38_ACTB", "mm10___Actb"]
    of_two_species(tissue, names).write_h5ad(tmp_path / "both.h5ad")
    found = read(tmp_path / "both.h5ad")
    assert list(found.var_names) == ["GRCh38_C3", "mm10___C3", "ACTB", "Actb"]


def test_ids_of_two_species_become_symbols(tmp_path, tissue):
    names = ["GRCh38_ENSG00000075624", "mm10___ENSMUSG00000029580"]
    made = of_two_species(tissue, names, gene_name=["ACTB", "Actb"])
    made.write_h5ad(tmp_path / "ids.h5ad")
    found = read(tmp_path / "ids.h5ad")
    assert list(found.var_names) == ["ACTB", "Actb"]
    assert list(found.var["gene_ids"]) == ["ENSG00000075624", "ENSMUSG00000029580"]
    assert list(found.var["original_names"]) == names


@pytest.mark.parametrize("genome", [["GRCh38"] * 3, ["GRCh38", "GRCh38", ""], None])
def test_one_reference_is_nothing_to_tell(genome):
    var = pd.DataFrame(index=["ACTB", "GAPDH", "TP53"])
    if genome:
        var["genome"] = genome
    assert say_references(var) == ""
    assert list(find_names(var).names) == ["ACTB", "GAPDH", "TP53"]


@pytest.mark.parametrize("column", ["features", "_index", "gene_ids", "feature_name"])
@pytest.mark.parametrize("kind", ["text", "category", "bytes as text"])
def test_names_that_only_count_are_replaced(column, kind):
    names = pd.Series(["ACTB", "GAPDH", "TP53"], index=list("012"))
    if kind == "category":
        names = names.astype("category")
    elif kind == "bytes as text":
        names = names.map(lambda name: str(name.encode()))
    found = find_names(pd.DataFrame({"n_cells": [4, 5, 6], column: names}))
    assert list(found.names) == ["ACTB", "GAPDH", "TP53"]
    assert found.where == f"var[{column!r}]"
    assert found.warnings == ()


def test_names_that_only_count_are_told(tmp_path, tissue):
    tissue.var = pd.DataFrame(index=[str(i) for i in range(60)])
    tissue.write_h5ad(tmp_path / "counted.h5ad")
    (told,) = input_warnings(read(tmp_path / "counted.h5ad"))
    assert told.startswith("Genes are named by numbers alone (first: 0)")


@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
def test_gaps_among_names_are_filled_from_ids_or_told(tmp_path, tissue):
    names = [*tissue.var_names]
    names[3], names[4], names[5] = "nan", "", "nan"
    ids = [f"x{i}" for i in range(60)]
    ids[5] = "NA"
    tissue.var = pd.DataFrame({"gene_ids": ids}, index=names)
    tissue.write_h5ad(tmp_path / "gaps.h5ad")
    found = read(tmp_path / "gaps.h5ad")
    assert list(found.var_names[2:7]) == [names[2], "x3", "x4", "unnamed_6", names[6]]
    (told,) = input_warnings(found)
    assert told.startswith("1 of 60 genes have no name")


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", "NA"])
def test_symbols_with_gaps_leave_ids(missing):
    ids = ["ENSG00000075624", "ENSG00000111640", "ENSG00000141510"]
    var = pd.DataFrame({"gene_symbols": ["ACTB", missing, "TP53"]}, index=ids)
    import anndata

    from napari_semst.io.ensembl_symbols import find_symbols

    found = find_symbols(anndata.AnnData(np.ones((2, 3)), var=var), lambda ids: ids)
    assert list(found.names) == ["ACTB", ids[1], "TP53"]
