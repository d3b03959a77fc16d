"""What gene semantics is worth: each source beside its controls, label-free.

    python benchmarks/semantics_controls.py FOLDER
        [--sections NAME ...] [--seeds 5] [--source builtin] [--minutes 20]
        [--inputs full 20% 5% panel] [--model FOLDER] [--output FILE.json]

FOLDER holds .h5ad files with raw counts and an annotation in obs["ground_truth"]. Every
section is run as it is, with counts thinned to 20 % and 5 %, and with a panel of 50
genes (drawn by the seed among the 500 most variable). Per seed all semantics read the
same input: the source, none at all, and the source's controls; with --model also
"genes", the source by which that language model reads each gene once. Figures are the
adjusted Rand index of the default recipe, and of k-means on its latent, the published
readout; mean and deviation over seeds, and the mean of the paired differences to
"none". No setting is chosen by a score. Seeds are done one after the other, so that
what --minutes cuts off is whole seeds.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np

from napari_semst.config import Request
from napari_semst.core.progress import run_to_end
from napari_semst.domains.metrics import truth_scores
from napari_semst.io.read import read
from napari_semst.pipeline.run import find_domains

TRUTH = "ground_truth"
INPUTS = {"full": 1.0, "20%": 0.2, "5%": 0.05, "panel": 1.0}
PANEL_GENES, PANEL_POOL = 50, 500
KINDS = ("source", "none", "random", "shuffled", "unrelated")
GENES = "genes"  # not a control, and only with --model


def spoilt(tissue, kind, seed):
    """Return the section with thinned counts or few genes."""
    from scipy import sparse

    from napari_semst.prepare.genes import variable_genes

    random = np.random.default_rng(seed)
    other = tissue.copy()
    if kind == "panel":
        pool = variable_genes(sparse.csr_matrix(other.X), PANEL_POOL)
        return other[:, np.sort(random.choice(pool, PANEL_GENES, replace=False))].copy()
    if INPUTS[kind] < 1:
        counts = sparse.csr_matrix(other.X)
        counts.data = random.binomial(
            np.rint(counts.data).astype(np.int64), INPUTS[kind]
        ).astype(np.float32)
        counts.eliminate_zeros()
        other.X = counts
    return other


def semantics(kind, source, model):
    """Return the settings of one kind of semantics."""
    if kind == "none":
        return {"source": "none"}
    if kind == GENES:
        return {"source": "genes", "model": model}
    return {"source": source, **({} if kind == "source" else {"control": kind})}


def one_run(tissue, asked, seed):
    """Return the scores of one run."""
    from sklearn.cluster import KMeans

    truth = tissue.obs[TRUTH]
    k = int(truth.nunique())
    request = (
        Request("auto")
        .with_settings("domains", n_domains=k)
        .with_settings("training", seed=seed, device="cpu")
        .with_settings("semantics", **asked)
    )
    result = run_to_end(find_domains(tissue, request))
    plain = KMeans(k, n_init=10, random_state=seed).fit_predict(result.latent)
    return {
        "ari": truth_scores(result.codes, truth)["ari"],
        "kmeans_ari": truth_scores(plain, truth)["ari"],
        "coverage": result.provenance["semantics"].get("coverage"),
    }


def runs(options):
    """Yield one record per run, seeds outermost."""
    paths = [
        path
        for path in sorted(options.folder.glob("*.h5ad"))
        if not options.sections or path.stem in options.sections
    ]
    kinds = (*KINDS, GENES) if options.model else KINDS
    end = time.monotonic() + 60 * options.minutes
    for seed in range(options.seeds):
        for path in paths:
            whole = read(path)
            for given in options.inputs:
                tissue = spoilt(whole, given, seed)
                for kind in kinds:
                    asked = semantics(kind, options.source, options.model)
                    if time.monotonic() > end:
                        return
                    start = time.perf_counter()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        scores = one_run(tissue, asked, seed)
                    seconds = round(time.perf_counter() - start, 1)
                    yield {
                        "section": path.stem,
                        "input": given,
                        "semantics": kind,
                        "seed": seed,
                        "seconds": seconds,
                        **scores,
                    }


def table(records):
    """Return the lines of a table of means, deviations and paired differences."""
    lines = [
        "| section | input | semantics | seeds | ARI | minus none | k-means ARI "
        "| minus none |",
        "|---|---|---|---|---|---|---|---|",
    ]
    asked = list(dict.fromkeys(one["semantics"] for one in records))
    groups = {}
    for one in records:
        place = groups.setdefault((one["section"], one["input"]), {})
        place.setdefault(one["semantics"], {})[one["seed"]] = one
    for (section, given), kinds in groups.items():
        # Only seeds of which all kinds were run: differences are paired.
        seeds = sorted(set.intersection(*(set(kinds.get(k, {})) for k in asked)))
        for kind in asked if seeds else ():
            cells = []
            for score in ("ari", "kmeans_ari"):
                own = np.array([kinds[kind][s][score] for s in seeds])
                bare = np.array([kinds["none"][s][score] for s in seeds])
                cells += [_spread(own), "" if kind == "none" else _spread(own - bare)]
            lines.append(
                f"| {section} | {given} | {kind} | {len(seeds)} | {' | '.join(cells)} |"
            )
    return lines


def _spread(values):
    return f"{values.mean():+.3f} ± {values.std():.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sections", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--source", default="builtin")
    parser.add_argument("--inputs", nargs="+", choices=INPUTS, default=list(INPUTS))
    parser.add_argument("--model", help="folder or id of a model that reads genes")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    records = []
    for one in runs(options):
        records.append(one)
        print(json.dumps(one), flush=True)
    print("\n".join(table(records)))
    if options.output:
        options.output.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
