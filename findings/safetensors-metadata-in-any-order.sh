#!/bin/sh
# safetensors 0.8.0 writes entries of the metadata in another order each time.

# Expected: the same arrays and metadata give the same bytes, as with one entry of
# metadata or none, so that files can be compared and cached by their hash.
# Seen: with eight entries, twenty calls of save in one process give many files.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q safetensors==0.8.0 numpy==2.4.6
venv/bin/python - <<'P'
import hashlib
import numpy as np
from safetensors.numpy import load, save

arrays = {"weight": np.arange(6, dtype="f4")}

def hashes(metadata):
    files = [save(arrays, metadata) for _ in range(20)]
    assert all((load(file)["weight"] == arrays["weight"]).all() for file in files)
    return {hashlib.sha256(file).hexdigest() for file in files}

one = hashes({"format": "np"})
eight = hashes({f"entry{number}": "x" for number in range(8)})
print(f"files of 20 calls: {len(one)} with one entry, {len(eight)} with eight")
if len(one) != 1 or len(eight) < 2:
    raise SystemExit("equal content gives equal files now")
print("Seen: several entries of metadata are written in any order.")
P
