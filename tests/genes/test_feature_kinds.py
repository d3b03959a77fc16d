"""Controls, blanks and proteins are told from genes, and no gene is taken for one."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from napari_semst.genes.feature_kinds import (
    is_gene,
    kind_of_name,
    kinds_by_flag,
    kinds_by_type,
    say_kinds,
)
from napari_semst.genes.table import builtin_table

_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "genes"
CONTROLS = {
    "negative control probe": "NegControlProbe_00042 NegControlProbe-00042 NegPrb12 "
    "NegControlProbe.00042 Negative1 NegProbe-WTX NegativeControl3 negative_control",
    "negative control codeword": "NegControlCodeword_0500 NegControlCodeword-0500",
    "unassigned codeword": "UnassignedCodeword_0001 UnassignedCodeword-0001",
    "deprecated codeword": "DeprecatedCodeword_0321 DEPRECATED_ENSG00000112345",
    "blank codeword": "BLANK_0037 BLANK-0001 Blank-1 Blank1 blank_12 Blank.7 blank "
    "notarget-3",
    "genomic control": "Intergenic_Region_10023 Intergenic-Region-10023",
    "antisense control": "antisense_PROKR2 antisense-ULK3 antisense.LRRIQ3",
    "false code": "FalseCode FalseCode12 fake_gene_4 FakeBarcode7",
    "system control": "SystemControl1 SystemControl208",
    "control": "Sequential_control_1 Control_probe_3",
    "spike-in": "ERCC-00002 ERCC_00171",
    "protein": "CD3_TotalSeqB CD3.TotalSeqC CD4-TotalSeq-A adt_CD8 protein:CD45",
}


@pytest.mark.parametrize("kind", CONTROLS)
def test_makers_names_of_controls_are_known(kind):
    assert {kind_of_name(name) for name in CONTROLS[kind].split()} == {kind}


def test_no_symbol_of_the_built_in_table_is_a_control():
    table = builtin_table()
    names = {*table.symbols, *table.aliases, *table.mouse}
    assert len(names) > 50_000
    assert [name for name in names if not is_gene(name)] == []


def test_genes_that_look_like_controls_are_genes():
    like = "ERCC1 ERCC2 ERCC6L NEGR1 Negr1 NELFA BLNK Blnk BLK BLANK2L CTRL CTRB1 NCS1 "
    like += (
        "ADTRP PROTN SPIKE1 CONTROL1A Blankenese CD3E mt-Co1 ANTISENSE1 SEQ1 Gm42 7SK"
    )
    assert [name for name in like.split() if not is_gene(name)] == []


@pytest.mark.skipif(not _DATA.is_dir(), reason="the curated gene names are not here")
def test_no_approved_previous_or_alias_symbol_is_a_control():
    names = set()
    with gzip.open(_DATA / "hgnc_complete_set.txt.gz", "rt", encoding="utf-8") as file:
        head = file.readline().rstrip("\n").split("\t")
        columns = [head.index(c) for c in ("symbol", "alias_symbol", "prev_symbol")]
        for line in file:
            fields = line.rstrip("\n").split("\t")
            names |= {n.strip('"') for c in columns for n in fields[c].split("|")}
    with gzip.open(_DATA / "HOM_MouseHumanSequence.rpt.gz", "rt") as file:
        column = file.readline().split("\t").index("Symbol")
        names |= {line.split("\t")[column] for line in file}
    assert len(names) > 90_000
    assert [name for name in names if not is_gene(name)] == []


@pytest.mark.parametrize(
    ("column", "genes", "others"),
    [
        ("feature_types", "Gene Expression", "Negative Control Probe|Blank Codeword"),
        ("feature_types", "Gene Expression", "Antibody Capture|Custom|Anything else"),
        ("feature_types", "Gene Expression", "Protein Expression|Genomic Control"),
        ("type", "Gene Expression", "Deprecated Codeword|Unassigned Codeword"),
        ("CodeClass", "Endogenous|Endogenous", "Negative|SystemControl"),
        ("codeword_category", "predesigned_gene|custom_gene", "unassigned_codeword"),
        ("what it is", "gene", "control|blank"),
        ("modality", "rna", "protein"),
        ("probe_type", "RNA", "Neg Probe"),
        ("probe_type", "RNA|Isoform", "NEGATIVE|SYSTEM|Blank"),
        ("notes", "marker of B cells|", "negative_control_codeword"),
        ("gene_biotype", "protein_coding|lncRNA|Mt_rRNA|IG_V_gene", "spike-in"),
    ],
)
def test_types_tell_genes_from_others(column, genes, others):
    values = [*genes.split("|"), *others.split("|")]
    kinds = kinds_by_type(values, column)
    n_genes = len(genes.split("|"))
    assert kinds is not None
    assert not any(kinds[:n_genes])
    assert all(kinds[n_genes:])


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("gene_biotype", "protein_coding|lncRNA|processed_pseudogene|antisense|TEC"),
        ("direction", "negative|positive"),
        ("group", "control|treated"),
        ("marker_of", "Control|T cell|negative"),
        ("feature_types", "Gene Expression|"),
        ("genome", "GRCh38|mm10"),
        ("localisation", "membrane|blank|protein"),
    ],
)
def test_columns_of_other_things_tell_nothing(column, values):
    assert kinds_by_type(values.split("|"), column) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("is_control", True),
        ("control", "True"),
        ("control_probe", 1),
        ("IsNegativeControl", True),
        ("is_blank", True),
        ("is_gene", False),
        ("ercc", 1.0),
    ],
)
def test_flags_tell_controls(column, value):
    values = np.array([str(value)] + [str(type(value)(not value))] * 4, dtype=object)
    kinds = kinds_by_flag(values, column)
    assert kinds is not None
    assert [bool(kind) for kind in kinds] == [True] + [False] * 4


@pytest.mark.parametrize("column", ["mt", "highly_variable", "ribo", "controlled_by"])
def test_other_flags_tell_nothing(column):
    assert kinds_by_flag(["True", "False"], column) is None
    assert kinds_by_flag(["True", "True"], "is_control") is None


def test_numbers_are_said_the_most_frequent_first():
    kinds = ["", "protein", "blank codeword", "blank codeword", "guide or tag"]
    assert say_kinds(kinds) == "2 blank codewords, 1 guide or tag, 1 protein"
