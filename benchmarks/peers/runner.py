"""What the runner of every peer shares; it runs in the peer's own environment.

A runner is called as ``python run_PEER.py SECTION.h5ad K LABELS.csv FACTS.json [OPTION
...]``. It finds ``K`` domains and writes one domain per spot, and what it did. The
annotation is dropped before the peer sees the section.
"""

from __future__ import annotations

import argparse
import csv
import json
import warnings
from pathlib import Path


def load(path):
    """Return the section without its annotation: counts, genes, coordinates, lattice.

    ``uns["visium"]`` tells whether the spots lie on the lattice of a Visium slide:
    most peers document other settings for those than for single cells.
    """
    import anndata
    import numpy as np

    whole = anndata.read_h5ad(path)
    lattice = [name for name in ("array_row", "array_col") if name in whole.obs]
    section = anndata.AnnData(
        whole.X, obs=whole.obs[lattice].copy(), var=whole.var[[]].copy()
    )
    section.var_names_make_unique()
    section.obsm["spatial"] = np.asarray(whole.obsm["spatial"], dtype=float)[:, :2]
    section.uns["visium"] = len(lattice) == 2 and "spatial" in whole.uns
    return section


def spot_distance(section):
    """Return the median distance of a spot to its nearest other spot."""
    import numpy as np
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=2).fit(section.obsm["spatial"])
    return float(np.median(near.kneighbors()[0][:, 0]))


def tied_mixture(values, k):
    """Return the labels of a mixture with one covariance: mclust's EEE without R."""
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(k, covariance_type="tied", n_init=10, random_state=0)
    return mixture.fit_predict(values)


TIED = "tied Gaussian mixture, 10 starts, in place of mclust (R)"


def closest_resolution(count_at, k, low=0.01, high=3.0, tries=20):
    """Return the resolution whose number of clusters is nearest to `k`."""
    best, gap = low, float("inf")
    for _ in range(tries):
        middle = (low + high) / 2
        found = count_at(middle)
        if abs(found - k) < gap:
            best, gap = middle, abs(found - k)
        if found == k:
            break
        low, high = (middle, high) if found < k else (low, middle)
    return best


def main(method):
    """Run `method`, ``(section, k, options) -> (labels, settings)``, as a program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("section", type=Path)
    parser.add_argument("k", type=int)
    parser.add_argument("labels", type=Path)
    parser.add_argument("facts", type=Path)
    parser.add_argument("options", nargs="*")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    section = load(given.section)
    # Some peers drop or reorder nothing in place, others do: the names are kept here.
    barcodes = section.obs_names.tolist()
    labels, settings = method(section, given.k, given.options)
    if len(labels) != len(barcodes):
        raise SystemExit(
            f"Expected a domain for each of {len(barcodes)} spots; found {len(labels)}."
        )
    with given.labels.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["barcode", "domain"])
        table.writerows(zip(barcodes, (str(label) for label in labels), strict=True))
    given.facts.write_text(json.dumps({"settings": settings}))
