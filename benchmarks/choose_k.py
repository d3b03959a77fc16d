"""The number of domains that is chosen, against that of the annotation.

    python benchmarks/choose_k.py FOLDER [--preset auto] [--seeds 1]
        [--sections NAME ...] [--output FILE.json]

FOLDER holds .h5ad files with raw counts and an annotation in obs["ground_truth"]; the
hard simulated cortex is done too. The annotation is counted and scored, never used. A
row says what was chosen, the best three, the adjusted Rand index at the chosen number,
and what the readout took beside that of a run with the annotation's number.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from napari_semst.config import AUTO_DOMAINS, Request
from napari_semst.core.progress import run_to_end
from napari_semst.domains.metrics import truth_scores
from napari_semst.io.read import read
from napari_semst.pipeline.run import find_domains
from napari_semst.sample import simulated_cortex

TRUTH = "ground_truth"
SAMPLE = "simulated_cortex"


def measure(tissue, preset, seed):
    """Return the figures of one section and seed."""
    truth = tissue.obs[TRUTH]
    runs = {}
    for k in (AUTO_DOMAINS, int(truth.nunique())):
        request = (
            Request(preset)
            .with_settings("domains", n_domains=k)
            .with_settings("training", seed=seed)
        )
        runs[k] = run_to_end(find_domains(tissue, request))
    chosen, plain = runs.values()
    curve = chosen.provenance["number_of_domains"]
    seconds = [run.provenance["seconds"] for run in (chosen, plain)]
    return {
        "annotated": int(truth.nunique()),
        "chosen": curve["chosen"],
        "best_three": [curve["chosen"], *curve["runners_up"]],
        "close": [
            k for k, s in zip(curve["k"], curve["score"], strict=True) if s > -10
        ],
        "independent_spots": curve["independent_spots"],
        "ari_chosen": round(truth_scores(chosen.codes, truth)["ari"], 3),
        "ari_annotated": round(truth_scores(plain.codes, truth)["ari"], 3),
        "readout_seconds": [round(each["assign"], 1) for each in seconds],
        "run_seconds": [round(sum(each.values()), 1) for each in seconds],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="auto")
    parser.add_argument("--sections", nargs="+")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    paths = {path.stem: path for path in sorted(options.folder.glob("*.h5ad"))}
    rows = []
    for name in options.sections or [SAMPLE, *paths]:
        tissue = simulated_cortex(hard=True) if name == SAMPLE else read(paths[name])
        for seed in range(options.seeds):
            row = {"section": name, "preset": options.preset, "seed": seed}
            rows.append(row | measure(tissue, options.preset, seed))
            print(json.dumps(rows[-1]), flush=True)
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
