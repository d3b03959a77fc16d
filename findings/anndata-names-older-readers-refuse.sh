#!/bin/sh
# An .h5ad that anndata 0.13.4 writes with pandas 3.1.1 cannot be opened by 0.10.9.

# Expected: the same small section, saved with default settings, opens in both, as the
# version of the format that the file states is the same.
# Seen: names of spots are stored as a nullable-string-array, which 0.10.9 does not know;
# given as Python's own texts (dtype object) they are stored as both can read them.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
"${PYTHON:-python3.12}" -m venv old
venv/bin/python -m pip install -q anndata==0.13.4 pandas==3.1.1 numpy==2.5.5
old/bin/python -m pip install -q anndata==0.10.9 pandas==2.2.3 numpy==1.26.4 zarr==2.18.7
venv/bin/python -W ignore - <<'P'
import anndata, h5py, numpy as np, pandas as pd

for name, kind in (("default", "str"), ("plain", object)):
    tables = [
        pd.DataFrame(index=pd.Index([f"{of} {i}" for i in range(3)], dtype=kind))
        for of in ("spot", "gene")
    ]
    tissue = anndata.AnnData(np.ones((3, 3), "f4"), obs=tables[0], var=tables[1])
    tissue.write_h5ad(f"{name}.h5ad")
    with h5py.File(f"{name}.h5ad") as file:
        print(name, file["obs/_index"].attrs["encoding-type"])
P
old/bin/python -W ignore - <<'P'
import anndata

assert anndata.read_h5ad("plain.h5ad").obs_names[0] == "spot 0"
try:
    anndata.read_h5ad("default.h5ad")
except Exception as error:
    print(f"0.10.9: {type(error).__name__}: {str(error).splitlines()[0][:120]}")
else:
    raise SystemExit("0.10.9 opens both now")
P
