"""AnnData files whose counts stay where they are until they are looked through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.memory import memory_allowed

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

# Counts that would take a larger share of the memory stay on disk. Results are the
# same either way, so that the machine may decide.
LARGE_SHARE = 0.25
_PARTS = ("obs", "var", "uns", "obsm", "varm", "obsp", "varp", "layers")


def bytes_on_disk(file: Any) -> int:
    """Return the bytes of counts that can stay in an open file; 0 where none should.

    Parameters
    ----------
    file
        An .h5ad whose datasets were checked.
    """
    import h5py

    matrix = file.get("X")
    if not isinstance(matrix, h5py.Group):
        return 0
    if matrix.attrs.get("encoding-type") != "csr_matrix" or "raw" in file:
        return 0
    parts = [matrix.get(name) for name in ("data", "indices", "indptr")]
    if not all(isinstance(part, h5py.Dataset) and part.ndim == 1 for part in parts):
        return 0
    if any(part.is_virtual for part in parts) or "encoding-version" not in matrix.attrs:
        # A copy would map what is not in the new file, and read as zeros.
        return 0
    if parts[0].dtype.kind not in "iuf" or parts[0].dtype == np.float16:
        return 0  # SciPy holds no such matrix, or it is none of counts
    held = sum(int(np.prod(part.shape)) * part.dtype.itemsize for part in parts)
    return held if held > LARGE_SHARE * memory_allowed() else 0


def read_but_counts(path: Path) -> AnnData:
    """Return what an .h5ad holds, X as a matrix on disk; the file stays open with it.

    Parameters
    ----------
    path
        A file of which `bytes_on_disk` said so.
    """
    import anndata
    import h5py
    from anndata.io import read_elem, sparse_dataset

    file = h5py.File(path, "r")
    parts = {name: read_elem(file[name]) for name in _PARTS if name in file}
    return anndata.AnnData(X=sparse_dataset(file["X"]), **parts)
