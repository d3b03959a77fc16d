"""Sections of different panels done together, against one by one.

    python benchmarks/together_panels.py FOLDER [--method quick] [--genes 0 20 all]

FOLDER holds DLPFC_151673, DLPFC_151510_500genes, STARmap_MVC_BY3_1k and
osmFISH_SScortex as .h5ad files with raw counts and an annotation in
obs["ground_truth"]. Genes that both have, homologues of mouse and human among them, are
taken from the larger panel until so many are left. Each section is run alone, as a
joint run of sections of different panels does, and its domains are named in common.
Printed are adjusted Rand indices of each section; the share of annotated cortex that is
named rightly, by the name that most spots of its domain have in the other section
(layers matched as L2/3 to 2 or 3), of the second section by the first, and of the first
by the second; how many names are common; and the same where the names of every panel's
genes are dealt anew among them, means of ten draws. ``--common`` adds a run by the
common genes alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

import napari_semst
from napari_semst import keys
from napari_semst.domains.domain_meaning import Projection
from napari_semst.genes.gene_names import guess_species
from napari_semst.genes.table import builtin_table
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.counts import find_counts
from napari_semst.io.read import read
from napari_semst.pipeline.across_panels import named_in_common

TRUTH = "ground_truth"
PAIRS = (
    ("DLPFC_151673", "DLPFC_151510_500genes", 7),
    ("DLPFC_151673", "STARmap_MVC_BY3_1k", 7),
    ("osmFISH_SScortex", "STARmap_MVC_BY3_1k", 11),
)
HUMAN = {f"Layer{n}": {str(n)} for n in range(1, 7)} | {"WM": {"WM"}}
MOUSE = {f"L{n}": {str(n)} for n in (1, 4, 5, 6)} | {"L2/3": {"2", "3"}, "CC": {"WM"}}
OSMFISH = {f"Layer {n}": {str(n)} for n in (4, 5, 6)} | {
    "Pia Layer 1": {"1"},
    "Layer 2-3 medial": {"2", "3"},
    "Layer 2-3 lateral": {"2", "3"},
    "Layer 3-4": {"3", "4"},
    "White matter": {"WM"},
}
LAYERS = {"DLPFC": HUMAN, "STARm": MOUSE, "osmFI": OSMFISH}


def homologues(tissue):
    """Return the row of the gene table of each gene, -1 where there is not one."""
    names = tissue.var_names.astype(str)
    species, table = guess_species(names), builtin_table()
    rows = [table.rows(name, species) for name in names]
    return np.array([row[0] if len(row) == 1 else -1 for row in rows])


def with_common_genes(first, second, wanted, seed):
    """Return both with so many genes in common, and the number."""
    larger, smaller = (
        (first, second) if first.n_vars >= second.n_vars else (second, first)
    )
    rows = homologues(larger)
    common = np.setdiff1d(np.intersect1d(rows, homologues(smaller)), [-1])
    if wanted == "all":
        return first, second, len(common)
    kept = np.random.default_rng(seed).choice(common, int(wanted), replace=False)
    cut = larger[:, ~np.isin(rows, np.setdiff1d(common, kept))].copy()
    pair = (cut, second) if larger is first else (first, cut)
    return *pair, int(wanted)


def truth(tissue):
    names = tissue.obs[TRUTH].astype(object).to_numpy()
    return np.array([n if isinstance(n, str) and n != "nan" else "" for n in names])


def labels(tissue, **options):
    done = napari_semst.find_domains(tissue, **options)
    return done.obs[keys.DOMAIN].cat.codes.to_numpy()


def ari(tissue, found):
    names = truth(tissue)
    return round(adjusted_rand_score(names[names != ""], found[names != ""]), 3)


def named(reference, target, of_reference, of_target, layers):
    """Return the share of the target's annotated cortex that is named rightly."""
    known, told = truth(reference), {}
    for domain in np.unique(of_reference):
        names, sizes = np.unique(
            known[(of_reference == domain) & (known != "")], return_counts=True
        )
        if len(names):
            told[domain] = layers[0].get(names[sizes.argmax()], set())
    own = truth(target)
    right = [
        bool(told.get(domain, set()) & layers[1][name])
        for domain, name in zip(of_target, own, strict=True)
        if name in layers[1]
    ]
    return round(float(np.mean(right)), 3)


def meaning(tissue, seed=None):
    """Return what the genes of a section mean, or with their names dealt anew."""
    names = tissue.var_names.to_numpy(dtype=str)
    if seed is not None:
        names = np.random.default_rng(seed).permutation(names)
    counts = sparse.csr_matrix(find_counts(tissue, "").matrix)
    return Projection.of_panel(counts, names, builtin_table())


def compared(pair, names, codes, meanings, seed):
    """Return how domains that were found apart are named in common."""
    found = named_in_common(meanings, codes, seed)
    of = [own[labels] for own, labels in zip(found.names, codes, strict=True)]
    layers = [LAYERS[name[:5]] for name in names]
    told = {
        "named": [
            named(*pair, *of, layers),
            named(*pair[::-1], *of[::-1], layers[::-1]),
        ],
        "pairs": len(np.intersect1d(*found.names)),
    }
    if layers[0] is layers[1]:
        told["all"] = of_all(pair, np.concatenate(of))
    return told


def of_all(pair, labels):
    both = np.concatenate([truth(one) for one in pair])
    return round(adjusted_rand_score(both[both != ""], labels[both != ""]), 3)


def by_common_genes(pair, options):
    """Return the indices of a run by the common genes alone, where there are such."""
    joined = join_sections(dict(zip("ab", pair, strict=True)))
    if keys.COUNTED_IN in joined.var:
        return None
    del joined.obsm[keys.OWN_COUNTS]
    found = labels(joined, **options)
    of = [found[(joined.obs[keys.SECTION] == name).to_numpy()] for name in "ab"]
    each = [ari(one, own) for one, own in zip(pair, of, strict=True)]
    return {"ari": each, "all": of_all(pair, np.concatenate(of))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--method", default="quick")
    parser.add_argument("--genes", nargs="+", default=["0", "20", "all"])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--common", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", type=int, nargs="+", default=list(range(len(PAIRS))))
    given = parser.parse_args()
    for *names, k in (PAIRS[place] for place in given.pairs):
        options = {"n_domains": k, "method": given.method, "seed": given.seed}
        read_in = [read(given.folder / f"{name}.h5ad") for name in names]
        for wanted in given.genes:
            try:
                *pair, n = with_common_genes(*read_in, wanted, given.seed)
            except ValueError:  # fewer are common than wanted
                continue
            codes = [labels(one, **options) for one in pair]
            found = compared(
                pair, names, codes, [meaning(one) for one in pair], given.seed
            )
            mixed = [
                compared(
                    pair,
                    names,
                    codes,
                    [meaning(one, 2 * draw + i) for i, one in enumerate(pair)],
                    given.seed,
                )
                for draw in range(given.draws)
            ]
            row = {
                "sections": names,
                "k": k,
                "common": n,
                "ari": [ari(*both) for both in zip(pair, codes, strict=True)],
                **found,
                "shuffled": {
                    key: np.round(np.mean([one[key] for one in mixed], axis=0), 3)
                    for key in ("named", "pairs")
                },
            }
            if given.common:
                row["common_genes"] = by_common_genes(pair, options)
            print(json.dumps(row, default=np.ndarray.tolist), flush=True)


if __name__ == "__main__":
    main()
