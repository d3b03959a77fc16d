"""10x matrices in HDF5 whose counts stay in the file until they are read."""

from __future__ import annotations

from collections import UserDict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.memory import memory_allowed
from napari_semst.io.formats import anndata_on_disk

if TYPE_CHECKING:
    from pathlib import Path


def rows_on_disk(path: Path, group: Any) -> Any:
    """Return a matrix by barcode that stays in its file; `None` where it should not.

    The file stores features x barcodes by column: the same arrays by row, turned.

    Parameters
    ----------
    path
        A file that is not packed, and was checked.
    group
        Its matrix, open; the file is opened anew and stays open with what is returned.
    """
    import h5py
    from anndata.io import sparse_dataset

    held = sum(group[name].nbytes for name in ("data", "indices", "indptr"))
    small = held <= anndata_on_disk.LARGE_SHARE * memory_allowed()
    if small or not anndata_on_disk.rows_can_stay(group):
        return None

    class Turned(h5py.Group):  # type: ignore[misc]
        """A 10x matrix that says of itself what anndata's rows say."""

        @property
        def attrs(self) -> Any:
            shape = np.array(self["shape"][()][::-1], np.int64)
            return UserDict(
                {
                    "encoding-type": "csr_matrix",
                    "encoding-version": "0.1.0",
                    "shape": shape,
                }
            )

    return sparse_dataset(Turned(h5py.File(path, "r")[group.name].id))
