"""Tissues written with their counts some rows at a time, which are never held whole."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import SaveError
from napari_semst.io.export.atomic import estimated_bytes, write_atomically
from napari_semst.io.export.readback import check_readback
from napari_semst.io.export.writable import writable, write_plain
from napari_semst.io.formats.anndata_on_disk import can_stay
from napari_semst.io.matrices import named_layers, stored_matrices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

# Values that the file packs together: some megabytes are read at a time.
_PACKED_VALUES = 2**17
_COPIED_PIECES = 32
_USUAL_PACKING = ("gzip", "lzf")
_MOST_32_BIT = 2**31 - 1
_SLACK = 10_000_000
# What anndata makes of a matrix in a file; what else lies there is no part of it.
_OF_ROWS = ("data", "indices", "indptr")
_SAID_OF_ROWS = ("encoding-type", "encoding-version", "shape")


def write_by_rows(
    tissue: AnnData,
    counts: Iterator[sparse.csr_matrix],
    path: Path,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a tissue whose counts come some rows at a time as .h5ad, and check it.

    Parameters
    ----------
    tissue
        All but the counts, ``(n_spots, n_genes)``.
    counts
        Canonical, the rows of the spots in their order.
    path
        Where to, ending in ``.h5ad``.
    overwrite
        Whether a file that stands there may be replaced.

    Raises
    ------
    SaveError
        As of `napari_semst.io.export.h5ad.write`, or if there are not as many rows as
        spots.
    """
    plain = writable(tissue)
    total = 0.0

    def write(temporary: Path) -> None:
        nonlocal total
        import h5py

        write_plain(plain, temporary, compression="gzip")
        with h5py.File(temporary, "r+") as file:
            if "X" in file:
                del file["X"]
            rows = _with_room(counts, temporary.parent, len(plain))
            total = _write_matrix(file.create_group("X"), rows, plain.shape)

    def check(temporary: Path) -> None:
        check_readback(plain, temporary, sums={"X": total})

    return write_atomically(
        path,
        write,
        check,
        overwrite=overwrite,
        suffix=".h5ad",
        least_free=estimated_bytes(tissue),
    )


def _with_room(
    counts: Iterator[sparse.csr_matrix], folder: Path, n_spots: int
) -> Iterator[sparse.csr_matrix]:
    """Yield rows as long as there is room for them; how many come is not known before.

    The HDF5 library does not survive a disk that fills up while it writes.
    """
    for rows in counts:
        # Unpacked, with what waits to be packed and the pointers at the end.
        needed = rows.data.nbytes + rows.indices.nbytes + 8 * n_spots + _SLACK
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise SaveError(
                f"Expected at least {needed / 1e6:,.0f} MB free in {folder} for the "
                f"next counts; there are {free / 1e6:,.0f} MB. Nothing was written: "
                "free some space, or choose another folder."
            )
        yield rows


def take_stored(plain: AnnData) -> dict[str, Any]:
    """Take the matrices on disk out of a tissue, empty ones in their places.

    Parameters
    ----------
    plain
        What is written; it is changed.

    Returns
    -------
    dict
        By their places in a file, for `copy_stored`.
    """
    held = stored_matrices(plain)
    _empty(plain, list(held))
    return held


def take_packed(plain: AnnData, file: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Take the matrices out of a tissue that a file holds packed, value for value.

    To pack counts anew takes far longer than to read and compare them.

    Parameters
    ----------
    plain
        What is written; it is changed.
    file
        An open .h5ad, checked for links and for what it declares.

    Returns
    -------
    matrices
        As of `take_stored`; they are on disk in the file.
    sums
        Of their values.
    """
    from anndata.io import sparse_dataset

    held = {"X": plain.X}
    held |= {f"layers/{name}": layer for name, layer in named_layers(plain).items()}
    same = [where for where, one in held.items() if _is_packed_in(file, where, one)]
    sums = {where: float(held[where].data.sum(dtype=np.float64)) for where in same}
    stored = {where: sparse_dataset(file[where]) for where in same}
    # Last of all: whatever fails before leaves the tissue whole.
    _empty(plain, same)
    return stored, sums


def _is_packed_in(file: Any, where: str, matrix: Any) -> bool:
    """Return whether a file holds a matrix, packed as every reader can unpack it."""
    from scipy import sparse

    if where not in file or not isinstance(matrix, sparse.csr_matrix):
        return False
    group = file[where]
    if not can_stay(group) or tuple(group.attrs["shape"]) != matrix.shape:
        return False
    arrays = [(group[name], getattr(matrix, name)) for name in _OF_ROWS]
    return all(
        one.compression in _USUAL_PACKING
        and one.dtype == other.dtype
        and one.shape == other.shape
        for one, other in arrays
    ) and all(_same_values(one, other) for one, other in arrays)


def _same_values(stored: Any, values: NDArray[Any]) -> bool:
    step = _COPIED_PIECES * _PACKED_VALUES
    return all(
        np.array_equal(stored[start : start + step], values[start : start + step])
        for start in range(0, len(values), step)
    )


def _empty(plain: AnnData, places: list[str]) -> None:
    """Put empty matrices of the same shapes in some places of a tissue."""
    import anndata
    from scipy import sparse

    for where in places:
        place, _, name = where.partition("/")
        width = plain.raw.n_vars if place == "raw" else plain.n_vars
        hollow = sparse.csr_matrix((plain.n_obs, width), dtype=np.float32)
        if place == "X":
            plain.X = hollow
        elif place == "layers":
            plain.layers[name] = hollow
        else:
            raw = plain.raw
            plain.raw = anndata.AnnData(hollow, var=raw.var, varm=dict(raw.varm))


def copy_stored(matrices: Mapping[str, Any], path: Path) -> None:
    """Copy matrices on disk to their places in an .h5ad or a .zarr.

    They are packed as they were where both are HDF5, else some values at a time.
    """
    if path.suffix == ".zarr":
        import zarr

        # What the store says of all its arrays at its top is said anew.
        store = zarr.open_group(path, mode="r+", use_consolidated=False)
        _copy_all(matrices, store)
        zarr.consolidate_metadata(path, zarr_format=store.metadata.zarr_format)
        return
    import h5py

    with h5py.File(path, "r+") as file:
        _copy_all(matrices, file)


def _copy_all(matrices: Mapping[str, Any], file: Any) -> None:
    for where, matrix in matrices.items():
        if where in file:
            del file[where]
        group = file.create_group(where)
        for name in _OF_ROWS:
            _copy_array(matrix.group[name], group, name)
        said = {key: matrix.group.attrs[key] for key in _SAID_OF_ROWS}
        shape = [int(n) for n in said["shape"]]
        in_hdf5 = hasattr(group, "file")
        said["shape"] = np.array(shape, np.int64) if in_hdf5 else shape
        for key, value in said.items():
            group.attrs[key] = value


def _copy_array(source: Any, group: Any, name: str) -> None:
    """Copy an array of h5py or zarr into a group of either."""
    into_hdf5 = hasattr(group, "file")
    if into_hdf5 and hasattr(source, "file"):
        # By what a link leads to: in the new file it would lead elsewhere.
        group.file.copy(source, group, name=name)
        return
    length = int(source.shape[0])
    chunks = (min(_PACKED_VALUES, max(length, 1)),)
    about = {"shape": source.shape, "dtype": source.dtype, "chunks": chunks}
    if into_hdf5:
        copied = group.create_dataset(name, compression="gzip", **about)
    else:
        copied = group.create_array(name, **about)
    step = _COPIED_PIECES * _PACKED_VALUES
    for start in range(0, length, step):
        copied[start : start + step] = source[start : start + step]


def _write_matrix(
    group: Any, counts: Iterator[sparse.csr_matrix], shape: tuple[int, int]
) -> float:
    """Write rows as a sparse matrix of anndata's, and return the sum of all values."""
    stored = {
        name: group.create_dataset(
            name, (0,), kind, maxshape=(None,), chunks=(_PACKED_VALUES,),
            compression="gzip",
        )
        for name, kind in (("data", np.float32), ("indices", np.int32))
    }  # fmt: skip
    lengths: list[NDArray[np.integer[Any]]] = [np.zeros(1, np.int64)]
    total, end = 0.0, 0
    for rows in counts:
        for name, part in (("data", rows.data), ("indices", rows.indices)):
            stored[name].resize((end + rows.nnz,))
            stored[name][end:] = part
        end += rows.nnz
        total += float(rows.data.sum(dtype=np.float64))
        lengths.append(np.diff(rows.indptr))
    pointers = np.cumsum(np.concatenate(lengths), dtype=np.int64)
    if len(pointers) != shape[0] + 1:
        raise SaveError(
            f"Expected counts of {shape[0]:,} spots; {len(pointers) - 1:,} came. "
            "Nothing was written."
        )
    if end <= _MOST_32_BIT:
        pointers = pointers.astype(np.int32)
    group.create_dataset("indptr", data=pointers, compression="gzip")
    group.attrs["encoding-type"] = "csr_matrix"
    group.attrs["encoding-version"] = "0.1.0"
    group.attrs["shape"] = np.array(shape, np.int64)
    return total
