"""What a few corrections by hand do to the rest of a section, for docs/benchmarks.md.

    python benchmarks/corrections.py FOLDER [--preset default] [--shares 0.01 0.02 0.05]
        [--strokes 1 8] [--draws 3] [--seed 0]

FOLDER holds .h5ad files with an annotation in obs["ground_truth"]. Domains are found
once for each; each domain is then called by the annotation that most of its spots have,
as somebody who knows the tissue would. Corrections are drawn among the spots whose
annotation is another: one by one, or in strokes of some neighbours of one annotation.
ARI is that of all annotated spots but the corrected ones, for

    found       the domains as they are found
    named       called by their annotation, which merges some
    spreading   label spreading (Zhou et al. 2004; alpha 0.9) over the 6 nearest spots,
                from the corrected spots and the names of all others
    in latents  the same over the 15 nearest in the latent
    refined     `napari_semst.explore.corrections.refine_labels`
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score

from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.explore.corrections import corrections_of, refine_labels
from napari_semst.explore.labels import Labels
from napari_semst.io.read import read
from napari_semst.pipeline.run import find_domains

COLUMNS = ("found", "named", "spreading", "in latents", "refined", "seconds")


def drawn_corrections(truth, named, places, share, stroke, random):
    """Return the right name of some spots that have a wrong one, -1 for the others."""
    wrong = (truth >= 0) & (truth != named)
    most = round(share * int((truth >= 0).sum()))
    given = np.full(len(truth), -1)
    nearest = cKDTree(places).query(places, k=min(30, len(places)))[1]
    left = most
    for spot in random.permutation(np.flatnonzero(wrong)):
        if left <= 0:
            break
        near = nearest[spot]
        fits = wrong[near] & (truth[near] == truth[spot]) & (given[near] < 0)
        painted = near[fits][: min(stroke, left)] if given[spot] < 0 else near[:0]
        given[painted] = truth[painted]
        left -= len(painted)
    return given


def spread(points, n_neighbours, votes, alpha=0.9, rounds=60):
    """Return labels that were spread over nearest neighbours from votes."""
    n = len(points)
    away, nearest = cKDTree(points).query(points, k=min(n_neighbours + 1, n))
    weights = np.exp(-(away[:, 1:] ** 2) / (2 * np.median(away[:, -1]) ** 2))
    rows = np.repeat(np.arange(n), weights.shape[1])
    graph = sparse.csr_matrix((weights.ravel(), (rows, nearest[:, 1:].ravel())), (n, n))
    graph = graph.maximum(graph.T)
    root = sparse.diags(
        1 / np.sqrt(np.maximum(np.asarray(graph.sum(1)).ravel(), 1e-12))
    )
    step, now = root @ graph @ root, votes
    for _ in range(rounds):
        now = alpha * (step @ now) + (1 - alpha) * votes
    return now.argmax(axis=1)


def measure(result, places, truth, share, stroke, draw):
    """Return the figures of one drawing of corrections."""
    random = np.random.default_rng(draw)
    codes = result.codes
    n_names = truth.max() + 1
    pairs = np.zeros((codes.max() + 1, n_names), int)
    np.add.at(pairs, (codes[truth >= 0], truth[truth >= 0]), 1)
    named = pairs.argmax(axis=1)[codes]
    given = drawn_corrections(truth, named, places, share, stroke, random)
    scored = (truth >= 0) & (given < 0)
    now = np.where(given >= 0, given, named)
    votes = np.eye(n_names)[now]
    latent = result.latent / np.maximum(result.latent.std(axis=0), 1e-9)
    colors = ("#000000",) * n_names
    begun = time.process_time()
    before = Labels(codes, tuple(result.names), colors[:1] * len(result.names))
    after = Labels(now.astype(np.int32), tuple(map(str, range(n_names))), colors)
    refined = refine_labels(corrections_of(before, after), result.latent, places)
    seconds = time.process_time() - begun
    ways = (
        codes,
        named,
        spread(places, 6, votes),
        spread(latent, 15, votes),
        refined.labels.codes,
    )
    return [
        *(adjusted_rand_score(truth[scored], way[scored]) for way in ways),
        seconds,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.02, 0.05])
    parser.add_argument("--strokes", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = []
    for path in sorted(options.folder.glob("*.h5ad")):
        tissue = read(path)
        annotation = tissue.obs["ground_truth"].astype("category").cat
        request = (
            Request(options.preset)
            .with_settings("domains", n_domains=len(annotation.categories))
            .with_settings("training", seed=options.seed)
        )
        result = run_to_end(find_domains(tissue, request))
        places = np.asarray(tissue.obsm["spatial"], float)
        found.append((path.stem, result, places, annotation.codes.to_numpy()))
    for stroke in options.strokes:
        for share in options.shares:
            print(f"{share:.0%} corrected, {stroke} at a time")
            print(" " * 24, *(f"{name:>10}" for name in COLUMNS))
            rows = []
            for name, *section in found:
                draws = range(options.draws)
                row = np.mean([measure(*section, share, stroke, d) for d in draws], 0)
                rows.append(row)
                print(f"{name:24}", *(f"{value:10.3f}" for value in row), flush=True)
            print(f"{'mean':24}", *(f"{value:10.3f}" for value in np.mean(rows, 0)))


if __name__ == "__main__":
    main()
