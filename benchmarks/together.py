"""Sections done together, against one by one and against one table without a key.

    python benchmarks/together.py FOLDER [--method semst] [--seeds 3]

FOLDER holds DLPFC_151673, DLPFC_151510_500genes, HER2ST_A1 and HER2ST_B1 as .h5ad files
with raw counts and an annotation in obs["ground_truth"]. "batch" counts a section anew
with a factor for each gene (log-normal, deviation 0.4) and 60 % of the depth. Adjusted
Rand indices with the annotation: of each section, and of all spots with common labels.
"Blind" joins the tables with the sections far apart and says nothing of sections.
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
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.read import read

TRUTH = "ground_truth"


def halves(tissue):
    """Return the left and the right half of a section."""
    x = tissue.obsm["spatial"][:, 0]
    return tissue[x < np.median(x)].copy(), tissue[x >= np.median(x)].copy()


def of_another_batch(tissue, seed=1):
    """Return a section counted anew, with a factor for each gene and less depth."""
    random = np.random.default_rng(seed)
    factor = 0.6 * np.exp(random.normal(0, 0.4, tissue.n_vars))
    other, counts = tissue.copy(), sparse.csr_matrix(tissue.X, copy=True)
    counts.data = random.poisson(counts.data * factor[counts.indices])
    counts.data = counts.data.astype(np.float32)
    counts.eliminate_zeros()
    other.X = counts
    return other


def cases(folder):
    whole = read(folder / "DLPFC_151673.h5ad")
    left, right = halves(whole)
    donor = read(folder / "DLPFC_151510_500genes.h5ad")
    tumours = [read(folder / f"HER2ST_{name}.h5ad") for name in ("A1", "B1")]
    return {
        "halves of 151673": ((left, right), 7, whole),
        "halves, right of another batch": ((left, of_another_batch(right)), 7, None),
        "151673 and 151510": ((whole, donor), 7, None),
        "HER2ST A1 and B1": (tuple(tumours), 5, None),
    }


def agreement(tissue, labels, own=None):
    """Return the index of labels with the annotation, of some spots or all."""
    truth = tissue.obs[TRUTH].astype(object).to_numpy()
    known = np.array([isinstance(name, str) and name != "nan" for name in truth])
    if own is not None:
        known &= own
    return adjusted_rand_score(truth[known].astype(str), labels[known])


def blind(joined):
    """Return the joined sections as if they were one, far apart."""
    table = joined.copy()
    section = table.obs.pop(keys.SECTION).cat.codes.to_numpy()
    places = table.obsm[keys.SPATIAL]
    table.obsm[keys.SPATIAL] = places + np.outer(section, [4 * np.ptp(places), 0])
    return table


def measure(sections, k, whole, method, seed):
    options = {"n_domains": k, "method": method, "seed": seed}
    joined = join_sections(dict(zip("ab", sections, strict=True)))
    both = napari_semst.find_domains(joined, **options)
    labels = both.obs[keys.DOMAIN].astype(str).to_numpy()
    one = napari_semst.find_domains(blind(joined), **options)
    alone = [napari_semst.find_domains(part, **options) for part in sections]
    owned = [(joined.obs[keys.SECTION] == name).to_numpy() for name in "ab"]
    row = {
        "seed": seed,
        "alone": [agreement(t, t.obs[keys.DOMAIN].astype(str)) for t in alone],
        "together": [agreement(joined, labels, own) for own in owned],
        "together_all": agreement(joined, labels),
        "blind_all": agreement(joined, one.obs[keys.DOMAIN].astype(str).to_numpy()),
    }
    if whole is not None:
        run = napari_semst.find_domains(whole, **options).obs[keys.DOMAIN].astype(str)
        names = [name.split(":", 1)[1] for name in joined.obs_names]
        row["with_the_whole"] = adjusted_rand_score(run[names], labels)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--method", default="semst")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for name, (sections, k, whole) in cases(options.folder).items():
        rows = [
            measure(sections, k, whole, options.method, seed)
            for seed in range(options.seeds)
        ]
        means = {
            key: np.round(np.mean([row[key] for row in rows], axis=0), 3).tolist()
            for key in rows[0]
            if key != "seed"
        }
        print(json.dumps({"case": name, "seeds": options.seeds, **means}), flush=True)


if __name__ == "__main__":
    main()
