"""How many of the true neighbours by expression the approximate search finds.

    python benchmarks/neighbours.py FILE.h5ad [--checked 500]

The search that sections above 20,000 spots get, on the components that the default
recipe searches, against an exact one for some spots drawn at random.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.neighbors import NearestNeighbors

from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.io.counts import find_counts
from napari_semst.io.ensembl_symbols import gene_symbols
from napari_semst.io.read import find_coordinates, read
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst.inputs import PROPAGATED
from napari_semst.prepare import graphs
from napari_semst.prepare.section import prepare_section


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section")
    parser.add_argument("--checked", type=int, default=500)
    options = parser.parse_args()
    tissue, config = read(options.section), resolve(Request())
    section = run_to_end(
        prepare_section(
            find_counts(tissue).matrix,
            gene_symbols(tissue),
            find_coordinates(tissue),
            config.prepare,
            RunControl(),
        )
    )
    values = section.components(0).root[:, :PROPAGATED]
    k = config.prepare.feature_neighbours
    graph, how = graphs.feature_graph(values, k)
    random = np.random.default_rng(0)
    checked = random.choice(len(values), options.checked, replace=False)
    exact = NearestNeighbors(n_neighbors=k + 1, metric="cosine", algorithm="brute")
    nearest = exact.fit(values).kneighbors(values[checked], return_distance=False)
    found = [
        np.isin([n for n in row if n != spot][:k], graph[spot].indices).mean()
        for spot, row in zip(checked, nearest, strict=True)
    ]
    print(f"{len(values):,} spots, {how}: {np.mean(found):.3f} of the true ones found")


if __name__ == "__main__":
    main()
