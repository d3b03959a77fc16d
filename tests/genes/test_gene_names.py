"""Species, placeholders, and finding genes under their many names."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.genes.gene_names import guess_species, is_nameless, is_uninformative
from napari_semst.genes.table import GeneTable, builtin_table, readable_names

PLACEHOLDERS = (
    "Gm1234 1700019D03Rik A730017C20Rik LOC100130417 AC012345.1 AL845472.1 AP000350.5 "
    "FO538757.1 RP11-34P13.7 CTD-3088G3.8 AW549877 BC018242 AF357359"
)
REAL_GENES = (
    "GM2A Gm2a Gmfb LOX LOXL2 ACE2 ACTB AF9 BCL2 BC1 CTSD RIPK1 Trik NKX2-1 C3 C1QA "
    "HLA-A AP2A1 ALDH1A1 AK1 AURKA GSK3B KRT5 UBE2C CD4"
)


@pytest.mark.parametrize(
    ("genes", "species"),
    [
        (["PLP1", "MBP", "C1orf112", "MT-CO1", "HLA-A"], "human"),
        (["Plp1", "Mbp", "mt-Co1", "H2-K1", "Gm1234"], "mouse"),
        (["ENSG00000123560", "ENSG00000197971.15"], "human"),
        (["ENSMUSG00000031425", "ENSMUSG00000041607"], "mouse"),
        (["ENSRNOG00000002419"], "other"),
        (["plp1a", "mbpa", "gfap"], "other"),
        (["1", "2"], "other"),
        ([], "other"),
    ],
)
def test_species_is_read_off_the_names(genes: list[str], species: str) -> None:
    assert guess_species(genes) == species


@pytest.mark.parametrize(
    "gene",
    PLACEHOLDERS.split(),
)
def test_placeholders_are_nameless(gene: str) -> None:
    assert is_nameless(gene)


@pytest.mark.parametrize(
    "gene",
    REAL_GENES.split(),
)
def test_real_genes_are_not_nameless(gene: str) -> None:
    assert not is_nameless(gene)


def test_mitochondrial_and_ribosomal_genes_say_little() -> None:
    little = "MT-CO1 mt-Nd1 MTRNR2L12 RPL13A RPLP0 RPSA RPS4X Rps27l Rpl10-ps3 RPL36AL"
    much = "RPS6KA1 RPS6KB1 RPE65 MTOR MT1X MT3 MRPL12 RPLN RPA1 Rps6ka3 RPSKA"
    assert is_uninformative(little.split()).all()
    assert not is_uninformative(much.split()).any()


def symbols_of(table: GeneTable, gene: str, species: str) -> list[str]:
    return [table.symbols[row] for row in table.rows(gene, species)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gene", "species", "found"),
    [
        ("GEN2", "human", ["GEN2"]),
        ("gen2 ", "human", ["GEN2"]),
        ("OLD2", "human", ["GEN2"]),
        ("Ali2", "human", ["GEN2"]),
        ("ENSG00000000003", "human", ["GEN2"]),
        ("ENSG00000000003.7", "human", ["GEN2"]),
        ("ENSMUSG00000000003", "mouse", []),
        ("Gen3", "mouse", ["GEN3", "GEN4"]),
        ("Gen3", "other", ["GEN3"]),
        ("ali7", "other", []),
        ("old7", "other", ["GEN7"]),
        ("Odder", "mouse", ["GEN5"]),
        ("Odder", "human", []),
        ("Gen7", "mouse", ["GEN7"]),
        ("Old7", "mouse", ["GEN7"]),
        ("Alone", "mouse", []),
        ("New9", "mouse", ["GEN9"]),
        ("Shared", "human", []),
        # Two genes, or a gene without a row, bore the name.
        ("OLDTWICE", "human", []),
        ("ALI3", "human", []),
        ("OLD-AS10", "human", []),
        # Mouse calls another gene so, or none that is known to have been renamed.
        ("Old8", "mouse", []),
        ("OLD8", "human", ["GEN8"]),
        ("Old4", "mouse", []),
        ("Ali7", "mouse", []),
        ("ALI7", "human", ["GEN7"]),
        ("Ali6", "mouse", []),
        ("ALI6", "human", []),
        # Names by which each of two species is told.
        ("OLD8", "human and mouse", ["GEN8"]),
        ("Old8", "human and mouse", []),
        # Several genes at once, and names that R or a tool changed.
        ("GEN1/2", "human", ["GEN1", "GEN2"]),
        ("GEN1/GEN2/OLD3", "human", ["GEN1", "GEN2", "GEN3"]),
        ("GEN1/99", "human", []),
        ("GEN2.1", "human", ["GEN2"]),
        ("GEN2-1", "human", ["GEN2"]),
        ("Odder.1", "mouse", ["GEN5"]),
        ("ALI7.1", "human", []),
        ("GFP", "human", []),
        ("", "human", []),
    ],
)
def test_genes_are_found_under_every_name(
    tiny_table: GeneTable, gene: str, species: str, found: list[str]
) -> None:
    assert symbols_of(tiny_table, gene, species) == found


def test_homologues_are_averaged_to_a_unit_vector(tiny_table: GeneTable) -> None:
    vectors, known = tiny_table.map_genes(["Gen3", "Nothing", "Odd"], "mouse")
    np.testing.assert_array_equal(known, [True, False, True])
    three, four, five = (
        tiny_table.vectors[tiny_table.symbols.index(f"GEN{i}")] for i in (3, 4, 5)
    )
    mean = (three + four) / 2
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), rtol=1e-5)
    np.testing.assert_array_equal(vectors[1], 0)
    np.testing.assert_allclose(vectors[2], five / np.linalg.norm(five), rtol=1e-5)


def test_no_genes_map_to_nothing(tiny_table: GeneTable) -> None:
    vectors, known = tiny_table.map_genes([], "human")
    assert vectors.shape == (0, tiny_table.vectors.shape[1])
    assert known.shape == (0,)


@pytest.mark.parametrize(
    ("gene", "species", "symbol"),
    [
        ("MLL", "human", "KMT2A"),
        ("FAM19A1", "human", "TAFA1"),
        ("ENSG00000123560", "human", "PLP1"),
        ("Plp1", "mouse", "PLP1"),
        ("Trp53", "mouse", "TP53"),
        ("Fam19a1", "mouse", "TAFA1"),
        ("mt-Co1", "mouse", "MT-CO1"),
        ("IGKC", "human", "IGKC"),
        ("Igkc", "mouse", "IGKC"),
        ("TRAC", "human", "TRAC"),
    ],
)
def test_the_shipped_table_knows_real_names(
    gene: str, species: str, symbol: str
) -> None:
    assert symbols_of(builtin_table(), gene, species) == [symbol]


def test_ensembl_ids_become_readable() -> None:
    names = readable_names(["ENSG00000123560.4", "ENSG99999999999", "MBP"])
    assert names.tolist() == ["PLP1", "ENSG99999999999", "MBP"]
