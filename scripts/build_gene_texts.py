"""Build what language models are told of single genes, from curated public knowledge.

Usage: ``python scripts/build_gene_texts.py --source FOLDER --table gene_table.npz
--output gene_texts.npz``

Per row of the gene table: the HGNC name, the names of the HGNC groups, and the rarest
GO terms (of all three branches, by direct annotation) that at least three of its genes
share, and no more than one in twenty: what so many do tells no gene apart. Terms are
numbered from the rarest on, so that the numbers themselves tell which term is rarer.
The same input gives the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from build_gene_table import (
    GO_RELEASE,
    HGNC_FILE,
    TERM_FILES,
    association_terms,
    joined,
    listed_sources,
    protein_rows,
    read_tab_separated,
    split_field,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

TERMS_OF_A_GENE = 8
SMALLEST_TERM = 3
LARGEST_SHARE = 0.05
OBSOLETE = "obsolete "
ATTRIBUTION = (
    "Gene names and groups of HGNC (CC0); names of the Gene Ontology's terms and its "
    f"human annotations (release {GO_RELEASE}, CC BY 4.0). Changed: of each gene only "
    "the rarest terms are kept."
)


def rarest_terms(
    source: Path,
    records: Sequence[Mapping[str, str]],
    smallest: int,
    largest: float,
    n_terms: int,
) -> tuple[list[str], list[list[int]]]:
    """Return names of terms, rarest first, and the numbers of each gene's rarest.

    Terms of as many genes are ordered by name.
    """
    proteins = protein_rows(records)
    sizes: dict[str, int] = {}
    of_gene: defaultdict[int, list[str]] = defaultdict(list)
    for names_file, direct, _ in TERM_FILES.values():
        with gzip.open(source / names_file, "rt", encoding="utf-8") as stream:
            names = {key: value["name"] for key, value in json.load(stream).items()}
        for key, rows in association_terms(source / direct, proteins).items():
            name = names.get(key, OBSOLETE)
            too_few, too_many = len(rows) < smallest, len(rows) > largest * len(records)
            if too_few or too_many or name.startswith(OBSOLETE):
                continue
            sizes[name] = len(rows)
            for row in rows:
                of_gene[row].append(name)
    kept = [
        sorted(of_gene[row], key=lambda name: (sizes[name], name))[:n_terms]
        for row in range(len(records))
    ]
    order = sorted({n for names in kept for n in names}, key=lambda n: (sizes[n], n))
    number = {name: place for place, name in enumerate(order)}
    return order, [[number[name] for name in names] for names in kept]


def provenance(source: Path, symbols: Sequence[str], n_terms: int) -> str:
    """Return where the texts come from, as JSON; dates are those of the sources."""
    hgnc = max(r["date_modified"] for r in read_tab_separated(source / HGNC_FILE))
    files = {HGNC_FILE, *(f for names in TERM_FILES.values() for f in names[:2])}
    content: dict[str, Any] = {
        "revision": max(hgnc, GO_RELEASE),
        "versions": {"HGNC": hgnc, "GO": GO_RELEASE},
        "genes": len(symbols),
        "symbols": hashlib.sha256("\n".join(symbols).encode()).hexdigest(),
        "terms": n_terms,
        "sources": listed_sources(source, sorted(files)),
        "attribution": ATTRIBUTION,
    }
    return json.dumps(content, sort_keys=True)


def build(
    source: Path,
    table: Path,
    smallest: int = SMALLEST_TERM,
    n_terms: int = TERMS_OF_A_GENE,
) -> dict[str, NDArray[Any]]:
    """Return the arrays of the texts of a gene table's rows."""
    with np.load(table, allow_pickle=False) as archive:
        symbols = archive["symbols"].tobytes().decode("utf-8").split("\n")
    by_symbol = {r["symbol"]: r for r in read_tab_separated(source / HGNC_FILE)}
    records = [by_symbol[symbol] for symbol in symbols]
    groups_of = [split_field(record["gene_group"]) for record in records]
    groups = sorted({group for names in groups_of for group in names})
    number = {group: place for place, group in enumerate(groups)}
    terms, terms_of = rarest_terms(source, records, smallest, LARGEST_SHARE, n_terms)
    return {
        "names": joined(record["name"].strip() for record in records),
        "groups": joined(groups),
        "group_counts": np.array([len(one) for one in groups_of], dtype=np.uint8),
        "group_numbers": np.array(
            [number[group] for names in groups_of for group in names], dtype=np.uint16
        ),
        "terms": joined(terms),
        "term_counts": np.array([len(one) for one in terms_of], dtype=np.uint8),
        "term_numbers": np.array(
            [place for places in terms_of for place in places], dtype=np.uint16
        ),
        "provenance": joined([provenance(source, symbols, len(terms))]),
    }


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, build the texts and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--source", type=Path, required=True, help="folder of raw files"
    )
    parser.add_argument("--table", type=Path, required=True, help="gene_table.npz")
    parser.add_argument("--output", type=Path, required=True, help="npz file to write")
    options = parser.parse_args(arguments)
    arrays = build(options.source, options.table)
    write(arrays, options.output)
    genes, terms = len(arrays["term_counts"]), int(arrays["term_numbers"].max()) + 1
    size = options.output.stat().st_size
    print(f"{options.output}: {genes} genes, {terms} terms, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
