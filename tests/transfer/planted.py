"""Sections with planted layers, and a table in which genes of a layer are alike."""

from __future__ import annotations

import numpy as np
from anndata import AnnData
from scipy import sparse

from napari_semst.genes.table import GeneTable

N_LAYERS, SIDE = 4, 20


def planted(seed: int, n_genes: int = 60) -> GeneTable:
    """Return a table in which genes of one kind lie together."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(2 * n_genes, 8)).astype(np.float32)
    vectors += 3 * np.eye(8, dtype=np.float32)[np.arange(2 * n_genes) % N_LAYERS]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    symbols = tuple(f"GENE{place}" for place in range(2 * n_genes))
    return GeneTable(vectors, symbols, {}, {}, {}, {})


def layered(genes: range, seed: int) -> AnnData:
    """Return layers, each with more of the genes of its kind."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    layer = (y.ravel() * N_LAYERS) // SIDE
    kind = np.array(genes) % N_LAYERS
    rate = np.where(layer[:, None] == kind, 4.0, 1.0)
    tissue = AnnData(sparse.csr_matrix(random.poisson(rate).astype(np.float32)))
    tissue.var_names = [f"GENE{gene}" for gene in genes]
    tissue.obsm["spatial"] = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    tissue.obs["layer"] = [f"layer {one}" for one in layer]
    return tissue
