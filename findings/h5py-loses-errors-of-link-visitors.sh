#!/bin/sh
# h5py 3.16.0 loses an error that is raised while the links of a file are visited.

# Expected: an error raised by the function given to file.id.links.visit comes out of
# that call, as it does of file.visititems.
# Seen: with info=True a SystemError comes out instead, whose text names a lock of h5py;
# the error itself is its cause. A value that is returned ends the visit as told.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q h5py==3.16.0 numpy==2.4.6
venv/bin/python - <<'P'
import h5py

def refuse(name, about=None):
    raise ValueError("not this one")

def stop(name, about=None):
    return name

with h5py.File("links.h5", "w") as file:
    file["values"] = [1, 2, 3]
    file["other"] = h5py.SoftLink("/values")
    try:
        file.visititems(refuse)
    except ValueError as error:
        print("visititems:", type(error).__name__, error)
    try:
        file.id.links.visit(refuse, info=True)
    except Exception as error:
        print("links.visit:", type(error).__name__, error)
        if isinstance(error, ValueError):
            raise SystemExit("the error itself comes out now")
    print("a returned value:", file.id.links.visit(stop, info=True))
print("Seen: the error is replaced by one of h5py's own.")
P
