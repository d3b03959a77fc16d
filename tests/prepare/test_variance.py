from __future__ import annotations

import anndata
import h5py
import numpy as np
from anndata.io import sparse_dataset

from napari_semst.io import stored_counts
from napari_semst.prepare import normalise, variance
from napari_semst.sample import simulated_cortex


def test_sums_of_clipped_counts_are_the_same_bits_in_memory_and_on_disk(
    tmp_path, monkeypatch
) -> None:
    for module in (normalise, variance):
        monkeypatch.setattr(module, "_CHUNK_VALUES", 700)
    monkeypatch.setattr(stored_counts, "BLOCK_VALUES", 300)
    tissue = simulated_cortex(200, 60, image=False)
    tissue.X.sort_indices()
    tissue.write_h5ad(tmp_path / "section.h5ad")
    # No whole numbers, whose sums are exact in any order.
    most = np.linspace(0.1, 2.3, 60)
    with h5py.File(tmp_path / "section.h5ad") as file:
        disk = stored_counts.stored_counts(anndata.AnnData(sparse_dataset(file["X"])))
        found = variance._moments(disk, most)
    np.testing.assert_array_equal(found, variance._moments(tissue.X, most))
