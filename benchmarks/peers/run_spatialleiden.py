"""SpatialLeiden, by its usage guide."""

from __future__ import annotations

import runner

SEED = 42
RATIO = 1.8


def spatial_leiden(section, k, options):
    """Return the domains of SpatialLeiden."""
    import scanpy
    import spatialleiden
    import squidpy

    scanpy.pp.normalize_total(section, target_sum=1e4)
    scanpy.pp.log1p(section)
    if section.n_vars > 3000:
        scanpy.pp.highly_variable_genes(section, n_top_genes=3000, subset=True)
    scanpy.pp.pca(section, random_state=SEED)
    scanpy.pp.neighbors(section, random_state=SEED)
    if section.uns["visium"]:
        squidpy.gr.spatial_neighbors(section, coord_type="grid", n_neighs=6)
        graph, directed = "6 spots of the grid", (False, False)
    else:
        squidpy.gr.spatial_neighbors(section, coord_type="generic", n_neighs=10)
        section.obsp["spatial_connectivities"] = spatialleiden.distance2connectivity(
            section.obsp["spatial_distances"]
        )
        graph, directed = "10 nearest cells", (False, True)
    how = {"layer_ratio": RATIO, "random_state": SEED, "directed": directed}
    resolutions = spatialleiden.search_resolution(
        section, k, latent_kwargs={"random_state": SEED}, spatial_kwargs=dict(how)
    )
    spatialleiden.spatialleiden(section, resolution=resolutions, **how)
    labels = section.obs["spatialleiden"].astype(str).tolist()
    return labels, f"{graph}, layer ratio {RATIO}, its own search for k"


if __name__ == "__main__":
    runner.main(spatial_leiden)
