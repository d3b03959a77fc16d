"""Room on the disk, made sure of before a file is written."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.matrices import named_layers

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

_SLACK = 1_000_000
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def preallocate(file: Path, size: int) -> None:
    """Raise `OSError` unless a file of this many bytes fits where it stands.

    The HDF5 library does not survive a disk that fills up while it writes: it leaves
    objects behind that crash the program when they are freed. A share of the disk
    (quota) is counted too, as the bytes are taken and given back.

    Parameters
    ----------
    file
        An empty file; it is empty again afterwards.
    size
        Bytes.
    """
    if not hasattr(os, "posix_fallocate") or size <= 0:
        return
    handle = os.open(file, os.O_RDWR)
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.ftruncate(handle, 0)
        os.close(handle)


def estimated_bytes(adata: AnnData) -> int:
    """Return how many bytes a tissue takes in a file at most, before compression."""
    parts = [adata.obsm, adata.varm, adata.obsp, adata.varp, adata.uns]
    values = [adata.X, named_layers(adata), adata.obs, adata.var, *map(dict, parts)]
    if adata.raw is not None:
        values += [adata.raw.X, adata.raw.var]
    return int(1.1 * sum(map(_bytes, values))) + _SLACK


def _bytes(value: Any) -> int:
    """Return the bytes of an array, matrix, table or nested mapping."""
    from scipy import sparse

    if hasattr(value, "values") and callable(value.values):
        return sum(_bytes(inner) for inner in value.values())
    if hasattr(value, "memory_usage"):
        return int(np.sum(value.memory_usage(deep=True)))
    if sparse.issparse(value):
        parts = (getattr(value, name, None) for name in ("data", "indices", "indptr"))
        return sum(int(part.nbytes) for part in parts if part is not None)
    return int(getattr(value, "nbytes", 0))
