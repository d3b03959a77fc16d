"""Spots are named rightly where the truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.genes.table import GeneTable
from napari_semst.transfer.estimator import name_spots
from napari_semst.transfer.signature import signature_of

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


def named(reference: AnnData, target: AnnData, table: GeneTable) -> float:
    signature = run_to_end(signature_of(reference, "layer", RunControl()))
    found = run_to_end(name_spots([signature], target, table, RunControl()))
    names = np.array(found.labels)[found.best]
    return float((names == target.obs["layer"].to_numpy()).mean())


@pytest.mark.parametrize("first", [0, 30, 60])
def test_a_planted_signature_is_found_with_all_to_none_of_the_genes(first):
    reference, target = layered(range(60), 0), layered(range(first, first + 60), 1)
    assert named(reference, target, planted(2)) > 0.9


def test_names_dealt_anew_say_nothing():
    target = layered(range(60, 120), 1)
    random = np.random.default_rng(0)
    target.var_names = list(random.permutation(target.var_names))
    assert named(layered(range(60), 0), target, planted(2)) < 0.6
