"""SpaLP, by its notebook for one section."""

from __future__ import annotations

import runner

NEIGHBOURS = 10
WIDTH = 64
EPOCHS = 200


def spalp(section, k, options):
    """Return the domains of SpaLP."""
    import numpy as np
    import scanpy
    import torch
    from SpaLP.LP import SpatialLocalPooling
    from SpaLP.utils import prepare_inputs, set_seed

    # Its training asks the GPU for its peak of memory, also where there is none.
    torch.cuda.max_memory_allocated = lambda device=None: 0
    epochs = int(options[0]) if options else EPOCHS
    device = torch.device("cpu")
    scanpy.pp.normalize_total(section)
    scanpy.pp.log1p(section)
    scanpy.pp.scale(section)
    section.obsm["feat"] = np.asarray(section.X, np.float32)
    set_seed(7)
    model = SpatialLocalPooling(section.n_vars, out_channels=WIDTH)
    graph = prepare_inputs(section, k=NEIGHBOURS, device=device)
    model.Train(graph, epochs=epochs, device=device)
    section.obsm["SpaLP"] = model.get_embedding(graph)[1]
    scanpy.pp.neighbors(section, use_rep="SpaLP")

    def labels_at(resolution):
        scanpy.tl.leiden(section, resolution=resolution, random_state=2024)
        return section.obs["leiden"].astype(str).tolist()

    best = runner.closest_resolution(lambda r: len(set(labels_at(r))), k)
    return labels_at(best), (
        f"all genes, {NEIGHBOURS} neighbours, {epochs} epochs, Leiden searched for k "
        f"({best:.2f})"
    )


if __name__ == "__main__":
    runner.main(spalp)
