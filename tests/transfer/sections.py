"""Small sections in layers whose genes the built-in table knows, and a signature."""

from __future__ import annotations

import numpy as np
from anndata import AnnData
from scipy import sparse

from napari_semst.sample.genes import panel_symbols
from napari_semst.transfer.signature import Signature

N_LAYERS, SIDE, N_GENES = 3, 15, 60


def layers(seed: int, species: str = "human") -> AnnData:
    """Return 225 spots x 60 genes in 3 layers, each with genes of its own."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    layer = (y.ravel() * N_LAYERS) // SIDE
    rate = np.where(layer[:, None] == np.arange(N_GENES) % N_LAYERS, 8.0, 1.0)
    tissue = AnnData(sparse.csr_matrix(random.poisson(rate).astype(np.float32)))
    symbols, _ = panel_symbols(N_GENES, species)
    tissue.var_names = [str(symbol) for symbol in symbols]
    tissue.obs_names = [f"{species}{seed}-{spot}" for spot in range(tissue.n_obs)]
    tissue.obsm["spatial"] = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    tissue.obs["layer"] = [f"layer {one}" for one in layer]
    tissue.obs["cluster"] = [f"c{2 - one}" for one in layer]
    return tissue


def small_signature() -> Signature:
    """Return a signature of 2 names and 4 genes, of which one stands twice."""
    scores = np.array([[1, -1, 0.5, 0], [-1, 1, -0.5, 0]], np.float32)
    return Signature(
        ("top", "bottom"),
        ("MBP", "SNAP25", "GFAP", "MBP"),
        "human",
        scores,
        np.array([1, 2, 0.5, 0.25], np.float32),
        np.array([30, 40]),
        {"reference": "a section", "left_out": [], "deep": {"share": 0.5}},
    )
