"""How names of genes are read, as instruments and tools write them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_semst.genes.curated_mouse_names import OLD_MOUSE_NAMES
from napari_semst.genes.curated_names import (
    COMPOSITE_PROBES,
    MEANT_OF_TWO,
    is_non_coding,
    is_transgene,
    members_by_ending,
    probe_key,
)
from napari_semst.genes.table import builtin_table

OF_MOUSE_ALONE = (
    "Mup1 Sly Lcn5 Arf2 Ctf2 Ott T2 Drr1 Prol1 Defb2 Kdm4dl Gucy2d Ly6g Siglech "
    "BFP RFP CFP GFP EGFP EYFP mCherry tdTomato mTFP Cre iCre CreERT2 lacZ"
)
OF_NO_CODING_GENE = (
    "DEC1 LINC02804 C10orf113 TIAF1 MIR583HG TNRC6C-AS1 UBXN10-AS1 NKAIN3-IT1 RFP "
    "CACNA1C-IT2 TTLL11-IT1 KHDRBS2-OT KHDRBS2.OT BFP GFP HNRNPU-AS1 MIR-21 CRIPTO-2 "
    "IGHV3-30-2"
)
SPECIES = ("human", "mouse", "human and mouse", "other")


def meant(name: str, species: str, gene_id: str = "") -> list[str]:
    table = builtin_table()
    return [table.symbols[r] for r in table.rows(name, species, gene_id)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    OF_MOUSE_ALONE.split(),
)
def test_a_mouse_name_without_homologue_is_no_other_gene(name: str) -> None:
    assert meant(name, "mouse") == []


@pytest.mark.parametrize(
    "name",
    OF_NO_CODING_GENE.split(),
)
def test_a_human_name_of_no_coding_gene_is_none(name: str) -> None:
    assert meant(name, "human") == []


@pytest.mark.parametrize(
    ("name", "species", "symbols"),
    [
        ("CFP", "human", "CFP"),
        ("Cfp", "mouse", "CFP"),
        ("Sepp1", "mouse", "SELENOP"),
        ("Sept4", "mouse", "SEPTIN4"),
        ("Qk", "mouse", "QKI"),
        ("Epb4.1l3", "mouse", "EPB41L3"),
        ("mt-Nd4", "mouse", "MT-ND4"),
        ("QARS", "human", "QARS1"),
        ("MUM1", "human", "PWWP3A"),
        ("STRA13", "human", "CENPX"),
        ("HLA.A", "human", "HLA-A"),
        ("NKX2.1", "human", "NKX2-1"),
        ("H2.Aa", "mouse", "HLA-DQA1 HLA-DQA2"),
        ("ECSCR.1", "human", "ECSCR"),
        ("CD3E-1", "human", "CD3E"),
        ("HLA.A.1", "human", "HLA-A"),
        ("HBA1/2", "human", "HBA1 HBA2"),
        ("HLA.DQB1.2", "human", "HLA-DQB1 HLA-DQB2"),
        ("CCL3/L1/L3", "human", "CCL3 CCL3L1 CCL3L3"),
        ("EIF5A/L1", "human", "EIF5A EIF5AL1"),
        ("TPSAB1/B2", "human", "TPSAB1 TPSB2"),
        ("MHC I", "human", "HLA-A HLA-B HLA-C"),
        ("HLA-DPA1/B1", "human", "HLA-DPA1 HLA-DPB1"),
        ("DEFA1/B", "human", "DEFA1 DEFA1B"),
        ("Lppr4", "mouse", "PLPPR4"),
        ("HLA-DRB", "human", "HLA-DRB1 HLA-DRB3 HLA-DRB4 HLA-DRB5"),
        ("C4A/B", "human", "C4A C4B"),
        ("SAA1/SAA2", "human", "SAA1 SAA2"),
        ("CCL3/L9", "human", ""),
        ("CD3E/Blank-1", "human", ""),
    ],
)
def test_a_name_means_these_genes(name: str, species: str, symbols: str) -> None:
    assert meant(name, species) == symbols.split()


@pytest.mark.parametrize(
    ("name", "gene_id", "symbols"),
    [
        ("whatever", "ENSG00000172053", ["QARS1"]),
        # The id is of a gene that is not in the table: its name alone may be.
        ("LINC02804", "ENSG00000274372.2", []),
        ("TIAF1", "ENSG00000221995", []),
        ("MLL", "ENSG00000999999", []),
        ("KMT2A", "ENSG00000999999", ["KMT2A"]),
        ("Trp53", "ENSMUSG00000059552", ["TP53"]),
        ("Mup1", "ENSMUSG00000078683", []),
        ("CD4", "12504", ["CD4"]),
        ("CD4", "", ["CD4"]),
    ],
)
def test_an_id_goes_before_the_name(
    name: str, gene_id: str, symbols: list[str]
) -> None:
    assert meant(name, "human", gene_id) == symbols


def test_a_probe_is_the_mean_of_its_genes() -> None:
    table = builtin_table()
    both, known = table.map_genes(["HBA1/2", "HBA1", "HBA2"], "human", ["", "", ""])
    assert known.all()
    mean = both[1] + both[2]
    # Rows are of unit length but for the rounding to 8 bits.
    np.testing.assert_allclose(both[0], mean / np.linalg.norm(mean), atol=1e-3)


def test_curated_names_are_of_genes_that_are_there() -> None:
    table = builtin_table()
    members = {one for probe in COMPOSITE_PROBES.values() for one in probe}
    assert members | set(MEANT_OF_TWO.values()) <= set(table.symbols)
    assert all(key == probe_key(key) for key in COMPOSITE_PROBES)
    assert set(OLD_MOUSE_NAMES.values()) <= set(table.mouse)
    assert not set(OLD_MOUSE_NAMES) & set(table.mouse)
    hidden = {s for s in table.symbols if is_transgene(s) or is_non_coding(s.upper())}
    assert hidden == {"CFP", "MTFP1"}


@given(st.text(max_size=12), st.sampled_from(SPECIES), st.text(max_size=20))
def test_any_text_is_read(name: str, species: str, gene_id: str) -> None:
    table = builtin_table()
    rows = table.rows(name, species, gene_id)  # type: ignore[arg-type]
    assert len(set(rows)) == len(rows)
    assert all(0 <= row < len(table.symbols) for row in rows)
    assert table.rows(f" {name} ", species, gene_id) == rows  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["MBP-2", "CAV1.1", "ERG-1", "SSB-3"])
def test_what_may_be_a_second_gene_of_a_name_is_no_alias(name: str) -> None:
    assert meant(name, "human") == []
    assert meant(name, "human", "ENSG00000197971") == ["MBP"]


@given(st.data())
def test_an_approved_symbol_means_its_gene_however_it_is_written(
    data: st.DataObject,
) -> None:
    symbol = data.draw(st.sampled_from(builtin_table().symbols))
    assert meant(symbol, "human") == [symbol]
    assert meant(symbol.lower(), "human") == [symbol]
    assert set(meant(symbol.replace("-", "."), "human")) <= {symbol}
    assert set(meant(f"{symbol}.1", "human")) <= {symbol}


@given(st.data())
def test_a_mouse_symbol_means_its_homologues(data: st.DataObject) -> None:
    table = builtin_table()
    symbol = data.draw(st.sampled_from(sorted(table.mouse)))
    assert table.rows(symbol, "mouse") == tuple(table.mouse[symbol])


@given(
    st.from_regex(r"[A-Z]{2,4}[0-9][A-Z]?(/([A-Z]|[0-9]{1,2})){1,3}", fullmatch=True)
)
def test_parts_of_a_probe_share_the_stem(name: str) -> None:
    first, *others = name.split("/")
    members = members_by_ending(name)
    if members:
        assert members[0] == first
        assert len(members) == len(others) + 1
        assert all(m.endswith(o) for m, o in zip(members[1:], others, strict=True))
