"""Accuracy on annotated sections, label-free, as docs/benchmarks.md reports it.

    python benchmarks/accuracy.py FOLDER [--presets default quick] [--seeds 5]
        [--sections NAME ...] [--set training.ensemble=3 ...] [--output FILE.json]

FOLDER holds .h5ad files with raw counts and an annotation in obs["ground_truth"].
Every spot is clustered; spots without annotation are left out of the score. The number
of domains is that of the annotation. Figures are mean, deviation and the agreement
(adjusted Rand index) between the seeds' own labels; no epoch, seed or setting is chosen
by a score at run time. ``baseline`` is the plain pipeline that a method has to beat:
3,000 variable genes, 10,000 counts a spot, log1p, z-score, 15 components, three rounds
of averaging over 6 neighbours, one tied-covariance mixture.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
import tomllib
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.domains.metrics import truth_scores
from napari_semst.io.read import read
from napari_semst.pipeline.run import find_domains

TRUTH = "ground_truth"


def baseline(tissue, k, seed):
    """Return the labels of the plain pipeline."""
    import scanpy
    from sklearn.mixture import GaussianMixture

    from napari_semst.prepare.components import (
        neighbour_average,
        smooth_over_neighbours,
    )
    from napari_semst.prepare.genes import variable_genes

    own = tissue[:, variable_genes(tissue.X.tocsr(), 3000)].copy()
    scanpy.pp.normalize_total(own, target_sum=1e4)
    scanpy.pp.log1p(own)
    scanpy.pp.scale(own, max_value=10)
    scanpy.pp.pca(own, n_comps=min(15, own.n_vars - 1), random_state=seed)
    average = neighbour_average(np.asarray(own.obsm["spatial"], dtype=float), 6)
    values = smooth_over_neighbours(own.obsm["X_pca"], average, 3)
    mixture = GaussianMixture(k, covariance_type="tied", random_state=seed)
    return mixture.fit_predict(values)


def settings(texts):
    """Return settings by stage from texts like ``training.ensemble=3``."""
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        stage, _, setting = name.partition(".")
        plain = value[:1].isdigit() or value in ("true", "false")
        known = tomllib.loads(f"value = {value}")["value"] if plain else value
        found.setdefault(stage, {})[setting] = known
    return found


def one_run(tissue, preset, k, seed, semantics, overrides):
    if preset == "baseline":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return baseline(tissue, k, seed), None
    request = (
        Request(preset, overrides)
        .with_settings("domains", n_domains=k)
        .with_settings("training", seed=seed)
        .with_settings("semantics", source=semantics)
    )
    result = run_to_end(find_domains(tissue, request))
    return result.codes, result.confidence


def confidence_auroc(codes, confidence, truth):
    """Return how well low confidence tells spots outside their domain's main class."""
    from sklearn.metrics import roc_auc_score

    known = truth.notna().to_numpy()
    if confidence is None:
        return None
    classes = truth[known].astype(str).to_numpy(dtype=str)
    found = codes[known]
    wrong = np.zeros(known.sum(), bool)
    for code in np.unique(found):
        names, counts = np.unique(classes[found == code], return_counts=True)
        wrong[found == code] = classes[found == code] != names[counts.argmax()]
    if wrong.all() or not wrong.any():
        return None
    return float(roc_auc_score(wrong, -confidence[known]))


def measure(path, preset, seeds, semantics, overrides):
    """Return the figures of one section and preset."""
    from sklearn.metrics import adjusted_rand_score

    tissue = read(path)
    truth = tissue.obs[TRUTH]
    k = int(truth.nunique())
    labels, scores, seconds, sure = [], [], [], []
    for seed in range(seeds):
        start = time.perf_counter()
        codes, confidence = one_run(tissue, preset, k, seed, semantics, overrides)
        seconds.append(time.perf_counter() - start)
        labels.append(codes)
        scores.append(truth_scores(codes, truth))
        sure.append(confidence_auroc(codes, confidence, truth))
    ari = [score["ari"] for score in scores]
    pairs = [adjusted_rand_score(*two) for two in itertools.combinations(labels, 2)]
    known = [value for value in sure if value is not None]
    return {
        "section": path.stem,
        "preset": preset,
        "semantics": semantics or "preset's own",
        "settings": overrides,
        "k": k,
        "seeds": seeds,
        "ari_mean": round(float(np.mean(ari)), 4),
        "ari_deviation": round(float(np.std(ari)), 4),
        "nmi_mean": round(float(np.mean([s["nmi"] for s in scores])), 4),
        "agreement": round(float(np.mean(pairs)), 4) if pairs else None,
        "confidence_auroc": round(float(np.mean(known)), 4) if known else None,
        "seconds_median": round(float(np.median(seconds)), 1),
        "peak_gib": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2, 2
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--presets", nargs="+", default=["baseline", "quick", "default"]
    )
    parser.add_argument("--sections", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--semantics", choices=["builtin", "none"])
    parser.add_argument("--set", nargs="+", default=[], dest="settings")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for path in sorted(options.folder.glob("*.h5ad")):
        if options.sections and path.stem not in options.sections:
            continue
        for preset in options.presets:
            # A process of its own, so that the peak of memory is this row's.
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                row = pool.submit(
                    measure,
                    path,
                    preset,
                    options.seeds,
                    options.semantics,
                    settings(options.settings),
                ).result()
            rows.append(row)
            print(json.dumps(rows[-1]), flush=True)
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
