"""Whether low confidence finds the wrong spots, as docs/benchmarks.md reports it.

    python benchmarks/confidence.py FOLDER [--presets default quick] [--seeds 2]
        [--other-domains -1 1 2] [--sections NAME ...] [--output FILE.json]

FOLDER holds .h5ad files with raw counts and an annotation in obs["ground_truth"], which
enters the scores only. A spot is wrong if its annotation differs from the main class of
its domain. Figures are areas under the receiver operating characteristic, mean over
seeds: of the share of the consensus alone, and of the confidence that runs return;
beside them the mean confidence, the share of spots that are right, and the time that
confidence took over that of the rest of the readout. The number of domains is that of
the annotation, or differs from it by what --other-domains names: conditions that the
rule was not chosen on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from accuracy import TRUTH, confidence_auroc

from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.domains import cluster
from napari_semst.io.read import read
from napari_semst.pipeline.run import find_domains


class Watched:
    """Stands before `spot_confidence`: keeps the share it is given, and times it."""

    def __init__(self):
        self.inner, self.share, self.seconds = cluster.spot_confidence, None, 0.0

    def __call__(self, views, section, codes, share, seed, control):
        """Return the confidence, as the one behind does."""
        self.share = share
        start = time.perf_counter()
        found = yield from self.inner(views, section, codes, share, seed, control)
        self.seconds = time.perf_counter() - start
        return found


def share_right(codes, truth):
    """Return the share of annotated spots that are of their domain's main class."""
    known = truth.notna().to_numpy()
    classes, found = truth[known].astype(str).to_numpy(dtype=str), codes[known]
    main = [
        np.unique(classes[found == code], return_counts=True)[1].max()
        for code in np.unique(found)
    ]
    return sum(main) / len(found)


def one_run(tissue, preset, k, seed, watched):
    """Return the figures of one run."""
    truth = tissue.obs[TRUTH]
    request = (
        Request(preset)
        .with_settings("domains", n_domains=k)
        .with_settings("training", seed=seed)
    )
    result = run_to_end(find_domains(tissue, request))
    known = truth.notna().to_numpy()
    readout = result.provenance["seconds"]["assign"] - watched.seconds
    return {
        "share_auroc": confidence_auroc(result.codes, watched.share, truth),
        "auroc": confidence_auroc(result.codes, result.confidence, truth),
        "right": share_right(result.codes, truth),
        "share_mean": float(watched.share[known].mean()),
        "confidence_mean": float(result.confidence[known].mean()),
        "time": watched.seconds / readout,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--presets", nargs="+", default=["default"])
    parser.add_argument("--sections", nargs="+")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--other-domains", nargs="*", type=int, default=[])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cluster.spot_confidence = watched = Watched()
    rows = []
    for path in sorted(options.folder.glob("*.h5ad")):
        if options.sections and path.stem not in options.sections:
            continue
        tissue = read(path)
        annotated = int(tissue.obs[TRUTH].nunique())
        for preset in options.presets:
            for offset in [0, *options.other_domains]:
                runs = [
                    one_run(tissue, preset, annotated + offset, seed, watched)
                    for seed in range(options.seeds)
                ]
                means = {
                    name: round(float(np.mean([run[name] for run in runs])), 3)
                    for name in runs[0]
                }
                row = {"section": path.stem, "preset": preset}
                rows.append({**row, "k": annotated + offset, **means})
                print(json.dumps(rows[-1]), flush=True)
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
