from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from napari_semst import keys
from napari_semst.io.formats import anndata_on_disk
from napari_semst.io.matrices import stored_matrices
from napari_semst.io.read import read
from napari_semst.sample import simulated_cortex
from napari_semst.transfer.result import (
    NamedDomain,
    NamedSpots,
    TransferResult,
    attach_transfer,
)


def test_a_copy_with_names_holds_what_stayed_on_disk(tmp_path, monkeypatch) -> None:
    """A layer on disk has no copy but in memory."""
    made = simulated_cortex(60, 50, image=False)
    made.X = sparse.csr_matrix(made.X)
    made.layers["counts"] = made.X.copy()
    made.obs["domain"] = pd.Categorical(["1"] * 60)
    made.write_h5ad(tmp_path / "a.h5ad")
    monkeypatch.setattr(anndata_on_disk, "LARGE_SHARE", 0.0)
    tissue = read(tmp_path / "a.h5ad", on_disk=True)
    assert set(stored_matrices(tissue)) == {"X", "layers/counts"}
    spots = NamedSpots(
        np.full(60, -1, np.int32), np.zeros(60, np.float32), np.ones(60, np.float32)
    )
    domains = (NamedDomain("1", 60, "L1", "L1", 1.0, 0.01, 0.02),)
    codes = np.zeros(60, np.int32)
    result = TransferResult(("L1",), spots, domains, codes, {"domains": "domain"})
    found = attach_transfer(tissue, result)
    tissue.X.group.file.close()
    assert not stored_matrices(found)
    assert (found.layers["counts"] != made.X).nnz == 0
    assert set(found.obs[keys.TRANSFER_DOMAIN]) == {"L1"}
