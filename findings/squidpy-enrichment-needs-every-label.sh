#!/bin/sh
# squidpy 1.8.3: neighbourhood enrichment ends at spots without a label.

# Expected: spots whose category is missing, as those outside the part that was clustered,
# are left out, or refused by a sentence; two functions that count neighbours by a column
# do the same.
# Seen: nhood_enrichment ends with a KeyError of nan. interaction_matrix leaves them out and
# says nothing. The way out is to choose the labelled spots, and to make neighbours of
# these anew.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q squidpy==1.8.3 scanpy==1.12.4 anndata==0.13.4 \
    pandas==3.1.1 numpy==2.5.5 numba==0.68.1
cat >labels.py <<'P'
import warnings

import anndata
import numpy as np
import pandas as pd
import squidpy

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    random = np.random.default_rng(0)
    domains = pd.Series(random.choice(list("abc"), 400), dtype="category")
    domains[:30] = np.nan
    obs = pd.DataFrame({"domain": domains.to_numpy()}).astype("category")
    tissue = anndata.AnnData(np.ones((400, 2), "f4"), obs=obs.set_index(obs.index.map(str)))
    side = np.arange(20.0)
    tissue.obsm["spatial"] = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    squidpy.gr.spatial_neighbors(tissue, coord_type="generic", n_neighs=6)
    links = tissue.obsp["spatial_connectivities"].nnz
    how = {"cluster_key": "domain", "n_perms": 20, "seed": 0, "show_progress_bar": False}
    try:
        squidpy.gr.nhood_enrichment(tissue, **how)
    except KeyError as error:
        print("nhood_enrichment: KeyError", error)
    else:
        raise SystemExit("nhood_enrichment takes spots without a label now")
    squidpy.gr.interaction_matrix(tissue, "domain")
    counted = int(tissue.uns["domain_interactions"].sum())
    print(f"interaction_matrix: {counted} of {links} links counted")
    assert counted < links
    known = tissue[tissue.obs["domain"].notna()].copy()
    squidpy.gr.spatial_neighbors(known, coord_type="generic", n_neighs=6)
    squidpy.gr.nhood_enrichment(known, **how)
    print("labelled spots alone:", known.uns["domain_nhood_enrichment"]["zscore"].shape)
P
venv/bin/python labels.py 2>/dev/null
