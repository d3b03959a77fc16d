"""Names of real panels, held against HGNC and MGI by a reading of the test's own.

Neither the files nor the tables are read by the package, and none of its rules is used:
what a name may mean is looked up in the raw tables alone.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import h5py
import pytest

from napari_semst.genes.gene_names import guess_species
from napari_semst.genes.table import builtin_table

BESIDE = Path(__file__).parents[3] / "shared" / "data"
SHARED = Path(os.environ.get("SEMST_DATA", BESIDE))
HGNC = SHARED / "genes" / "hgnc_complete_set.txt.gz"
HOMOLOGY = SHARED / "genes" / "HOM_MouseHumanSequence.rpt.gz"
CONTROL = re.compile(
    r"(blank|neg|systemcontrol|unassigned|antisense|bla)[-_a-z]*\d.*", re.I
)
NO_CODING = re.compile(r".+-(AS|IT|OT|DT)\d*|LINC\d+|MIR\d.*HG|C10ORF113|TIAF1")
# What HGNC does not list, and what it is: probes of several genes, names made unique.
SPELT = {
    "CCL3/L1/L3": "CCL3 CCL3L1 CCL3L3",
    "CCL4/L1/L2": "CCL4 CCL4L1 CCL4L2",
    "CXCL1/2/3": "CXCL1 CXCL2 CXCL3",
    "DEFA1/B": "DEFA1 DEFA1B",
    "EIF5A/L1": "EIF5A EIF5AL1",
    "FCGR3A/B": "FCGR3A FCGR3B",
    "HBA1/2": "HBA1 HBA2",
    "HCAR2/3": "HCAR2 HCAR3",
    "HLA-DPA1/B1": "HLA-DPA1 HLA-DPB1",
    "HLA-DQB1/2": "HLA-DQB1 HLA-DQB2",
    "HLA-DRB": "HLA-DRB1 HLA-DRB3 HLA-DRB4 HLA-DRB5",
    "HSPA1A/B": "HSPA1A HSPA1B",
    "IFNA1/13": "IFNA1 IFNA13",
    "IFNL2/3": "IFNL2 IFNL3",
    "KRT6A/B/C": "KRT6A KRT6B KRT6C",
    "MAP1LC3B/2": "MAP1LC3B MAP1LC3B2",
    "MHC I": "HLA-A HLA-B HLA-C",
    "MZT2A/B": "MZT2A MZT2B",
    "PF4/V1": "PF4 PF4V1",
    "SAA1/2": "SAA1 SAA2",
    "TNXA/B": "TNXA TNXB",
    "TPSAB1/B2": "TPSAB1 TPSB2",
    "XCL1/2": "XCL1 XCL2",
}


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


class Authority:
    """What HGNC and MGI say that a name, or an id, may mean: human symbols."""

    def __init__(self) -> None:
        genes = rows_of(HGNC)
        self.approved = {g["symbol"].upper(): g["symbol"] for g in genes}
        self.by_id = {g["ensembl_gene_id"]: g["symbol"] for g in genes}
        by_hgnc = {g["hgnc_id"]: g["symbol"] for g in genes}
        self.previous, self.alias = defaultdict(set), defaultdict(set)
        by_mgi = defaultdict(set)
        for gene in genes:
            for field, known in (
                ("prev_symbol", self.previous),
                ("alias_symbol", self.alias),
            ):
                for name in filter(None, gene[field].split("|")):
                    known[name.strip().upper()].add(gene["symbol"])
            for identifier in filter(None, gene["mgd_id"].split("|")):
                by_mgi[identifier.strip()].add(gene["symbol"])
        classes = defaultdict(lambda: ([], set()))
        for entry in rows_of(HOMOLOGY):
            mice, humans = classes[entry["DB Class Key"]]
            if entry["Common Organism Name"] == "human":
                humans.add(by_hgnc.get(entry["HGNC ID"], entry["Symbol"]))
            else:
                mice.append(entry)
        self.mouse = defaultdict(set)
        for mice, humans in classes.values():
            for entry in mice:
                self.mouse[entry["Symbol"]] |= humans | by_mgi[entry["Mouse MGI ID"]]
        self.mouse_too = {symbol.upper() for symbol in self.mouse}

    def human(self, name: str, gene_id: str = "") -> set[str]:
        upper, bare = name.upper(), gene_id.partition(".")[0]
        if bare.startswith("ENSG"):
            known = self.by_id.get(bare) or self.approved.get(upper)
            return {known} if known else set()
        if upper in self.approved:
            return {self.approved[upper]}
        if NO_CODING.fullmatch(upper):
            return set()
        if upper in self.previous:
            return self.previous[upper]
        if name in SPELT:
            return set(SPELT[name].split())
        aliased = self.alias.get(upper, set())
        if len(aliased) == 1:
            return aliased
        # Of two genes the one whose symbol it is but for signs and a number.
        once = re.fullmatch(r"(.+)[-.]\d", name)
        spelt = self.human(once[1]) if once else set()
        dashed = self.approved.get(upper.replace(".", "-"))
        spelt |= {dashed} if dashed else set()
        return spelt & aliased if aliased else spelt

    def other(self, name: str) -> set[str]:
        if name in self.mouse:
            return self.mouse[name]
        upper = name.strip().upper()
        if upper in self.approved:
            return {self.approved[upper]}
        bore = self.previous.get(upper, set())
        return {symbol for symbol in bore if symbol.upper() in self.mouse_too}


@lru_cache(maxsize=1)
def authority() -> Authority:
    return Authority()


def texts(values) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def lines_of(path: Path) -> list[str]:
    zipped = path.read_bytes()[:2] == b"\x1f\x8b"
    with (gzip.open if zipped else open)(path, "rt", encoding="utf-8") as stream:
        return stream.read().splitlines()


def panel(path: Path) -> list[tuple[str, str]]:
    """Return names and ids of a panel, without what is no gene."""
    if path.suffix == ".h5ad":
        with h5py.File(path) as file:
            var = file["var"]
            names = texts(var[var.attrs["_index"]][()])
            ids = texts(var["gene_ids"][()]) if "gene_ids" in var else [""] * len(names)
    elif path.suffix == ".h5":
        with h5py.File(path) as file:
            kept = file["matrix/features/feature_type"][()] == b"Gene Expression"
            names = texts(file["matrix/features/name"][()][kept])
            ids = texts(file["matrix/features/id"][()][kept])
    elif path.name.startswith("features.tsv"):
        cells = [line.replace('"', "").split() for line in lines_of(path)]
        names, ids = [c[1] for c in cells], [c[0] for c in cells]
    elif path.name.endswith((".gem.gz", "expression_matrix.txt.gz")):
        split = re.compile(r"[\t, ]")
        firsts = [split.split(line)[0].strip('"') for line in lines_of(path)[1:]]
        names = [
            n for n in dict.fromkeys(firsts) if n and n[0] != "#" and n != "geneID"
        ]
        ids = [""] * len(names)
    else:
        head = lines_of(path)[0].replace('"', "").split(",")
        names = [n for n in head if n not in ("", "X", "cell", "fov", "cell_ID")]
        ids = [""] * len(names)
    pairs = zip(names, ids, strict=True)
    return [(name, one) for name, one in pairs if not CONTROL.fullmatch(name)]


PANELS = [
    *sorted((SHARED / "tissue").glob("*.h5ad")),
    *sorted((SHARED / "instruments").rglob("*feature*matrix.h5")),
    *sorted((SHARED / "instruments").rglob("features.tsv*")),
    *sorted((SHARED / "instruments").rglob("*.gem.gz")),
    *sorted((SHARED / "instruments").rglob("expression_matrix.txt.gz")),
    *sorted((SHARED / "instruments").rglob("*exprMat_file.csv.gz")),
    *sorted((SHARED / "instruments").rglob("*cell_by_gene.csv")),
]
needs_tables = pytest.mark.skipif(
    not (HGNC.is_file() and HOMOLOGY.is_file()), reason="needs HGNC's and MGI's tables"
)


def contradicted(names: list[tuple[str, str]], species: str) -> list[tuple[str, ...]]:
    """Return names that mean genes which the tables do not give them."""
    table, told = builtin_table(), authority()
    wrong = []
    for name, gene_id in names:
        rows = table.rows(name, species, gene_id)  # type: ignore[arg-type]
        found = {table.symbols[row] for row in rows}
        may = told.human(name, gene_id) if species == "human" else told.other(name)
        if not found <= may and not curated(name, found, species):
            wrong.append((name, gene_id, *sorted(found)))
    return wrong


def curated(name: str, found: set[str], species: str) -> bool:
    """Return whether the new symbol of an old mouse name has these homologues."""
    from napari_semst.genes.curated_mouse_names import OLD_MOUSE_NAMES

    told = authority()
    new = OLD_MOUSE_NAMES.get(name)
    if species != "mouse" or name in told.mouse:
        return False
    if new is not None:
        return found <= told.mouse[new]
    once = re.fullmatch(r"(.+)[-.]\d", name)
    return once is not None and found <= told.other(once[1])


@needs_tables
@pytest.mark.parametrize(
    "path", PANELS, ids=lambda path: f"{path.parent.name}-{path.name}"
)
@pytest.mark.parametrize("ids", [True, False], ids=["ids", "names"])
def test_no_name_of_a_panel_means_another_gene(path: Path, ids: bool) -> None:
    names = panel(path)
    species = guess_species([name for name, _ in names])
    names = names if ids else [(name, "") for name, _ in names]
    assert contradicted(names, species) == []


@needs_tables
def test_no_name_at_hgnc_means_another_gene() -> None:
    told = authority()
    every = {*told.approved, *told.previous, *told.alias}
    assert contradicted([(name, "") for name in sorted(every)], "human") == []


@needs_tables
def test_no_mouse_symbol_means_another_gene() -> None:
    names = [(name, "") for name in authority().mouse]
    assert contradicted(names, "mouse") == []


@needs_tables
def test_a_wrong_reading_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    table = builtin_table()
    row = table.symbols.index("SLC25A19")
    monkeypatch.setitem(table.mouse, "Mup1", (row,))
    assert contradicted([("Mup1", "")], "mouse") == [("Mup1", "", "SLC25A19")]
    assert authority().human("DEC1") == {"DELEC1"}
    assert authority().human("QARS", "ENSG00000172053.1") == {"QARS1"}
    assert authority().other("BFP") == set()
    assert authority().other("Sepp1") == {"SELENOP"}
