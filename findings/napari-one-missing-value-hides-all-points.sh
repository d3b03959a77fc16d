#!/bin/sh
# napari 0.9.2: one missing value in a feature makes every point transparent.

# Expected: points coloured by a feature show those whose value is known, and only the
# others are left blank, as matplotlib does.
# Seen: limits are taken by the least and the most of all values, which are then missing
# themselves; every point has the colour (0, 0, 0, 0), and nothing is said. With limits
# given beforehand only the point without a value is blank.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/python -m pip install -q napari==0.9.2 numpy==2.5.5 pandas==3.1.1
venv/bin/python - <<'P'
import numpy as np
from napari.layers import Points

features = {"distance to the border": [0.5, np.nan, 1.5]}
how = {"face_color": "distance to the border", "face_colormap": "viridis"}
places = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
points = Points(places, features=features, **how)
print("limits:", points.face_contrast_limits, "opacity:", points.face_color[:, 3])
assert not points.face_color.any(), "a missing value hides no other point now"
given = Points(places, features=features, face_contrast_limits=(0.5, 1.5), **how)
print("limits given:", given.face_color[:, 3])
assert given.face_color[[0, 2], 3].all()
P
