"""STAGATE, by its tutorial for a Visium section of the cortex."""

from __future__ import annotations

import runner

# In distances between spots: the tutorial's 150 pixels where spots lie 137 apart.
VISIUM_RADIUS = 1.1
CELL_NEIGHBOURS = 6


def stagate(section, k, options):
    """Return the domains of STAGATE."""
    import scanpy
    from STAGATE_pyG import Cal_Spatial_Net, train_STAGATE

    scanpy.pp.highly_variable_genes(
        section, flavor="seurat_v3", n_top_genes=min(3000, section.n_vars)
    )
    scanpy.pp.normalize_total(section, target_sum=1e4)
    scanpy.pp.log1p(section)
    if section.uns["visium"]:
        radius = VISIUM_RADIUS * runner.spot_distance(section)
        Cal_Spatial_Net(section, rad_cutoff=radius)
        graph = f"radius {radius:.0f}"
    else:
        Cal_Spatial_Net(section, k_cutoff=CELL_NEIGHBOURS, model="KNN")
        graph = f"{CELL_NEIGHBOURS} nearest cells"
    epochs = int(options[0]) if options else 1000
    section = train_STAGATE(section, n_epochs=epochs, verbose=False, device="cpu")
    labels = runner.tied_mixture(section.obsm["STAGATE"], k)
    return labels, f"3,000 genes, {graph}, {epochs} epochs, {runner.TIED}"


if __name__ == "__main__":
    runner.main(stagate)
