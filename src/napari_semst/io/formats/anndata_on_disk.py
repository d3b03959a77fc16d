"""AnnData files and stores whose counts stay where they are until they are read."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.memory import GIB, memory_allowed
from napari_semst.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

# Counts that would take a larger share of the memory stay on disk. Results are the
# same either way, so that the machine may decide.
LARGE_SHARE = 0.25
# A piece that is packed as one is read as one: larger ones are read once, all of them.
_LARGEST_PIECE = 256 * 2**20
_PARTS = ("obs", "var", "uns", "obsm", "varm", "obsp", "varp")
_MATRIX, _RAW = "X", "raw/X"
_LAYERS = "layers"


def bytes_on_disk(file: Any) -> int:
    """Return the bytes of matrices that can stay where they are; 0 where none should.

    Parameters
    ----------
    file
        An .h5ad (h5py) whose datasets were checked, or a store (zarr) that was.
    """
    held = sum(_row_bytes(file[where]) for where in _stored_by_spot(file))
    return held if held > LARGE_SHARE * memory_allowed() else 0


def read_but_counts(file: Any) -> AnnData:
    """Return what a file or store holds, matrices by spot as they are on disk.

    Parameters
    ----------
    file
        One of which `bytes_on_disk` said so; it must stay open with the tissue.
    """
    import anndata
    from anndata.io import read_elem, sparse_dataset

    stays = _stored_by_spot(file)

    def matrix(where: str) -> Any:
        return (sparse_dataset if where in stays else read_elem)(file[where])

    parts: dict[str, Any] = {n: read_elem(file[n]) for n in _PARTS if n in file}
    if _LAYERS in file:
        names = [f"{_LAYERS}/{name}" for name in file[_LAYERS]]
        parts[_LAYERS] = {n.removeprefix(f"{_LAYERS}/"): matrix(n) for n in names}
    if _has_raw(file):
        raw = file["raw"]
        parts["raw"] = {n: read_elem(raw[n]) for n in ("var", "varm") if n in raw}
        parts["raw"]["X"] = matrix(_RAW)
    return anndata.AnnData(X=matrix(_MATRIX) if _MATRIX in file else None, **parts)


def check_stays(file: Any, path: Path, n_bytes: float) -> None:
    """Refuse what does not fit into memory because it is stored by gene.

    Parameters
    ----------
    file
        As for `bytes_on_disk`.
    path
        Where it stands.
    n_bytes
        What would be read into memory.

    Raises
    ------
    InputError
        If there are such matrices, and not the memory.
    """
    by_gene = [w for w in _places(file) if _encoding(file[w]) == "csc_matrix"]
    if not by_gene or n_bytes <= memory_allowed():
        return
    raise InputError(
        f"Expected {' and '.join(by_gene)} of {path} to fit into memory, or to be "
        "stored by spot (CSR) and read some spots at a time; found storage by gene "
        f"(CSC): {n_bytes / GIB:,.1f} GiB to read, of {memory_allowed() / GIB:,.1f} "
        "GiB. Save it by spot where there is room: adata.X = adata.X.tocsr(), then "
        "adata.write_h5ad(...)."
    )


def _places(file: Any) -> list[str]:
    """Return where a file has matrices of spots and genes."""
    layers = [f"{_LAYERS}/{name}" for name in file.get(_LAYERS, ())]
    raw = [_RAW] if _has_raw(file) else []
    return [*([_MATRIX] if _MATRIX in file else []), *raw, *layers]


def _has_raw(file: Any) -> bool:
    # Stores tell by an array that there is none.
    raw = file.get("raw")
    return hasattr(raw, "create_group") and "X" in raw


def _stored_by_spot(file: Any) -> list[str]:
    """Return which of these can stay on disk."""
    # The raw matrix of files from before anndata 0.7 stands elsewhere.
    if "raw.X" in file or "raw.var" in file:
        return []
    return [where for where in _places(file) if can_stay(file[where])]


def can_stay(matrix: Any) -> bool:
    """Return whether rows of a matrix on disk can be read some at a time.

    Parameters
    ----------
    matrix
        A group, or an array, of h5py or of zarr.
    """
    if _encoding(matrix) != "csr_matrix" or "encoding-version" not in matrix.attrs:
        return False
    return rows_can_stay(matrix)


def rows_can_stay(group: Any) -> bool:
    """Return whether the three arrays of a sparse matrix can be read in pieces."""
    import h5py

    parts = [group.get(name) for name in ("data", "indices", "indptr")]
    arrays = [part for part in parts if len(getattr(part, "shape", ())) == 1]
    if len(arrays) < len(parts):
        return False
    for part in arrays:
        # A copy would map what is not in the new file, and read as zeros.
        if isinstance(part, h5py.Dataset) and part.is_virtual:
            return False
        # Numbers of another machine's order, which SciPy does not take.
        if not part.dtype.isnative:
            return False
        piece = getattr(part, "shards", None) or part.chunks or (0,)
        if prod(piece) * part.dtype.itemsize > _LARGEST_PIECE:
            return False
    # SciPy holds no such matrix, or it is none of counts.
    kind = arrays[0].dtype
    return kind.kind in "iuf" and kind != np.float16


def _encoding(matrix: Any) -> str:
    # Arrays, too, have attributes; parts by name have groups alone.
    is_group = hasattr(matrix, "create_group")
    return str(matrix.attrs.get("encoding-type", "")) if is_group else ""


def _row_bytes(group: Any) -> int:
    parts = [group[name] for name in ("data", "indices", "indptr")]
    return sum(int(prod(part.shape)) * part.dtype.itemsize for part in parts)
