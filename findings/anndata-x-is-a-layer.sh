#!/bin/sh
# anndata 0.13.4 counts X among the layers, under the key None.

# Expected: adata.layers holds what was put there, as up to 0.12; its keys are texts.
# Seen: a tissue without layers has one, whose key is None; with a second one the keys
# cannot be sorted; given back as layers of another X they are refused.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q anndata==0.13.4 pandas==3.1.1 numpy==2.5.5
venv/bin/python - <<'P'
import anndata, numpy as np

tissue = anndata.AnnData(np.ones((4, 3), "f4"))
assert list(tissue.layers) == [None], list(tissue.layers)
tissue.layers["twice"] = tissue.X * 2
try:
    sorted(tissue.layers)
except TypeError as error:
    print("sorted(layers):", error)
else:
    raise SystemExit("its keys can be sorted now")
try:
    anndata.AnnData(tissue.X * 3, layers=dict(tissue.layers))
except ValueError as error:
    print("AnnData(other, layers=dict(layers)):", error)
else:
    raise SystemExit("layers of one tissue are taken by another now")
print("Seen: X is a layer named None.")
P
