"""Profiles are what they say, without ever being held."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

from napari_semst.config import Config
from napari_semst.errors import InputError
from napari_semst.pipeline.inputs import section_inputs
from napari_semst.transfer.profiles import mean_of_groups, read_profiles
from napari_semst.transfer.settings import TransferSettings


def section(n_spots: int, n_genes: int, density: float) -> AnnData:
    random = np.random.default_rng(0)
    counts = sparse.random_array(
        (n_spots, n_genes),
        density=density,
        rng=random,
        data_sampler=lambda size: random.integers(1, 6, size).astype(np.float32),
    )
    tissue = AnnData(sparse.csr_matrix(counts, dtype=np.float32))
    tissue.var_names = [f"Gene{gene}" for gene in range(n_genes)]
    tissue.obsm["spatial"] = random.random((n_spots, 2))
    return tissue


def test_sums_and_means_are_those_of_dense_profiles():
    tissue = section(80, 30, 0.4)
    profiles = read_profiles(section_inputs(tissue, Config()), TransferSettings())
    dense = (profiles.logged.toarray() - profiles.mean) / profiles.deviation
    for _ in range(TransferSettings().n_rounds):
        dense = profiles.average @ dense
    weights = np.random.default_rng(1).normal(size=(30, 40))
    assert np.allclose(profiles.weighted_sums(weights), dense @ weights, atol=1e-3)
    codes = np.arange(80) % 4 - 1
    means = profiles.group_means(mean_of_groups(codes, 3))
    direct = np.array([dense[codes == group].mean(axis=0) for group in range(3)])
    assert np.allclose(means, direct, atol=1e-4)


def test_spots_by_genes_is_never_dense():
    n_spots, n_genes = 20_000, 1_000
    inputs = section_inputs(section(n_spots, n_genes, 0.01), Config())
    profiles = read_profiles(inputs, TransferSettings())
    tracemalloc.start()
    profiles.weighted_sums(np.ones((n_genes, 8)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n_spots * n_genes * 4 / 10


def test_a_section_in_which_nothing_differs_is_refused():
    tissue = section(20, 5, 0.5)
    tissue.X = sparse.csr_matrix(np.ones((20, 5), np.float32))
    with pytest.raises(InputError, match="differs"):
        read_profiles(section_inputs(tissue, Config()), TransferSettings())
