"""A tiny folder of raw files, and the gene table that the script builds from it."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_semst.genes.table import GeneTable, read_table

if TYPE_CHECKING:
    from types import ModuleType

HGNC_FIELDS = (
    "hgnc_id symbol name locus_group locus_type alias_symbol prev_symbol "
    "gene_group gene_group_id ensembl_gene_id uniprot_ids date_modified mgd_id"
)
WORDS = ("kinase", "channel", "receptor")


def hgnc_lines() -> list[str]:
    """Return 12 coding genes, an immunoglobulin, a non-coding one and a pseudogene."""
    lines = ["\t".join(HGNC_FIELDS.split())]

    def add(symbol: str, name: str, locus: str, **fields: str) -> None:
        number = len(lines)
        record = {
            "hgnc_id": f"HGNC:{number}",
            "symbol": symbol,
            "name": name,
            "locus_group": "other",
            "locus_type": locus,
            "gene_group": ("Even ones", "Odd ones")[number % 2],
            "gene_group_id": str(number % 2),
            "ensembl_gene_id": f"ENSG{number:011d}",
            "uniprot_ids": f"P{number:05d}",
            "date_modified": f"2024-01-{number:02d}",
            **fields,
        }
        lines.append(
            "\t".join(record.get(column, "") for column in HGNC_FIELDS.split())
        )

    for i in range(12):
        add(
            f"GEN{i}",
            f"{WORDS[i % 3]} family member {i}",
            "gene with protein product",
            alias_symbol='"Shared|NONCOD"' if i < 2 else f"ali{i}",
            prev_symbol=f"OLD{i}" if i < 10 else f'"OLD{i}|OLDTWICE|OLD-AS{i}"',
            mgd_id=f"MGI:{i}",
        )
    add("IGKC", "immunoglobulin kappa constant", "immunoglobulin gene")
    add("NONCOD", "non-coding gene", "RNA, long non-coding", prev_symbol="ALI3")
    add("GEN0P", "kinase pseudogene", "pseudogene", prev_symbol="OLDP")
    return lines


def mouse_lines() -> list[str]:
    """Return homology classes.

    Gen3 is of GEN3 and GEN4, Odd of GEN5, Gen7 of GEN7, Alone of a gene without a row;
    Ali6 and Old8 are of mouse alone, and so is New9, of which HGNC knows better.
    """
    classes = {
        "1": (["Gen3"], ["GEN3"]),
        "2": (["Gen3"], ["GEN4"]),
        "3": (["Odd", "Odder"], ["GEN5"]),
        "4": (["Alone"], ["UNKNOWN"]),
        "5": (["Gen7"], ["GEN7"]),
        "6": (["Ali6"], []),
        "7": (["Old8"], []),
        "8": (["New9"], []),
    }
    columns = "DB Class Key", "Common Organism Name", "Symbol", "HGNC ID"
    lines = ["\t".join([*columns, "Mouse MGI ID"])]
    for key, (mouse, human) in classes.items():
        mgi = "MGI:9" if mouse == ["New9"] else f"MGI:1{key}"
        lines += [f"{key}\tmouse, laboratory\t{symbol}\t\t{mgi}" for symbol in mouse]
        # GEN5 goes by an older symbol there: the id tells.
        told = {"GEN5": "COX5\tHGNC:6"}
        lines += [f"{key}\thuman\t{told.get(s, s + chr(9))}\t" for s in human]
    return lines


def write_sources(folder: Path, script: ModuleType) -> Path:
    """Write every raw file that the script reads into a folder."""
    folder.mkdir(parents=True)

    def write(name: str, text: str) -> None:
        with gzip.open(folder / name, "wt", encoding="utf-8") as stream:
            stream.write(text)

    write(script.HGNC_FILE, "\n".join(hgnc_lines()) + "\n")
    write(script.HOMOLOGY_FILE, "\n".join(mouse_lines()) + "\n")
    for shift, name in enumerate(script.GO_FILES):
        content = {
            f"P{i:05d}": [f"GO:{(i + shift) % 4}", "GO:all"] for i in range(1, 14)
        }
        write(name, json.dumps(content))
    for files in script.GMT_FILES.values():
        for shift, name in enumerate(files):
            sets = [
                "\t".join(
                    [
                        f"SET{s}",
                        "na",
                        *(f"GEN{(s + shift + j) % 12}" for j in (0, 1, 2)),
                    ]
                )
                for s in range(0, 12, 2)
            ]
            write(
                name, "\n".join([*sets, "OLDSET\tna\tOLD1\tOLD2\told3\tNOGENE"]) + "\n"
            )
    return folder


@pytest.fixture(scope="session")
def build_script() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "build_gene_table.py"
    if not path.is_file():
        pytest.skip("scripts/build_gene_table.py is not part of this installation")
    spec = importlib.util.spec_from_file_location("build_gene_table", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    # In 13 genes a tenth is one gene: let terms of up to five genes through.
    script.LARGEST_SHARE = 0.4
    return script


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory, build_script: ModuleType) -> Path:
    return write_sources(tmp_path_factory.mktemp("genes") / "raw", build_script)


@pytest.fixture(scope="session")
def table_file(
    tmp_path_factory: pytest.TempPathFactory, build_script: ModuleType, sources: Path
) -> Path:
    output = tmp_path_factory.mktemp("table") / "table.npz"
    build_script.main(
        ["--source", str(sources), "--output", str(output), "--dimensions", "6"]
    )
    return output


@pytest.fixture(scope="session")
def tiny_table(table_file: Path) -> GeneTable:
    return read_table(table_file)
