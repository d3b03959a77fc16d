from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from napari_semst.errors import InputError
from napari_semst.io.formats import anndata_on_disk
from napari_semst.io.notes import input_warnings
from napari_semst.io.read import read
from napari_semst.io.readers import h5ad


@pytest.fixture
def cells(tissue):
    """Cells as ``openst transcript_assign`` writes them: the first row is no cell."""
    outside = np.asarray(tissue.X.sum(axis=0)).reshape(1, -1)
    places = np.vstack([[0, 0], tissue.obsm["spatial"]])
    names = pd.RangeIndex(len(places)).astype(str)
    obs = {
        "x_pos": places[:, 0],
        "y_pos": places[:, 1],
        "cell_ID_mask": range(len(names)),
    }
    made = AnnData(
        sparse.csc_matrix(sparse.vstack([outside, tissue.X])),
        obs=pd.DataFrame(obs, index=names),
        var=tissue.var,
        obsm={"spatial": places},
    )
    made.uns["spatial"] = {"mask": np.zeros((40, 50), np.int32)}
    made.uns["indices_joined_spatial_units"] = sparse.csr_matrix(np.eye(4))
    return made


def test_what_lies_outside_of_cells_is_no_cell(tmp_path, tissue, cells):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    found = read(tmp_path / "cells.h5ad")
    assert (found.X != tissue.X).nnz == 0
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])
    assert "50% of the counts and is left out" in input_warnings(found)[0]
    found.write_h5ad(tmp_path / "saved.h5ad")


@pytest.mark.parametrize("labels", [None, "named", 1])
def test_other_tables_stay_whole(tmp_path, cells, labels):
    del cells.obs["cell_ID_mask"]
    if labels is not None:
        cells.obs["cell_ID_mask"] = labels
    cells.write_h5ad(tmp_path / "cells.h5ad")
    found = read(tmp_path / "cells.h5ad")
    assert found.n_obs == cells.n_obs
    assert input_warnings(found) == []


def test_genes_that_are_not_there_are_refused_on_disk_too(
    tmp_path, cells, monkeypatch
) -> None:
    """Compiled code that uses such a number would crash the whole program."""
    cells.X = sparse.csr_matrix(cells.X)
    kinds = ["Gene Expression"] * (cells.n_vars - 1)
    cells.var["feature_types"] = [*kinds, "Negative Control Probe"]
    cells.write_h5ad(tmp_path / "cells.h5ad")
    monkeypatch.setattr(anndata_on_disk, "LARGE_SHARE", 0.0)
    assert read(tmp_path / "cells.h5ad", on_disk=True).n_vars == cells.n_vars - 1
    with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
        file["X/indices"][-1] = 10**6
    checked, take = [], h5ad.keep_genes
    monkeypatch.setattr(
        h5ad, "keep_genes", lambda *given: checked.append(given) or take(*given)
    )
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path / "cells.h5ad", on_disk=True)
    assert not checked
    # Nor is the file kept open by the refusal.
    h5py.File(tmp_path / "cells.h5ad", "r+").close()
