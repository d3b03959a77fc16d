#!/bin/sh
# squidpy 1.8.3: the same seed gives other numbers where more processes share the work.

# Expected: `seed` settles the permutations of nhood_enrichment and spatial_autocorr,
# whatever `n_jobs` is, as it does in scikit-learn.
# Seen: permutations are drawn by each process from a seed of its own. z-scores of domains
# that touch, and p-values of Moran's I by permutation, differ between n_jobs=1 and
# n_jobs=2, and are the same again for the same number. A figure can be repeated only with
# as many processes as it was made with.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q squidpy==1.8.3 scanpy==1.12.4 anndata==0.13.4 \
    pandas==3.1.1 numpy==2.5.5 numba==0.68.1
cat >seeds.py <<'P'
import warnings

import anndata
import numpy as np
import pandas as pd
import squidpy


def tissue():
    random = np.random.default_rng(0)
    side = np.arange(20.0)
    domains = pd.Categorical(random.choice(list("abc"), 400))
    obs = pd.DataFrame({"domain": domains}, index=[f"spot {i}" for i in range(400)])
    made = anndata.AnnData(random.poisson(1.0, (400, 5)).astype("f4"), obs=obs)
    made.obsm["spatial"] = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    squidpy.gr.spatial_neighbors(made, coord_type="generic", n_neighs=6)
    return made


def measured(n_jobs):
    made, how = tissue(), {"seed": 0, "n_jobs": n_jobs, "show_progress_bar": False}
    squidpy.gr.nhood_enrichment(made, cluster_key="domain", n_perms=100, **how)
    squidpy.gr.spatial_autocorr(made, mode="moran", n_perms=50, **how)
    enriched = made.uns["domain_nhood_enrichment"]["zscore"]
    return enriched, made.uns["moranI"].sort_index()["pval_sim"].to_numpy()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    one, two, again = measured(1), measured(2), measured(2)
    for name, first, other, same in zip(("z", "p"), one, two, again, strict=True):
        print(f"{name}, 1 process:   {np.round(first.ravel()[:4], 3)}")
        print(f"{name}, 2 processes: {np.round(other.ravel()[:4], 3)}")
        assert np.array_equal(other, same), "two processes do not repeat themselves"
        assert not np.allclose(first, other), "the number of processes is all the same now"
P
venv/bin/python seeds.py 2>/dev/null
