"""Build the gene table that napari-semst ships, from curated public knowledge.

Usage: ``python scripts/build_gene_table.py --source FOLDER --output FILE.npz
[--terms FILE.npz] [--vectors FILE.npz]``

Rows are HGNC protein-coding genes and the segments of immunoglobulins and T cell
receptors (HGNC files these apart, but they mark plasma cells and T cells). Columns are
terms: GO, pathways, words of names, single-cell signatures. The weighted matrix is
reduced by a truncated singular value decomposition, centred, brought to unit rows and
stored as int8 with a scale per row.
``--terms FILE.npz`` also writes the names of GO terms and pathways with the rows of
their genes, by which results are explained.
``--vectors FILE.npz`` takes the vectors of a table that was built before and writes its
names anew.
The same input gives the same file, byte for byte, on one machine and library version.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import re
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    Terms = dict[str, set[int]]

DIMENSIONS = 256
SMALLEST_TERM = 3
LARGEST_SHARE = 0.1
LOCUS_TYPES = (
    "gene with protein product",
    "immunoglobulin gene",
    "T cell receptor gene",
)
BLOCK_WEIGHTS = {"go": 1.0, "pathways": 1.0, "names": 0.5, "signatures": 0.7}
GMT_FILES = {
    "go": (
        "msigdb.c5.bp.v6.2.symbols.gmt.gz",
        "msigdb.c5.cc.v7.0.symbols.gmt.gz",
        "msigdb.c5.mf.v7.0.symbols.gmt.gz",
    ),
    "pathways": (
        "reactome_pathways.gmt.gz",
        "wikipathways.v2024.1.Hs.symbols.gmt.gz",
        "msigdb.h.all.v7.0.symbols.gmt.gz",
    ),
    "signatures": ("scsig.all.v1.0.symbols.gmt.gz",),
}
GO_FILES = tuple(
    f"goa_human_associations_{part}.json.gz" for part in ("BP", "CC", "MF")
)
# GO terms as people read them: names by identifier, and the c5 file of the same branch.
TERM_FILES = {
    "GO process": ("go_terms_bp.json.gz", GO_FILES[0], GMT_FILES["go"][0]),
    "GO component": ("go_terms_cc.json.gz", GO_FILES[1], GMT_FILES["go"][1]),
    "GO function": ("go_terms_mf.json.gz", GO_FILES[2], GMT_FILES["go"][2]),
}
PATHWAY_NAMES = dict(
    zip(("Reactome", "WikiPathways", "Hallmark"), GMT_FILES["pathways"], strict=True)
)
# Smaller sets are found by chance, larger ones say nothing of a domain.
TERM_GENES = (5, 500)
HGNC_FILE = "hgnc_complete_set.txt.gz"
HOMOLOGY_FILE = "HOM_MouseHumanSequence.rpt.gz"
GO_RELEASE = "2025-07-18"
ATTRIBUTION = (
    "Derived from the Gene Ontology and its human annotations (release "
    f"{GO_RELEASE}, CC BY 4.0), MSigDB c5 v6.2/v7.0, hallmarks v7.0 and SCSig v1.0 "
    "(CC BY 4.0, UC San Diego and the Broad Institute), Mouse Genome Informatics "
    "homology (CC BY 4.0, The Jackson Laboratory), Reactome (CC0), WikiPathways "
    "2024.1 (CC0) and HGNC (CC0). Changed: reduced to 256 numbers per gene."
)
TERM_ATTRIBUTION = (
    "Names and gene sets of the Gene Ontology and its human annotations (release "
    f"{GO_RELEASE}, CC BY 4.0) joined with those of MSigDB c5 v6.2/v7.0 (CC BY 4.0, "
    "UC San Diego and the Broad Institute), of Reactome (CC0), WikiPathways 2024.1 "
    "(CC0) and MSigDB hallmarks v7.0 (CC BY 4.0). Changed: genes brought to HGNC "
    "symbols, sets of one name joined, small, large and repeated sets left out."
)
LICENCES = {
    "go_terms": "CC BY 4.0",
    "goa_": "CC BY 4.0",
    "msigdb": "CC BY 4.0",
    "scsig": "CC BY 4.0",
    "HOM_": "CC BY 4.0",
    "reactome": "CC0",
    "wikipathways": "CC0",
    "hgnc": "CC0",
}


def read_tab_separated(path: Path) -> list[dict[str, str]]:
    """Return the records of a gzipped tab-separated file with a header line."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def split_field(field: str) -> list[str]:
    """Return the parts of an HGNC field, which joins them with ``|``."""
    return [part.strip() for part in field.split("|") if part.strip()]


def alias_map(
    records: Iterable[Mapping[str, str]], row_of: Mapping[str, int]
) -> dict[str, int]:
    """Map the upper-case old and other names in gene sets to rows; ambiguous are out.

    An approved symbol of any gene, coding or not, is never read as an alias of another.
    Sets are of human genes and mostly of coding ones; names in data are `human_names`.
    """
    records = list(records)
    approved = {record["symbol"].upper() for record in records}
    aliases: dict[str, int] = {}
    ambiguous: set[str] = set()
    for field in ("prev_symbol", "alias_symbol"):  # in order of authority
        found: defaultdict[str, set[int]] = defaultdict(set)
        for record in records:
            if record["symbol"] in row_of:
                for name in split_field(record[field]):
                    found[name.upper()].add(row_of[record["symbol"]])
        for name, rows in found.items():
            if name in approved or name in aliases or name in ambiguous:
                continue
            if len(rows) == 1:
                aliases[name] = next(iter(rows))
            else:
                ambiguous.add(name)
    return aliases


def gmt_terms(path: Path, lookup: Mapping[str, int]) -> Terms:
    """Return the gene rows of each set of a gzipped GMT file."""
    terms: Terms = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            name, _, *symbols = line.rstrip("\n").split("\t")
            rows = {lookup[s.upper()] for s in symbols if s.upper() in lookup}
            terms[f"{path.name}:{name}"] = rows
    return terms


def protein_rows(genes: Iterable[Mapping[str, str]]) -> dict[str, set[int]]:
    """Map each UniProt accession to the rows of the genes that encode it."""
    rows: defaultdict[str, set[int]] = defaultdict(set)
    for row, record in enumerate(genes):
        for protein in split_field(record["uniprot_ids"]):
            rows[protein].add(row)
    return dict(rows)


def association_terms(path: Path, rows_of_protein: Mapping[str, set[int]]) -> Terms:
    """Return the gene rows of each GO term of a ``{UniProt: [GO ids]}`` file."""
    terms: defaultdict[str, set[int]] = defaultdict(set)
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        associations = json.load(stream)
    for protein, identifiers in associations.items():
        for identifier in identifiers:
            terms[identifier] |= rows_of_protein.get(protein, set())
    return dict(terms)


def name_terms(records: Iterable[Mapping[str, str]]) -> Terms:
    """Return the gene rows of each word of the gene names and each HGNC group."""
    terms: defaultdict[str, set[int]] = defaultdict(set)
    for row, record in enumerate(records):
        for word in re.findall(r"[a-z0-9]+", record["name"].lower()):
            if not word.isdigit() and len(word) > 1:
                terms[f"word:{word}"].add(row)
        for group in split_field(record["gene_group_id"]):
            terms[f"group:{group}"].add(row)
    return dict(terms)


def weighted_block(terms: Terms, n_genes: int) -> sparse.csr_matrix:
    """Return the genes x terms matrix of one block, idf-weighted, with unit rows."""
    largest = LARGEST_SHARE * n_genes
    kept = [
        sorted(rows)
        for _, rows in sorted(terms.items())
        if SMALLEST_TERM <= len(rows) <= max(largest, SMALLEST_TERM)
    ]
    columns = np.repeat(np.arange(len(kept)), [len(rows) for rows in kept])
    rows = np.array([row for term in kept for row in term], dtype=np.int64)
    idf = np.array([np.log(n_genes / len(term)) for term in kept])
    block = sparse.csr_matrix(
        (idf[columns], (rows, columns)), shape=(n_genes, len(kept)), dtype=np.float64
    )
    norms = np.sqrt(np.asarray(block.multiply(block).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.where(norms > 0, norms, 1)) @ block)


def reduce(matrix: sparse.csr_matrix, dimensions: int) -> NDArray[np.float64]:
    """Return centred unit rows (n_genes, dimensions) of the truncated decomposition."""
    rank = min(dimensions, min(matrix.shape) - 1)
    # A fixed start and full convergence: the answer must not depend on the run.
    start = np.ones(min(matrix.shape))
    left, values, _ = svds(matrix, k=rank, v0=start, tol=0)
    order = np.argsort(-values, kind="stable")
    scores = left[:, order] * values[order]
    largest = np.abs(scores).argmax(axis=0)
    scores *= np.where(scores[largest, np.arange(rank)] < 0, -1.0, 1.0)
    scores -= scores.mean(axis=0)
    norms = np.linalg.norm(scores, axis=1, keepdims=True)
    return np.asarray(scores / np.where(norms > 0, norms, 1))


def quantise(
    vectors: NDArray[np.float64],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 rows and the scale of each, so that int8 * scale gives the row."""
    scale = np.abs(vectors).max(axis=1) / 127
    scale[scale == 0] = 1
    return (
        np.rint(vectors / scale[:, None]).astype(np.int8),
        scale.astype(np.float32),
    )


def human_names(
    records: Iterable[Mapping[str, str]],
    row_of: Mapping[str, int],
    mouse: Mapping[str, list[int]],
) -> tuple[dict[str, int], dict[str, int]]:
    """Map upper-case previous symbols, and aliases, to the one row each can mean.

    Genes without a row count as well: a name that one of them bears or bore is none of
    a gene with a row. An alias gives way to every symbol, previous symbol and mouse
    symbol of another gene.
    """
    records = list(records)
    approved = {record["symbol"].upper() for record in records}
    bearers: dict[str, defaultdict[str, set[str]]] = {}
    for field in ("prev_symbol", "alias_symbol"):
        bearers[field] = defaultdict(set)
        for record in records:
            for name in split_field(record[field]):
                bearers[field][name.upper()].add(record["symbol"])
    found: dict[str, dict[str, int]] = {}
    for field, named in bearers.items():
        found[field] = {}
        for name, symbols in named.items():
            symbol = min(symbols)
            if len(symbols) == 1 and name not in approved and symbol in row_of:
                found[field][name] = row_of[symbol]
    in_mouse: defaultdict[str, set[int]] = defaultdict(set)
    for symbol, rows in mouse.items():
        in_mouse[symbol.upper()] |= set(rows)
    aliases = {
        name: row
        for name, row in found["alias_symbol"].items()
        if name not in bearers["prev_symbol"] and row in in_mouse.get(name, {row})
    }
    return found["prev_symbol"], aliases


def homology_map(
    records: Iterable[Mapping[str, str]],
    genes: Iterable[Mapping[str, str]],
    row_of: Mapping[str, int],
) -> dict[str, list[int]]:
    """Map every mouse symbol to the rows of its human homologues, which may be none.

    Homologues are those of MGI's classes, by HGNC id; where a class holds no human
    gene, those that HGNC gives the mouse gene's MGI id.
    """
    genes = list(genes)
    by_id = {g["hgnc_id"]: row_of[g["symbol"]] for g in genes if g["symbol"] in row_of}
    by_mouse: defaultdict[str, set[int]] = defaultdict(set)
    for gene in genes:
        for identifier in split_field(gene["mgd_id"]):
            if gene["symbol"] in row_of:
                by_mouse[identifier].add(row_of[gene["symbol"]])
    human: defaultdict[str, list[int | None]] = defaultdict(list)
    mouse: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for record in records:
        key, symbol = record["DB Class Key"], record["Symbol"]
        if record["Common Organism Name"] == "human":
            human[key].append(by_id.get(record["HGNC ID"], row_of.get(symbol)))
        else:
            mouse[symbol].append((key, record["Mouse MGI ID"]))
    homologues: dict[str, list[int]] = {}
    for symbol, places in sorted(mouse.items()):
        rows: set[int] = set()
        for key, identifier in places:
            known = {row for row in human[key] if row is not None}
            rows |= known if human[key] else by_mouse[identifier]
        homologues[symbol] = sorted(rows)
    return homologues


def joined(names: Iterable[str]) -> NDArray[np.uint8]:
    """Return names as one newline-joined utf-8 byte array (nothing pickled)."""
    return np.frombuffer("\n".join(names).encode("utf-8"), dtype=np.uint8)


def ensembl_number(identifier: str) -> int:
    """Return the number of a human Ensembl gene id, or 0 where there is none."""
    match = re.fullmatch(r"ENSG(\d{11})", identifier)
    return int(match[1]) if match else 0


def listed_sources(source: Path, files: Iterable[str]) -> list[dict[str, str]]:
    """Return name, SHA-256 and licence of every raw file."""
    return [
        {
            "file": name,
            "sha256": hashlib.sha256((source / name).read_bytes()).hexdigest(),
            "licence": next(v for k, v in LICENCES.items() if name.startswith(k)),
        }
        for name in files
    ]


def provenance(source: Path, files: Iterable[str], genes: int, terms: int) -> str:
    """Return where the table comes from, as JSON; dates are those of the sources."""
    dates = [r["date_modified"] for r in read_tab_separated(source / HGNC_FILE)]
    hgnc = max(dates)
    content: dict[str, Any] = {
        "name": "curated gene knowledge",
        "revision": max(hgnc, GO_RELEASE),
        "versions": {"HGNC": hgnc, "GO": GO_RELEASE},
        "genes": genes,
        "terms": terms,
        "block_weights": BLOCK_WEIGHTS,
        "sources": listed_sources(source, files),
        "attribution": ATTRIBUTION,
    }
    return json.dumps(content, sort_keys=True)


def coding_genes(records: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Return the genes that can have a row, by symbol."""
    coding = (record for record in records if record["locus_type"] in LOCUS_TYPES)
    return sorted(coding, key=lambda record: record["symbol"])


def set_lookup(records: list[dict[str, str]], row_of: dict[str, int]) -> dict[str, int]:
    """Return the rows of the upper-case names by which gene sets call genes."""
    upper = {symbol.upper(): row for symbol, row in row_of.items()}
    return {**alias_map(records, row_of), **upper}


def build(source: Path, dimensions: int = DIMENSIONS) -> dict[str, NDArray[Any]]:
    """Return the arrays of the table from the folder of raw files."""
    records = read_tab_separated(source / HGNC_FILE)
    coding = coding_genes(records)
    row_of = {record["symbol"]: row for row, record in enumerate(coding)}
    lookup = set_lookup(records, row_of)
    blocks: dict[str, Terms] = {
        name: {
            k: v for file in files for k, v in gmt_terms(source / file, lookup).items()
        }
        for name, files in GMT_FILES.items()
    }
    proteins = protein_rows(coding)
    for file in GO_FILES:
        blocks["go"].update(association_terms(source / file, proteins))
    blocks["names"] = name_terms(coding)
    matrix = sparse.csr_matrix(
        sparse.hstack(
            [
                w * weighted_block(blocks[b], len(coding))
                for b, w in BLOCK_WEIGHTS.items()
            ]
        )
    )
    known = np.flatnonzero(np.diff(matrix.indptr))  # a gene without a term says nothing
    vectors, scale = quantise(reduce(sparse.csr_matrix(matrix[known]), dimensions))
    return {
        # One dimension after the other: its values are alike, so it packs better.
        "vectors": np.ascontiguousarray(vectors.T),
        "scale": scale,
        **named(source, [coding[row]["symbol"] for row in known], matrix.shape[1]),
    }


def renamed(source: Path, table: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a table that was built before, its names made anew."""
    with np.load(table, allow_pickle=False) as archive:
        old = dict(archive)
    symbols = old["symbols"].tobytes().decode("utf-8").split("\n")
    about = json.loads(old["provenance"].tobytes().decode("utf-8"))
    vectors = {name: old[name] for name in ("vectors", "scale")}
    return {**vectors, **named(source, symbols, about["terms"])}


def named(source: Path, symbols: list[str], n_terms: int) -> dict[str, NDArray[Any]]:
    """Return all names of the genes that have a row, and where the table comes from."""
    records = read_tab_separated(source / HGNC_FILE)
    row_of = {symbol: row for row, symbol in enumerate(symbols)}
    homology = read_tab_separated(source / HOMOLOGY_FILE)
    mouse = homology_map(homology, records, row_of)
    previous, aliases = human_names(records, row_of, mouse)
    id_of = {record["symbol"]: record["ensembl_gene_id"] for record in records}
    files = [HGNC_FILE, HOMOLOGY_FILE, *GO_FILES]
    files += [file for group in GMT_FILES.values() for file in group]
    about = provenance(source, sorted(files), len(symbols), n_terms)
    return {
        "symbols": joined(symbols),
        **name_arrays("previous", previous),
        **name_arrays("alias", aliases),
        "ensembl_numbers": np.array(
            [ensembl_number(id_of[symbol]) for symbol in symbols], dtype=np.uint32
        ),
        "mouse_symbols": joined(mouse),
        "mouse_counts": np.array([len(r) for r in mouse.values()], dtype=np.uint16),
        "mouse_rows": np.array(
            [r for rows in mouse.values() for r in rows], dtype=np.uint32
        ),
        "provenance": joined([about]),
    }


def name_arrays(kind: str, rows: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """Return names of one kind, sorted, and their rows."""
    names = sorted(rows)
    return {
        f"{kind}_symbols": joined(names),
        f"{kind}_rows": np.array([rows[name] for name in names], dtype=np.uint32),
    }


def plain_name(name: str) -> str:
    """Return a name by which spellings of one term are found alike."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")


def readable_name(name: str) -> str:
    """Return a set's name without its collection's prefix, in words."""
    words = re.sub(r"^(GO|WP|HALLMARK)_", "", name)
    if words == name:
        return name
    words = words.replace("_", " ").lower().strip()
    return re.sub(r" dn$", " down", words)


def named_terms(source: Path, lookup: Mapping[str, int], proteins: Any) -> Terms:
    """Return the rows of each term, ``origin<tab>name``; GO's of both sources joined.

    Annotations are direct ones, the sets of c5 hold those of narrower terms too.
    """
    terms: defaultdict[str, set[int]] = defaultdict(set)
    for origin, (names_file, direct, sets) in TERM_FILES.items():
        with gzip.open(source / names_file, "rt", encoding="utf-8") as stream:
            names = {key: value["name"] for key, value in json.load(stream).items()}
        for key, rows in association_terms(source / direct, proteins).items():
            if key in names:
                terms[f"{origin}\t{names[key]}"] |= rows
        spelt = {plain_name(name): name for name in names.values()}
        for key, rows in gmt_terms(source / sets, lookup).items():
            words = readable_name(key.partition(":")[2])
            terms[f"{origin}\t{spelt.get(plain_name(words), words)}"] |= rows
    for origin, file in PATHWAY_NAMES.items():
        for key, rows in gmt_terms(source / file, lookup).items():
            terms[f"{origin}\t{readable_name(key.partition(':')[2])}"] |= rows
    return dict(terms)


def term_arrays(
    source: Path, table: Mapping[str, NDArray[Any]], smallest: int, largest: int
) -> dict[str, NDArray[Any]]:
    """Return names, origins and genes of terms, as rows of the gene table.

    Rows of a term are sorted, the first as it is, the others as what they are above
    the one before: small numbers pack better.
    """
    symbols = table["symbols"].tobytes().decode("utf-8").split("\n")
    row_of = {symbol: row for row, symbol in enumerate(symbols)}
    records = read_tab_separated(source / HGNC_FILE)
    coding = [record["symbol"] for record in coding_genes(records)]
    named_rows = set_lookup(records, {symbol: row for row, symbol in enumerate(coding)})
    # Not every coding gene has a row in the table.
    lookup = {
        name: row_of[coding[row]]
        for name, row in named_rows.items()
        if coding[row] in row_of
    }
    proteins: defaultdict[str, set[int]] = defaultdict(set)
    for record in records:
        if record["symbol"] in row_of:
            for protein in split_field(record["uniprot_ids"]):
                proteins[protein].add(row_of[record["symbol"]])
    kept: dict[tuple[int, ...], str] = {}
    for name, rows in named_terms(source, lookup, proteins).items():
        if smallest <= len(rows) <= largest:
            kept.setdefault(tuple(sorted(rows)), name)
    order = sorted(kept, key=lambda rows: kept[rows])
    steps = [np.diff(rows, prepend=0) for rows in order]
    files = {name for files in TERM_FILES.values() for name in files}
    listed = listed_sources(source, sorted(files | set(PATHWAY_NAMES.values())))
    about = {
        "terms": len(order),
        "genes": len(symbols),
        "sources": listed,
        "attribution": TERM_ATTRIBUTION,
    }
    return {
        "names": joined(kept[rows].partition("\t")[2] for rows in order),
        "origins": joined(kept[rows].partition("\t")[0] for rows in order),
        "sizes": np.array([len(rows) for rows in order], dtype=np.uint16),
        "steps": np.concatenate([*steps, []]).astype(np.uint16),
        "provenance": joined([json.dumps(about, sort_keys=True)]),
    }


def write(arrays: Mapping[str, NDArray[Any]], output: Path) -> None:
    """Write an npz whose bytes depend on the arrays only: no clock, no pickles."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same on every platform
            archive.writestr(entry, content.getvalue(), compresslevel=9)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, build the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--source", type=Path, required=True, help="folder of raw files"
    )
    parser.add_argument("--output", type=Path, required=True, help="npz file to write")
    parser.add_argument("--terms", type=Path, help="npz file to write terms to")
    parser.add_argument("--vectors", type=Path, help="table whose vectors are kept")
    parser.add_argument("--dimensions", type=int, default=DIMENSIONS)
    options = parser.parse_args(arguments)
    if options.vectors is None:
        arrays = build(options.source, options.dimensions)
    else:
        arrays = renamed(options.source, options.vectors)
    write(arrays, options.output)
    genes = len(arrays["scale"])
    size = options.output.stat().st_size
    print(f"{options.output}: {genes} genes, {size / 1e6:.2f} MB")
    if options.terms is not None:
        terms = term_arrays(options.source, arrays, *TERM_GENES)
        write(terms, options.terms)
        size = options.terms.stat().st_size
        print(f"{options.terms}: {len(terms['sizes'])} terms, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
