#!/bin/sh
# anndata 0.13.4 with pandas 3.1.1: names and subsets only with deprecated options.

# Expected: current releases of both work together without deprecated options.
# Seen: anndata asks pandas for future.infer_string when it stores names of spots, and
# sets mode.chained_assignment when spots with a column of categories are chosen. Both are
# deprecated in pandas 3.1: a program whose warnings are errors can do neither.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q anndata==0.13.4 pandas==3.1.1 numpy==2.5.5
venv/bin/python - <<'P'
import warnings
import anndata, numpy as np, pandas as pd

names = pd.DataFrame(
    {"kind": pd.Categorical(list("aabb"))}, index=[f"spot {i}" for i in range(4)]
)
tissue = anndata.AnnData(np.ones((4, 3), "f4"), obs=names)
warnings.simplefilter("error")


def refused(what, option, call):
    try:
        call()
    except pd.errors.Pandas4Warning as warned:
        assert option in str(warned), warned
        print(f"{what}: {str(warned).splitlines()[0][:100]}")
    else:
        raise SystemExit(f"{what} works without a warning now")

refused("write_h5ad", "future.infer_string", lambda: tissue.write_h5ad("a.h5ad"))
refused("a subset", "mode.chained_assignment", lambda: tissue[:2].copy())
P
