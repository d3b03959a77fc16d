"""CellCharter, by its tutorials; options: ``pca`` or ``scvi``."""

from __future__ import annotations

import runner


def latent_of_scvi(section):
    import numpy as np
    import scvi

    scvi.settings.seed = 12345
    scvi.model.SCVI.setup_anndata(section, layer="counts")
    model = scvi.model.SCVI(section)
    model.train(
        early_stopping=True, enable_progress_bar=False, accelerator="cpu", devices=1
    )
    return np.asarray(model.get_latent_representation(section), dtype=np.float32)


def latent_of_pca(section):
    import numpy as np
    import scanpy

    genes = min(5000, section.n_vars)
    scanpy.pp.highly_variable_genes(section, n_top_genes=genes)
    scanpy.pp.pca(section, random_state=12345)
    return np.asarray(section.obsm["X_pca"], dtype=np.float32)


def cellcharter(section, k, options):
    """Return the domains of CellCharter."""
    import cellcharter
    import scanpy
    import squidpy

    kind = options[0] if options else "scvi"
    section.layers["counts"] = section.X.copy()
    scanpy.pp.filter_genes(section, min_counts=3)
    scanpy.pp.normalize_total(section, target_sum=1e6)
    scanpy.pp.log1p(section)
    section.obsm["latent"] = {"scvi": latent_of_scvi, "pca": latent_of_pca}[kind](
        section
    )
    if section.uns["visium"]:
        squidpy.gr.spatial_neighbors(section, coord_type="grid", n_neighs=6)
    else:
        squidpy.gr.spatial_neighbors(section, coord_type="generic", delaunay=True)
        cellcharter.gr.remove_long_links(section)
    cellcharter.gr.aggregate_neighbors(
        section, n_layers=3, use_rep="latent", out_key="X_cellcharter"
    )
    model = cellcharter.tl.Cluster(
        n_clusters=k,
        random_state=12345,
        trainer_params={"accelerator": "cpu", "enable_progress_bar": False},
    )
    model.fit(section, use_rep="X_cellcharter")
    labels = list(model.predict(section, use_rep="X_cellcharter"))
    graph = "grid" if section.uns["visium"] else "Delaunay"
    return labels, f"{kind} latent, {graph} graph, 3 layers, its own Gaussian mixture"


if __name__ == "__main__":
    runner.main(cellcharter)
