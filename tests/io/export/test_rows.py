from __future__ import annotations

import anndata
import numpy as np
import pytest
from scipy import sparse

from napari_semst.errors import SaveError
from napari_semst.io.export.h5ad import write
from napari_semst.io.export.rows import write_by_rows
from napari_semst.sample import simulated_cortex


@pytest.fixture(scope="module")
def tissue():
    return simulated_cortex(60, 50, image=False)


def bare(tissue):
    """The same tissue without its counts."""
    return anndata.AnnData(
        obs=tissue.obs, var=tissue.var, obsm=dict(tissue.obsm), uns=tissue.uns
    )


def test_rows_make_the_file_that_the_whole_makes(tissue, tmp_path) -> None:
    parts = [tissue.X[:25], tissue.X[25:25], tissue.X[25:]]
    write_by_rows(bare(tissue), iter(parts), tmp_path / "rows.h5ad")
    write(tissue, tmp_path / "whole.h5ad")
    rows, whole = (
        anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("rows", "whole")
    )
    assert sparse.isspmatrix_csr(rows.X)
    assert rows.X.dtype == whole.X.dtype
    assert rows.X.indptr.dtype == whole.X.indptr.dtype
    np.testing.assert_array_equal(rows.X.toarray(), whole.X.toarray())
    assert rows.obs.equals(whole.obs)
    assert rows.uns.keys() == whole.uns.keys()


def test_rows_that_are_missing_leave_no_file(tissue, tmp_path) -> None:
    with pytest.raises(SaveError, match="60 spots; 25 came"):
        write_by_rows(bare(tissue), iter([tissue.X[:25]]), tmp_path / "rows.h5ad")
    assert not list(tmp_path.iterdir())
