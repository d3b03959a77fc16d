"""Score the domains of the image-guided method, with its image and without.

    python benchmarks/image_guided.py FOLDER [--names DLPFC_151673 HER2ST_A1]
        [--seeds 5] [--counts 1.0]

FOLDER holds .h5ad files with raw counts and an annotation in obs["ground_truth"], which
enters the scores only. The name `simulated` is the simulated cortex of the seed, with
nothing planted. --counts 0.2 keeps a fifth of the counts, drawn at random. Discordance
is not measured: domains do not depend on it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import napari_semst
from napari_semst import simulated_discordance
from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.pipeline.run import find_domains

if TYPE_CHECKING:
    from anndata import AnnData

WAYS = {
    "image": {"model": {"method": "image-guided"}},
    "no image": {
        "model": {"method": "image-guided"},
        "morphology": {"encoder": "none"},
    },
    "semst": {},
    "quick": {"model": {"method": "quick"}},
}


def thinned(tissue: AnnData, share: float, seed: int) -> AnnData:
    """Return the tissue with each count kept by chance."""
    random = np.random.default_rng(seed)
    tissue = tissue.copy()
    kept = random.binomial(tissue.X.data.astype(np.int64), share)
    tissue.X.data = kept.astype(np.float32)
    tissue.X.eliminate_zeros()
    return tissue


def main() -> None:
    """Print a line for each run, and the mean of each way."""
    from sklearn.metrics import adjusted_rand_score

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", nargs="+", default=["DLPFC_151673", "HER2ST_A1"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--counts", type=float, default=1.0)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    for name in options.names:
        scores: dict[str, list[float]] = {way: [] for way in options.ways}
        for seed in range(options.seeds):
            if name == "simulated":
                tissue = simulated_discordance(seed=seed, kinds=())
            else:
                tissue = napari_semst.read(options.folder / f"{name}.h5ad")
            if options.counts < 1:
                tissue = thinned(tissue, options.counts, seed)
            truth = tissue.obs["ground_truth"]
            known = truth.notna().to_numpy()
            for way in options.ways:
                request = Request(overrides=WAYS[way])
                request = request.with_settings("domains", n_domains=truth.nunique())
                request = request.with_settings("training", seed=seed)
                request = request.with_settings("image_guided", folds=1, permutations=1)
                began = time.perf_counter()
                found = run_to_end(find_domains(tissue, request)).codes
                score = adjusted_rand_score(truth[known], found[known])
                scores[way].append(score)
                row = {"name": name, "counts": options.counts, "seed": seed}
                row |= {"way": way, "ari": round(score, 3)}
                row["seconds"] = round(time.perf_counter() - began)
                print(json.dumps(row), flush=True)
        for way, found in scores.items():
            mean, spread = np.mean(found), np.std(found)
            print(f"{name}, {way}: {mean:.3f} +- {spread:.3f}", flush=True)


if __name__ == "__main__":
    main()
