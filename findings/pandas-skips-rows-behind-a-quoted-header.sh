#!/bin/sh
# pandas 2.3.3 drops rows of a table of counts whose header it is told to skip.

# Expected: read_csv(header=None, skiprows=1) leaves out the header's line and no other,
# as the header that pandas itself writes for cells by genes: an empty first name, and
# a gene's name in quotes where it holds the delimiter.
# Seen: where such a quoted name ends in the delimiter, the rows as far as the next
# quoted name are gone with the header, the engine being C; nothing is said. The engine
# python keeps them, and so does C where the first name is not empty.
# To do: read the header's line oneself, and hand the rest of the file to pandas.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/python -m pip install -q pandas==2.3.3 numpy==2.4.6
venv/bin/python - <<'P'
import io

import numpy as np
import pandas as pd

cells = ["cell 1", "cell 2", "cell, third", "cell 4"]
genes = ["Probe 7,", "Actb", "Gapdh"]
counts = pd.DataFrame(np.arange(12).reshape(4, 3), cells, genes)


def rows(name, engine):
    text = counts.rename_axis(name).to_csv()
    read = pd.read_csv(
        io.StringIO(text), header=None, names=range(4), skiprows=1, engine=engine
    )
    return len(read)


found = {(name, kind): rows(name, kind) for name in ("", "cell") for kind in ("c", "python")}
print(f"pandas {pd.__version__}, rows of 4 that are read: {found}")
if found != {("", "c"): 1, ("", "python"): 4, ("cell", "c"): 4, ("cell", "python"): 4}:
    raise SystemExit("pandas reads other rows now")
print("Seen: three of four rows are gone with the header.")
P
