"""SpaGCN, by its easy-mode tutorial, without histology."""

from __future__ import annotations

import runner


def spagcn(section, k, options):
    """Return the domains of SpaGCN."""
    import SpaGCN

    x, y = section.obsm["spatial"].T.tolist()
    names = section.obs_names.tolist()
    visium = section.uns["visium"]
    array = section.obs[["array_row", "array_col"]].to_numpy().T if visium else None
    # s, b and the image have no effect where histology is off.
    labels = SpaGCN.detect_spatial_domains_ez_mode(
        section, None, x, y, x, y, n_clusters=k, histology=False, s=1, b=49, p=0.5
    )
    settings = "histology off (no full-resolution image), p 0.5, Louvain searched for k"
    if visium:
        labels = SpaGCN.spatial_domains_refinement_ez_mode(
            names, list(labels), *array.tolist(), shape="hexagon"
        )
        settings += ", refined over the hexagon"
    return labels, settings


if __name__ == "__main__":
    runner.main(spagcn)
