"""BANKSY, by its notebooks for domains of Visium and of single-cell sections."""

from __future__ import annotations

import runner


def banksy(section, k, options):
    """Return the domains of BANKSY."""
    import scanpy
    from banksy.cluster_methods import run_Leiden_partition
    from banksy.embed_banksy import generate_banksy_matrix
    from banksy.initialize_banksy import initialize_banksy
    from banksy_utils.umap_pca import pca_umap

    visium = section.uns["visium"]
    share, neighbours = (0.2, 18) if visium else (0.8, 15)
    if section.n_vars > 2000:
        scanpy.pp.highly_variable_genes(
            section, n_top_genes=2000, flavor="seurat_v3", subset=True
        )
    scanpy.pp.normalize_total(section, target_sum=5000 if visium else None)
    if not visium:
        scanpy.pp.log1p(section)
    section.obs["x"], section.obs["y"] = section.obsm["spatial"].T
    shown = dict.fromkeys(
        ("plt_edge_hist", "plt_nbr_weights", "plt_agf_angles", "plt_theta"), False
    )
    built = initialize_banksy(
        section, ("x", "y", "spatial"), neighbours, max_m=1, **shown
    )
    built, _ = generate_banksy_matrix(section, built, [share], 1)
    pca_umap(built, pca_dims=[20], plt_remaining_var=False)
    found, _ = run_Leiden_partition(
        built, [], num_nn=50, match_labels=False, max_labels=k
    )
    labels = found.iloc[0]["labels"].dense.tolist()
    return labels, (
        f"lambda {share}, {neighbours} neighbours, gradients (m 1), 20 components, "
        "Leiden, its own search for k"
    )


if __name__ == "__main__":
    runner.main(banksy)
