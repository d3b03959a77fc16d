#!/bin/sh
# The CosMx reader of spatialdata-io 0.7.1 fails where anndata 0.13.4 is installed.

# Expected: a release whose requirements pip has met reads a run of one field of view.
# Seen: it gives AnnData the argument dtype, which 0.13 no longer has; it requires no
# older anndata. Its Xenium reader works in the same environment.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q spatialdata-io==0.7.1 spatialdata==0.8.0 \
    anndata==0.13.4 pandas==3.1.1
venv/bin/python -m pip check
venv/bin/python -W ignore - <<'P'
from pathlib import Path

import numpy as np, pandas as pd, tifffile
from spatialdata_io import cosmx

run = Path("run")
labels = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((10, 10), int)).astype("u2")
for kind in ("CellComposite", "CellLabels"):
    (run / kind).mkdir(parents=True)
    tifffile.imwrite(run / kind / f"{kind}_F001.tif", labels)
cells = pd.DataFrame({"fov": 1, "cell_ID": [1, 2, 3, 4]})
cells.assign(GENE=[1, 0, 2, 1]).to_csv(run / "R_exprMat_file.csv", index=False)
cells.assign(
    CenterX_local_px=[5, 15, 5, 15], CenterY_local_px=[15, 15, 5, 5],
    CenterX_global_px=[105, 115, 105, 115], CenterY_global_px=[15, 15, 5, 5],
).to_csv(run / "R_metadata_file.csv", index=False)
fields = pd.DataFrame({"fov": [1], "x_global_px": [100], "y_global_px": [0]})
fields.to_csv(run / "R_fov_positions_file.csv", index=False)
try:
    cosmx(run, transcripts=False)
except TypeError as error:
    print("cosmx:", error)
    assert "dtype" in str(error)
else:
    raise SystemExit("It can be read now.")
P
