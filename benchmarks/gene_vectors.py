"""What gene vectors are worth: layers of one cortex named by another without its genes.

    python benchmarks/gene_vectors.py FOLDER [--source RAW] [--draws 3]

FOLDER holds DLPFC_151673, DLPFC_151510_500genes, STARmap_MVC_BY3_1k and
osmFISH_SScortex as .h5ad files with raw counts and an annotation in
obs["ground_truth"]. Of every ordered pair the genes that both have are taken from the
larger panel, so that none is common. A layer of the reference is the mean z-score of
its genes, less that of layers; both sides pass through the vectors as in joint runs;
every annotated cortical spot of the target, averaged over its neighbours three times,
has the name of the layer of highest cosine. Printed is the share that is named rightly,
mean over pairs, and that with the names of the target's genes dealt anew. With RAW, the
raw files of ``scripts/build_gene_table.py``, tables of single and left-out blocks too.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
from scipy import sparse
from together_panels import LAYERS, truth, with_common_genes

from napari_semst.domains.domain_meaning import Projection
from napari_semst.genes.table import builtin_table
from napari_semst.io.counts import find_counts
from napari_semst.io.read import read
from napari_semst.prepare.components import neighbour_average, smooth_over_neighbours
from napari_semst.prepare.graphs import n_touching

NAMES = (
    "DLPFC_151673",
    "DLPFC_151510_500genes",
    "STARmap_MVC_BY3_1k",
    "osmFISH_SScortex",
)


def pairs(folder):
    """Yield reference and target of every ordered pair, without a common gene."""
    tissues = {name: read(folder / f"{name}.h5ad") for name in NAMES}
    for first, second in permutations(NAMES, 2):
        layers = LAYERS[first[:5]], LAYERS[second[:5]]
        cut = with_common_genes(tissues[first], tissues[second], "0", 0)[:2]
        yield first, second, *cut, layers


def reference_layers(tissue, layers, table):
    """Return signatures of annotated layers, and the layers each stands for."""
    names = truth(tissue)
    own = tissue[np.isin(names, list(layers))]
    kinds, codes = np.unique(truth(own), return_inverse=True)
    counts = sparse.csr_matrix(find_counts(own, "").matrix)
    meaning = Projection.of_panel(counts, own.var_names.to_numpy(dtype=str), table)
    return meaning.signatures(meaning.domain_profiles(codes)), [
        layers[k] for k in kinds
    ]


def named_rightly(signatures, kinds, tissue, layers, table, average, seed=None):
    """Return the share of the target's cortical spots that are named rightly."""
    genes = tissue.var_names.to_numpy(dtype=str)
    if seed is not None:
        genes = np.random.default_rng(seed).permutation(genes)
    counts = sparse.csr_matrix(find_counts(tissue, "").matrix)
    meaning = Projection.of_panel(counts, genes, table).spots()
    meaning = smooth_over_neighbours(meaning, average, 3)
    told = (meaning @ signatures.T).argmax(axis=1)
    right = [
        bool(kinds[code] & layers[name])
        for code, name in zip(told, truth(tissue), strict=True)
        if name in layers
    ]
    return float(np.mean(right))


def tables(source):
    """Yield names and tables: the built-in one, cut, and of other blocks."""
    built = builtin_table()
    yield "built-in, 256", built
    for width in (128, 64, 32):
        yield f"built-in, first {width}", with_vectors(built, built.vectors[:, :width])
    random = np.random.default_rng(0).normal(size=built.vectors.shape)
    yield "random vectors", with_vectors(built, random)
    if source is not None:
        yield from tables_of_blocks(source, built)


def with_vectors(table, vectors):
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return replace(table, vectors=(vectors / length).astype(np.float32))


def tables_of_blocks(source, built):
    """Yield tables of single blocks, and of all but one."""
    from sklearn.decomposition import TruncatedSVD

    sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
    import build_gene_table as build

    rows = {symbol: row for row, symbol in enumerate(built.symbols)}
    records = [
        r
        for r in build.read_tab_separated(source / build.HGNC_FILE)
        if r["symbol"] in rows
    ]
    records.sort(key=lambda record: rows[record["symbol"]])
    lookup = {symbol.upper(): row for symbol, row in rows.items()}
    blocks = {
        name: {
            k: v
            for file in files
            for k, v in build.gmt_terms(source / file, lookup).items()
        }
        for name, files in build.GMT_FILES.items()
    }
    for file in build.GO_FILES:
        proteins = build.protein_rows(records)
        blocks["go"].update(build.association_terms(source / file, proteins))
    blocks["names"] = build.name_terms(records)
    weighted = {
        name: build.BLOCK_WEIGHTS[name] * build.weighted_block(terms, len(rows))
        for name, terms in blocks.items()
    }
    wanted = [(f"only {name}", [name]) for name in weighted]
    wanted += [(f"without {n}", [m for m in weighted if m != n]) for n in weighted]
    for name, chosen in wanted:
        matrix = sparse.hstack([weighted[one] for one in chosen]).tocsr()
        vectors = TruncatedSVD(128, random_state=0, n_iter=4).fit_transform(matrix)
        yield f"{name}, 128", with_vectors(built, vectors - vectors.mean(axis=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    given = parser.parse_args()
    ready = []
    for first, second, reference, target, layers in pairs(given.folder):
        places = np.asarray(target.obsm["spatial"], float)
        average = neighbour_average(places, n_touching(places))
        ready.append((first, second, reference, target, layers, average))
    for name, table in tables(given.source):
        right, mixed = {}, []
        for first, second, reference, target, layers, average in ready:
            known = reference_layers(reference, layers[0], table)
            asked = (*known, target, layers[1], table, average)
            right[f"{first[:12]} > {second[:12]}"] = round(named_rightly(*asked), 3)
            mixed += [named_rightly(*asked, seed) for seed in range(given.draws)]
        row = {
            "table": name,
            "mean": round(float(np.mean(list(right.values()))), 3),
            "shuffled": round(float(np.mean(mixed)), 3),
            "pairs": right,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
