from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st

from napari_semst.io.ensembl_symbols import find_symbols, gene_symbols, is_ensembl_id
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read


def table(names: list[str], **columns: list[object]) -> AnnData:
    var = pd.DataFrame(columns, index=names)
    return AnnData(np.ones((3, len(names)), dtype=np.float32), var=var)


def nothing(ids):
    return ids


IDS = ["ENSG00000000001", "ENSG00000000002.4", "ENSMUSG00000000003"]


@pytest.mark.parametrize(
    ("name", "is_id"),
    [
        ("ENSG00000141510", True),
        ("ENSMUSG00000059552.8", True),
        ("ENSG00000002586.20_PAR_Y", True),
        ("ENSDARG00000035559", True),
        ("ENSA", False),
        ("ENSG0000014151", False),
        ("TP53", False),
    ],
)
def test_ensembl_ids_are_told_from_symbols(name, is_id):
    assert is_ensembl_id(name) is is_id


@pytest.mark.parametrize("column", ["gene_symbols", "feature_name", "SYMBOL", "symbol"])
def test_symbols_come_from_a_column(column):
    adata = table(IDS, **{column: ["A", "B", "C"]})
    found = find_symbols(adata, nothing)
    assert list(found.names) == ["A", "B", "C"]
    assert found.where == f"var[{column!r}]"
    assert found.warnings == ()
    assert list(adata.var_names) == IDS


def test_symbols_of_a_categorical_column_with_gaps():
    symbols = pd.Categorical(["A", None, "nan"], categories=["A", "nan"])
    # One of three is too little for the column to be taken at its word.
    found = find_symbols(table(IDS, gene_name=symbols), lambda ids: ["", "", "C"])
    assert list(found.names) == [*IDS[:2], "C"]
    two = table(IDS[:2], gene_name=symbols[:2])
    found = find_symbols(two, lambda ids: ["B"])
    assert list(found.names) == ["A", "B"]


def test_a_column_of_ids_is_no_column_of_symbols():
    adata = table(IDS, gene_name=IDS, feature_name=["A", "B", "C"])
    assert find_symbols(adata, nothing).where == "var['feature_name']"


def test_suffix_of_repeated_symbols_is_left_out():
    adata = table(IDS[:1], feature_name=["TBCE_ENSG00000000001"])
    assert list(find_symbols(adata, nothing).names) == ["TBCE"]


def test_unknown_ids_stay_with_a_warning():
    found = find_symbols(table(IDS), nothing)
    assert list(found.names) == IDS
    assert "3 of 3 genes" in found.warnings[0]


def test_lookup_gets_ids_without_versions():
    asked = []

    def lookup(ids):
        asked.extend(ids)
        return [{"ENSG00000000002": "B"}.get(i, i) for i in ids]

    found = find_symbols(table(IDS), lookup)
    assert asked == ["ENSG00000000001", "ENSG00000000002", "ENSMUSG00000000003"]
    assert list(found.names) == [IDS[0], "B", IDS[2]]
    assert found.where == "built-in table"


def test_built_in_table_knows_a_human_gene():
    names = [f"ENSG{n:011d}" for n in (141510, 131095, 197971)]
    assert list(gene_symbols(table(names))) == ["TP53", "GFAP", "MBP"]


def test_a_few_ids_among_symbols_are_left_alone():
    def never(ids):
        raise AssertionError

    names = ["TP53", "GFAP", "ENSG00000999999"]
    found = find_symbols(table(names), never)
    assert list(found.names) == names
    assert found.warnings == ()


symbol = st.text("ABCDEFGHIJ0123456789-", min_size=1, max_size=8).filter(
    lambda text: text.lower() not in {"na", "-", "nan", "none"}
)
number = st.integers(0, 10**11 - 1)


@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
@given(st.lists(st.tuples(number, symbol, st.booleans()), min_size=1, max_size=30))
def test_every_gene_keeps_a_name_at_its_place(genes):
    names = [f"ENSG{n:011d}" if is_id else s for n, s, is_id in genes]
    adata = table(names, gene_symbols=[s for _, s, _ in genes])
    found = gene_symbols(adata)
    assert list(found) == [s for _, s, _ in genes]
    assert list(adata.var_names) == names


@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
def test_reading_names_genes_and_keeps_the_ids(tmp_path, tissue):
    ids = [f"ENSG{i:011d}" for i in range(60)]
    tissue.var = pd.DataFrame(
        {"feature_name": ["TBCE", "TBCE", *(f"S{i}" for i in range(58))]}, index=ids
    )
    path = tmp_path / "ids.h5ad"
    tissue.write_h5ad(path)
    found = read(path)
    assert list(found.var_names[:3]) == ["TBCE", "TBCE-1", "S0"]
    assert list(found.var["gene_ids"]) == ids
    tissue.var = pd.DataFrame(index=[f"ENSDARG{i:011d}" for i in range(60)])
    tissue.write_h5ad(path)
    found = read(path)
    assert found.var_names[0] == "ENSDARG00000000000"
    assert "60 of 60 genes" in input_warnings(found)[0]
