#!/bin/sh
# spatialdata 0.7.1 cannot be imported where it was just installed.

# Expected: a release whose requirements pip has met can be imported.
# Seen: it requires xarray-schema, which imports pkg_resources without requiring it of a
# setuptools that still has it; setuptools 82 and later do not. 0.7.2 does without.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q spatialdata==0.7.1 xarray-schema==0.0.3 setuptools==82.0.0
venv/bin/python -m pip check
if said=$(venv/bin/python -W ignore -c "import spatialdata" 2>&1); then
    echo "It can be imported now."
    exit 1
fi
echo "$said" | tail -1
echo "$said" | tail -1 | grep -q "No module named 'pkg_resources'"
