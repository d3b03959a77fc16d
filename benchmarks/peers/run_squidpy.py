"""Squidpy's niches; options: ``cellcharter`` or ``utag``."""

from __future__ import annotations

import runner


def niches(section, flavor, **settings):
    """Return the labels of one call of `squidpy.gr.calculate_niche`."""
    import squidpy

    known = set(section.obs.columns)
    squidpy.gr.calculate_niche(section, flavor=flavor, **settings)
    (new,) = set(section.obs.columns) - known
    return section.obs.pop(new).astype(str).tolist()


def squidpy_niche(section, k, options):
    """Return the niches of squidpy."""
    import scanpy
    import squidpy

    flavor = options[0] if options else "cellcharter"
    scanpy.pp.normalize_total(section, target_sum=1e4)
    scanpy.pp.log1p(section)
    if section.n_vars > 3000:
        scanpy.pp.highly_variable_genes(section, n_top_genes=3000, subset=True)
    scanpy.pp.pca(section)
    kind = (
        {"coord_type": "grid", "n_neighs": 6}
        if section.uns["visium"]
        else {"coord_type": "generic", "delaunay": True}
    )
    squidpy.gr.spatial_neighbors(section, **kind)
    if flavor == "cellcharter":
        labels = niches(section, flavor, distance=3, aggregation="mean", n_components=k)
        return labels, "3 layers, Gaussian mixture of k components"

    def labels_at(resolution):
        return niches(section, flavor, n_neighbors=15, resolutions=resolution)

    best = runner.closest_resolution(lambda r: len(set(labels_at(r))), k)
    return labels_at(best), f"15 neighbours, Leiden searched for k ({best:.2f})"


if __name__ == "__main__":
    runner.main(squidpy_niche)
