#!/bin/sh
# scanpy 1.12.4 with harmonypy 2.1.0: sections cannot be harmonised.

# Expected: scanpy.external.pp.harmony_integrate works with the harmonypy that pip chooses
# beside it.
# Seen: harmonypy 2 returns corrected components with a row for each cell, version 0.0.10
# one for each component. scanpy turns them over whatever the version, and anndata refuses
# the result by its shape, which names neither of them. With harmonypy 0.0.10 it works.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q scanpy==1.12.4 harmonypy==2.1.0 anndata==0.13.4 \
    pandas==3.1.1 numpy==2.5.5 numba==0.68.1
cat >sections.py <<'P'
import sys
import warnings

import anndata
import numpy as np
import pandas as pd
import scanpy.external

warnings.simplefilter("ignore")
random = np.random.default_rng(0)
section = pd.Categorical(np.repeat(["one", "two"], 100))
obs = pd.DataFrame({"section": section}, index=[f"spot {i}" for i in range(200)])
tissue = anndata.AnnData(np.ones((200, 2), "f4"), obs=obs)
tissue.obsm["X_pca"] = random.normal(size=(200, 8)) + (section == "two")[:, None]
try:
    scanpy.external.pp.harmony_integrate(tissue, "section", verbose=False)
    print("made:", tissue.obsm["X_pca_harmony"].shape)
except ValueError as error:
    print("refused:", str(error)[:150])
    sys.exit(3)
P
status=0
venv/bin/python sections.py 2>/dev/null || status=$?
[ "$status" = 3 ] || { echo "scanpy works with harmonypy 2.1.0 now"; exit 1; }
venv/bin/python -m pip install -q harmonypy==0.0.10
venv/bin/python sections.py 2>/dev/null
