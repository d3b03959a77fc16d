"""GraphST, by its tutorial for a Visium section of the cortex."""

from __future__ import annotations

import runner


def graphst(section, k, options):
    """Return the domains of GraphST."""
    import torch
    from GraphST.GraphST import GraphST
    from GraphST.utils import refine_label
    from sklearn.decomposition import PCA

    visium = section.uns["visium"]
    epochs = int(options[0]) if options else 600
    trained = GraphST(section, device=torch.device("cpu"), epochs=epochs).train()
    values = PCA(20, random_state=42).fit_transform(trained.obsm["emb"])
    labels = runner.tied_mixture(values, k)
    settings = f"{epochs} epochs, 20 components, {runner.TIED}"
    if visium:
        trained.obs["domain"] = labels.astype(str)
        labels = refine_label(trained, radius=50, key="domain")
        settings += ", refined over 50 spots"
    return labels, settings


if __name__ == "__main__":
    runner.main(graphst)
