"""How far the domains of the simulated cortex are its layers, seed by seed.

    python benchmarks/sample.py [--platform visium] [--preset auto] [--seeds 10]
        [--hard] [--choose] [--output FILE.json]

A section has the size that the menu and the commands give it. The number of domains is
that of the layers, or is chosen with --choose; the annotation enters the score only.
One JSON line per seed of the section, and one that sums them up.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from accuracy import TRUTH
from sklearn.metrics import adjusted_rand_score

from napari_semst import find_domains, keys
from napari_semst.sample import simulated_cortex

SIZES = {"visium": (3000, 1500), "cells": (10_000, 500)}


def measure(options, seed):
    """Return the figures of one section."""
    tissue = simulated_cortex(
        *SIZES[options.platform],
        platform=options.platform,
        seed=seed,
        image=False,
        hard=options.hard,
    )
    truth = tissue.obs[TRUTH].astype(str).to_numpy()
    wanted = "auto" if options.choose else len(np.unique(truth))
    start = time.perf_counter()
    result = find_domains(tissue, n_domains=wanted, preset=options.preset, seed=0)
    seconds = time.perf_counter() - start
    found = result.obs[keys.DOMAIN].astype(str).to_numpy()
    return {
        "seed": seed,
        "domains": len(np.unique(found)),
        "ari": round(float(adjusted_rand_score(truth, found)), 4),
        "seconds": round(seconds, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", choices=SIZES, default="visium")
    parser.add_argument("--preset", default="auto")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        rows.append(measure(options, seed))
        print(json.dumps(rows[-1]), flush=True)
    scores = np.array([row["ari"] for row in rows])
    rows.append(
        {
            "seeds": len(scores),
            "mean": round(float(scores.mean()), 4),
            "deviation": round(float(scores.std()), 4),
            "least": float(scores.min()),
        }
    )
    print(json.dumps(rows[-1]))
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
