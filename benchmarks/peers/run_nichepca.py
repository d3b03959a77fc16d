"""NichePCA, by its readme, which advises 25 neighbours for brain."""

from __future__ import annotations

import runner

NEIGHBOURS = 25


def niche_pca(section, k, options):
    """Return the domains of NichePCA."""
    import nichepca
    import scanpy

    nichepca.wf.nichepca(section, knn=NEIGHBOURS)
    scanpy.pp.neighbors(section, use_rep="X_npca")
    nichepca.cl.leiden_with_nclusters(section, k)
    labels = section.obs["leiden"].astype(str).tolist()
    return labels, f"{NEIGHBOURS} neighbours, 30 components, Leiden, its search for k"


if __name__ == "__main__":
    runner.main(niche_pca)
