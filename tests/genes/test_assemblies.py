"""Assemblies before names of genes are known, and no gene's name is taken for one."""

from __future__ import annotations

import pytest

from napari_semst.genes.assemblies import species_of, split_prefixes
from napari_semst.genes.gene_names import guess_species
from napari_semst.genes.table import builtin_table


@pytest.mark.parametrize(
    ("name", "gene", "assembly", "species"),
    [
        ("GRCh38_ACTB", "ACTB", "GRCh38", "human"),
        ("mm10___Actb", "Actb", "mm10", "mouse"),
        ("hg19_HLA-A", "HLA-A", "hg19", "human"),
        ("GRCm39_H2-K1", "H2-K1", "GRCm39", "mouse"),
        ("GRCh38-2020-A_HLA-DRA", "HLA-DRA", "GRCh38-2020-A", "human"),
        ("mm10-2020-A_mt-Co1", "mt-Co1", "mm10-2020-A", "mouse"),
        ("GRCh38-NKX2-1", "NKX2-1", "GRCh38", "human"),
        ("mm10---Actb", "Actb", "mm10", "mouse"),
        ("GRCh38.p13_TP53", "TP53", "GRCh38.p13", "human"),
        ("GRCh38_ENSG00000075624", "ENSG00000075624", "GRCh38", "human"),
        ("mRatBN7.2_Actb", "Actb", "mRatBN7.2", "rat"),
        ("GRCz11_actb1", "actb1", "GRCz11", "zebrafish"),
        ("MOUSE_Actb", "Actb", "MOUSE", "mouse"),
        ("mRatBN7-2-Actb", "Actb", "mRatBN7-2", "rat"),
        ("mRatBN7.2.Actb", "Actb", "mRatBN7.2", "rat"),
        ("Rnor_6_0_Actb", "Actb", "Rnor_6_0", "rat"),
        ("BDGP6_5-HT1A", "5-HT1A", "BDGP6", "fruit fly"),
    ],
)
def test_what_stands_before_a_gene_is_split_off(name, gene, assembly, species):
    names, assemblies = split_prefixes([name])
    assert (names[0], assemblies[0]) == (gene, assembly)
    assert species_of(assembly) == species


def test_an_assembly_that_the_file_names_is_known():
    names = ["MyRef-7_A", "MyRef-7_B", "Other_C"]
    assert list(split_prefixes(names)[0]) == names
    bare, assemblies = split_prefixes(names, ["MyRef-7", "Other"])
    assert list(bare) == ["A", "B", "C"]
    assert list(assemblies) == ["MyRef-7", "MyRef-7", "Other"]


def test_no_gene_of_the_table_is_shortened():
    table = builtin_table()
    names = [*table.symbols, *table.mouse]
    bare, assemblies = split_prefixes(names)
    assert list(bare) == names
    assert not assemblies.any()
    # A few that look like it among many that do not.
    assert split_prefixes(["PIG-A", "HS1-BP3", "TP53", "MYC"])[0][0] == "PIG-A"


def test_species_of_both_are_named_and_each_gene_is_found():
    human, mouse = ["TP53", "ACTB", "HLA-A", "CD3E"], ["Trp53", "Actb", "H2-K1"]
    assert guess_species([*human, *mouse]) == "human and mouse"
    assert guess_species([*human * 10, mouse[0]]) == "human"
    table = builtin_table()
    both = [table.rows(gene, "human and mouse") for gene in (*human, *mouse)]
    alone = [table.rows(gene, "human") for gene in human]
    alone += [table.rows(gene, "mouse") for gene in mouse]
    assert both == alone
    assert both[0] == both[4]
