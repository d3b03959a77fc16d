"""Which genes have a vector, and ids that are of other genes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import SemanticsError
from napari_semst.genes.table import builtin_table
from napari_semst.io.ensembl_symbols import gene_ids
from napari_semst.methods.resolve import resolve
from napari_semst.pipeline.gene_coverage import check_ids, gene_coverage
from napari_semst.pipeline.inputs import SectionInputs
from napari_semst.pipeline.spot_semantics import list_genes
from napari_semst.semantics import GeneLists
from napari_semst.semantics.gene_table.source import BuiltinTable
from napari_semst.semantics.language_model.gene_texts import known_texts
from tests.small import short

NAMES = np.array(["MBP", "MALAT1", "HBA1/2", "NEAT1"])


def ids_of(symbols):
    table = builtin_table()
    number = {row: one for one, row in table.ensembl.items()}
    return np.array([f"ENSG{number[table.symbols.index(s)]:011d}" for s in symbols])


def test_shares_of_genes_and_counts_are_told():
    found = gene_coverage(NAMES, None, np.array([50.0, 30.0, 15.0, 5.0]))
    told = found.table()
    assert (told["species"], told["n_known"], told["share_of_genes"]) == (
        "human",
        2,
        0.5,
    )
    assert told["share_of_counts"] == 0.65
    unknown = [(u["gene"], u["share_of_counts"]) for u in told["heaviest_unknown"]]
    assert unknown == [("MALAT1", 0.3), ("NEAT1", 0.05)]
    assert "2 of 4 genes and 65.0% of their counts" in found.sentence()
    assert found.sentence().endswith("most counted without: MALAT1 30.00%, NEAT1 5.00%")


def test_ten_at_most_are_named_and_counts_may_be_missing():
    names = np.array([f"LINC0{number:04d}" for number in range(30)])
    found = gene_coverage(names, None, np.arange(30.0), "human")
    assert len(found.heaviest) == 10
    assert found.heaviest[0][0] == "LINC00029"
    without = gene_coverage(names, None, None, "human")
    assert (without.share_of_counts, without.heaviest) == (None, ())
    empty = gene_coverage(names, None, np.zeros(30), "human")
    assert (empty.share_of_counts, empty.heaviest) == (0.0, ())


def test_an_id_names_a_gene_that_its_name_does_not():
    ids = np.array([*ids_of(["MBP"]), "", "", *ids_of(["PLP1"])])
    found = gene_coverage(NAMES, ids, np.array([1.0, 1.0, 1.0, 1.0]))
    assert [name for name, _ in found.heaviest] == ["MALAT1"]


def test_ids_in_another_order_are_left_aside_and_told():
    symbols = np.array(builtin_table().symbols[200:400])
    ids = ids_of(symbols)
    assert check_ids(symbols, ids)[1] == ""
    kept, told = check_ids(symbols, np.roll(ids, 1))
    assert kept is None
    assert "200 of 200 genes have the Ensembl id of another gene" in told
    few = ids.copy()
    few[:5] = np.roll(few[:5], 1)
    np.testing.assert_array_equal(check_ids(symbols, few)[0], few)


def test_ids_are_found_in_columns_and_names(tissue):
    ids = ids_of(builtin_table().symbols[: tissue.n_vars])
    tissue.var = tissue.var[[]]
    assert gene_ids(tissue) is None
    tissue.var["gene_ids"] = ["none", *(f"{one}.3" for one in ids[1:])]
    assert gene_ids(tissue).tolist() == ["", *tissue.var["gene_ids"][1:]]
    tissue.var_names = ids
    np.testing.assert_array_equal(gene_ids(tissue), ids)


def test_ids_reach_the_source_of_a_run_and_of_a_model(tissue):
    symbols = builtin_table().symbols[200 : 200 + tissue.n_vars]
    tissue.var = tissue.var[[]]
    tissue.var_names = [f"Probe{number}" for number in range(tissue.n_vars)]
    config = resolve(short("quick"))
    inputs = SectionInputs(tissue, config.prepare)
    assert run_to_end(inputs.prepared(RunControl())).gene_ids is None
    tissue.var["gene_ids"] = ids_of(symbols)
    inputs = SectionInputs(tissue, config.prepare)
    section = run_to_end(inputs.prepared(RunControl()))
    named = (section.genes, config, RunControl(), section.gene_ids)
    lists = run_to_end(list_genes(section.counts, *named))
    found = BuiltinTable().embed_spots(lists, species="human")
    assert (found.coverage == 1).all()
    places = [list(tissue.var_names).index(name) for name in section.genes]
    by_name = GeneLists(np.array(symbols)[places], lists.indices)
    same = BuiltinTable().embed_spots(by_name, species="human")
    np.testing.assert_array_equal(found.embedding, same.embedding)
    texts = known_texts(
        GeneLists(lists.genes[:1], np.zeros((1, 1), np.int32), lists.ids[:1]), "human"
    )
    assert len(texts[0]) > len("Probe0: ")
    with pytest.raises(SemanticsError, match="none of them known"):
        BuiltinTable().embed_spots(
            GeneLists(lists.genes, lists.indices), species="human"
        )


def test_ids_are_as_many_as_genes():
    with pytest.raises(SemanticsError, match="an id for each of 4 genes"):
        GeneLists(NAMES, np.zeros((1, 1), np.int32), NAMES[:2])
