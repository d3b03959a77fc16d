"""What the image adds to SemST: agreement with the annotation, without it and with it.

    python benchmarks/morphology.py FOLDER [--seeds 5] [--encoder builtin]

FOLDER holds DLPFC_151673.h5ad and HER2ST_A1.h5ad, sections with a real image. The third
section is the hard simulated one; its image and its expression tell of the same layers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from napari_semst import simulated_cortex
from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.domains.metrics import truth_scores
from napari_semst.io.read import read
from napari_semst.pipeline.run import find_domains

WAYS = ("none", "view", "modulation")


def sections(folder):
    """Yield names and sections one after the other."""
    for name in ("HER2ST_A1", "DLPFC_151673"):
        yield name, read(folder / f"{name}.h5ad")
    yield "simulated", simulated_cortex(hard=True)


def score(tissue, way, seed, encoder):
    """Return the adjusted Rand index of a run."""
    truth = tissue.obs["ground_truth"]
    request = (
        Request()
        .with_settings("domains", n_domains=int(truth.nunique()))
        .with_settings("training", seed=seed)
        .with_settings("model", morphology=way)
    )
    if way != "none":
        request = request.with_settings("morphology", encoder=encoder)
    result = run_to_end(find_domains(tissue, request))
    return truth_scores(result.codes, truth)["ari"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--encoder", default="builtin")
    options = parser.parse_args()
    for name, tissue in sections(options.folder):
        for way in WAYS:
            found = [
                score(tissue, way, seed, options.encoder)
                for seed in range(options.seeds)
            ]
            row = {
                "section": name,
                "morphology": way,
                "mean": round(float(np.mean(found)), 3),
                "deviation": round(float(np.std(found)), 3),
                "seeds": [round(one, 3) for one in found],
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
