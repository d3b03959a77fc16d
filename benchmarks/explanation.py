"""False calls of `semst explain`: domains laid at random, names dealt at random.

    python benchmarks/explanation.py [FILE.h5ad ...] [--seeds 10] [--draws 9999]
        [--minutes 60] [--output FILE.json]

As shipped: the draws of `semst explain`, and what it tells as found. The simulated
cortex where no file is given; annotations stand in obs["ground_truth"]. No seed is
begun after the minutes, which are for each section.

Three shapes of domains that have nothing to do with the tissue (bands at a random
angle, the nearest of random spots, the annotation turned and shifted) say whether
p-values by random connected domains are as small as they should be; names of genes
dealt anew, whether anything is told of names without meaning.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.explanation import semantic_genes
from napari_semst.explanation.explained_run import explained
from napari_semst.explanation.random_domains import make_patches
from napari_semst.explanation.semantic_contrast import find_meaning
from napari_semst.explanation.significance import compare_terms
from napari_semst.explanation.summary import FOUND
from napari_semst.explanation.terms import choose_terms
from napari_semst.explanation.types import ExplainOptions
from napari_semst.genes.table import builtin_table
from napari_semst.genes.terms import builtin_terms
from napari_semst.io.read import read
from napari_semst.prepare.graphs import touching_graph
from napari_semst.sample import simulated_cortex

SHAPES = ("bands", "nearest", "turned")


def prepared(tissue):
    """Return what does not change from draw to draw."""
    what = explained(tissue, None, "ground_truth")
    inside = what.codes >= 0
    control = RunControl()
    section = run_to_end(semantic_genes._section(tissue[inside].copy(), what, control))
    listed = run_to_end(semantic_genes._listed(section, what, control))
    touching = touching_graph(section.average)
    patches = make_patches(section.coordinates, section.sections, touching)
    return section.coordinates, what.codes[inside], listed, patches


def tested(listed, patches, codes, draws, seed):
    """Return the tests of one division of one section."""
    n = int(codes.max()) + 1
    return compare_terms(
        choose_terms(builtin_terms(), builtin_table(), listed),
        listed,
        find_meaning(listed, codes, n),
        patches,
        np.bincount(codes, minlength=n)[None],
        draws,
        seed,
        lambda done, of: None,
    )


def laid_at_random(shape, places, codes, random):
    """Return domains of a shape that know nothing of the tissue."""
    places = (places - places.mean(axis=0)) / places.std()
    n = int(codes.max()) + 1
    angle = random.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if shape == "bands":
        order = np.argsort(places @ turn[0])
        size = np.bincount(codes)
        laid = np.empty(len(codes), np.int64)
        mixed = random.permutation(n)
        laid[order] = np.repeat(mixed, size[mixed])
    elif shape == "nearest":
        centres = places[random.permutation(len(places))[:n]]
        laid = cKDTree(centres).query(places)[1]
    else:
        moved = places @ turn + random.normal(0, 0.4, 2)
        laid = codes[cKDTree(places).query(moved)[1]]
    return np.unique(laid, return_inverse=True)[1].astype(np.int32)


def row(name, kind, tests):
    """Return false calls: of domains, and of p-values by random connected domains."""
    p = np.concatenate(
        [t.p_domains[:, (t.p_domains < 1).any(0)].ravel() for t in tests]
    )
    called = np.concatenate([(t.q <= FOUND).any(axis=1) for t in tests])
    by_genes = np.concatenate([(t.q_genes <= FOUND).any(axis=1) for t in tests])
    return {
        "section": name,
        "kind": kind,
        "seeds": len(tests),
        "domains": len(called),
        "p_below_0.01": round(float((p <= 0.01).mean()), 4),
        "p_below_0.05": round(float((p <= 0.05).mean()), 4),
        "domains_called": int(called.sum()),
        "domains_called_by_genes_alone": int(by_genes.sum()),
    }


def measure(name, tissue, seeds, draws, minutes):
    """Yield a row for each kind of control, all of the same seeds."""
    places, codes, listed, patches = prepared(tissue)
    ends = time.monotonic() + 60 * minutes
    tests = {"names dealt anew": [], **{shape: [] for shape in SHAPES}}
    for seed in range(seeds):
        if seed and time.monotonic() > ends:
            break
        order = np.random.default_rng(seed).permutation(len(listed.genes))
        one = replace(listed, vectors=listed.vectors[order], rows=listed.rows[order])
        tests["names dealt anew"].append(tested(one, patches, codes, draws, seed))
        for shape in SHAPES:
            random = np.random.default_rng(seed)
            found = laid_at_random(shape, places, codes, random)
            tests[shape].append(tested(listed, patches, found, draws, seed))
    for kind, found in tests.items():
        yield row(name, kind, found)
    yield row(name, "annotation", [tested(listed, patches, codes, draws, 0)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=ExplainOptions().n_draws)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    sections = {path.stem: path for path in options.files} or {"simulated_cortex": None}
    rows = []
    for name, path in sections.items():
        tissue = read(path) if path else simulated_cortex(image=False, hard=True)
        for one in measure(name, tissue, options.seeds, options.draws, options.minutes):
            rows.append(one)
            print(json.dumps(one), flush=True)
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
