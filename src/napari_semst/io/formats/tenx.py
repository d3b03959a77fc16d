"""Matrices of 10x Genomics: HDF5 (version 2 and 3) and Matrix Market folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, abbreviate, check_file, translate_errors

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

GENE_IDS = "gene_ids"
_EXPRESSION = "Gene Expression"
_WHAT = "the 10x matrix"
_NEEDED = ("barcodes", "data", "indices", "indptr", "shape")


def can_read(path: Path) -> bool:
    """Return whether a path is a 10x matrix in HDF5, judged by what is inside."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return _matrix_group(file) is not None


def is_mtx_folder(path: Path) -> bool:
    """Return whether a folder holds a matrix, features and barcodes."""
    return path.is_dir() and all(_parts(path))


def read_matrix(path: Path) -> AnnData:
    """Return the expression matrix of a 10x .h5 file or Matrix Market folder.

    Returns
    -------
    anndata.AnnData
        X of shape ``(n_barcodes, n_genes)``, CSR float32; var names are unique gene
        symbols, ``var["gene_ids"]`` the Ensembl ids. Other features than gene
        expression (antibodies, guides) are left out.

    Raises
    ------
    InputError
        If it is damaged, not such a matrix, or names a barcode twice.
    """
    import anndata
    import pandas as pd
    from anndata.utils import make_index_unique
    from scipy import sparse

    with translate_errors(path, _WHAT):
        if path.is_dir():
            matrix, barcodes, var = _read_mtx(path)
        else:
            matrix, barcodes, var = _read_h5(check_file(path, _WHAT))
        # An index outside the matrix would crash the compiled code that uses it.
        matrix.check_format(full_check=True)
        if matrix.shape != (len(barcodes), len(var)):
            raise InputError(
                f"Expected {_WHAT} {path} to be barcodes x features; it is "
                f"{matrix.shape} with {len(barcodes)} barcodes, {len(var)} features."
            )
        _refuse_doubles(barcodes, path)
        types = var.get("feature_types")
        if types is not None:
            genes = (types == _EXPRESSION).to_numpy()
            if not genes.any():
                raise InputError(
                    f"Expected {_WHAT} {path} to hold features of the type "
                    f"{_EXPRESSION!r}; found {abbreviate(sorted(set(types)))}."
                )
            if not genes.all():
                matrix, var = matrix[:, genes], var[genes]
        var.index = make_index_unique(pd.Index(var.index.astype(str)))
        counts = sparse.csr_matrix(matrix, dtype=np.float32)
        return anndata.AnnData(counts, obs=pd.DataFrame(index=barcodes), var=var)


def matrix_size(path: Path) -> tuple[int, int]:
    """Return the number of barcodes and of genes in a matrix, without reading it.

    Raises
    ------
    InputError
        If it is damaged or not such a matrix.
    """
    import h5py

    if path.is_dir():
        return _size_of_mtx(path)
    with translate_errors(path, _WHAT), h5py.File(check_file(path, _WHAT), "r") as file:
        group = _matrix_group(file)
        if group is None:
            raise InputError(
                f"Expected {_WHAT} at {path}; the file holds: {abbreviate(list(file))}."
            )
        n_features, n_barcodes = (int(n) for n in group["shape"][()])
        types = f"{group.name}/features/feature_type"
        if types in file:
            wanted = _EXPRESSION.encode()
            n_features = int((file[types][()].astype("S") == wanted).sum())
        return n_barcodes, n_features


def library_of(path: Path) -> str | None:
    """Return the library's name that Space Ranger leaves in its HDF5 matrix."""
    import h5py

    if path.is_dir():
        return None
    with translate_errors(path, _WHAT), h5py.File(path, "r") as file:
        names = np.ravel(file.attrs.get("library_ids", []))
        return _texts(names)[0] if len(names) else None


def _matrix_group(file: Any) -> Any:
    """Return the group that holds a 10x matrix, or None."""
    import h5py

    def complete(group: Any, *more: str) -> bool:
        return isinstance(group, h5py.Group) and all(
            key in group for key in (*_NEEDED, *more)
        )

    if complete(file.get("matrix"), "features"):
        return file["matrix"]
    # Version 2: one group for each genome.
    old = [g for g in file.values() if complete(g, "genes", "gene_names")]
    return old[0] if len(old) == 1 else None


def _read_h5(path: Path) -> tuple[Any, Any, Any]:
    import h5py
    import pandas as pd
    from scipy import sparse

    with h5py.File(path, "r") as file:
        group = _matrix_group(file)
        if group is None:
            raise InputError(
                f"Expected {_WHAT} at {path}; the file holds: {abbreviate(list(file))}."
            )
        n_features, n_barcodes = (int(n) for n in group["shape"][()])
        parts = (group["data"][()], group["indices"][()], group["indptr"][()])
        barcodes = _texts(group["barcodes"][()])
        if "features" in group:
            features = group["features"]
            names, ids = features["name"][()], features["id"][()]
            more = {"feature_types": "feature_type", "genome": "genome"}
        else:
            features, more = group, {}
            names, ids = group["gene_names"][()], group["genes"][()]
        columns = {GENE_IDS: _texts(ids)}
        columns |= {
            k: _texts(features[v][()]) for k, v in more.items() if v in features
        }
        var = pd.DataFrame(columns, index=pd.Index(_texts(names)))
    # The file is features x barcodes by column: the same arrays by row, turned.
    matrix = sparse.csr_matrix(parts, shape=(n_barcodes, n_features))
    return matrix, pd.Index(barcodes), var


def _size_of_mtx(folder: Path) -> tuple[int, int]:
    import pandas as pd
    from scipy import io as scipy_io

    matrix, features, _ = _parts(folder)
    if matrix is None or features is None:
        raise InputError(f"Expected {_WHAT} in {folder}; found no matrix.mtx.")
    with translate_errors(matrix, _WHAT):
        n_features, n_barcodes = scipy_io.mminfo(matrix)[:2]
        table = pd.read_csv(features, sep="\t", header=None, dtype=str, na_filter=False)
    if table.shape[1] > 2:
        n_features = int((table[2] == _EXPRESSION).sum())
    return int(n_barcodes), int(n_features)


def _parts(folder: Path) -> tuple[Path | None, Path | None, Path | None]:
    """Return the matrix, features and barcodes files of a folder."""

    def first(*names: str) -> Path | None:
        paths = (folder / f"{n}{end}" for n in names for end in (".gz", ""))
        return next((p for p in paths if p.is_file()), None)

    return (
        first("matrix.mtx"),
        first("features.tsv", "genes.tsv"),
        first("barcodes.tsv"),
    )


def _read_mtx(folder: Path) -> tuple[Any, Any, Any]:
    import pandas as pd
    from scipy import sparse

    matrix_file, features_file, barcodes_file = _parts(folder)
    if matrix_file is None or features_file is None or barcodes_file is None:
        found = abbreviate(sorted(p.name for p in folder.iterdir()))
        raise InputError(
            "Expected matrix.mtx, features.tsv (or genes.tsv) and barcodes.tsv, each "
            f"also with .gz, in {folder}; found: {found}."
        )
    with translate_errors(features_file, "the features file"):
        check_file(features_file, "the features file", at_most=200 * MEGABYTE)
        features = pd.read_csv(
            features_file, sep="\t", header=None, dtype=str, na_filter=False
        )
    with translate_errors(barcodes_file, "the barcodes file"):
        check_file(barcodes_file, "the barcodes file", at_most=1000 * MEGABYTE)
        barcodes = pd.read_csv(barcodes_file, sep="\t", header=None, dtype=str)
    with translate_errors(matrix_file, _WHAT):
        check_file(matrix_file, _WHAT)
        _check_header(matrix_file, len(features), len(barcodes))
        matrix = sparse.csr_matrix(_read_market(matrix_file).T)
    symbols = features[1] if features.shape[1] > 1 else features[0]
    columns = {GENE_IDS: features[0].to_numpy()}
    if features.shape[1] > 2:
        columns["feature_types"] = features[2].to_numpy()
    var = pd.DataFrame(columns, index=pd.Index(symbols.to_numpy()))
    return matrix, pd.Index(barcodes[0].to_numpy()), var


def _read_market(file: Any) -> Any:
    """Return what a Matrix Market file holds, sparse."""
    import inspect

    import scipy.io as scipy_io

    # The form without a choice before scipy 1.18 is no longer the default from 1.20 on.
    chosen = "spmatrix" in inspect.signature(scipy_io.mmread).parameters
    return scipy_io.mmread(file, **({"spmatrix": False} if chosen else {}))


def _check_header(path: Path, n_features: int, n_barcodes: int) -> None:
    """Refuse a matrix of another size before memory is taken for it."""
    from scipy import io as scipy_io

    rows, columns, entries = scipy_io.mminfo(path)[:3]
    if (rows, columns) != (n_features, n_barcodes) or entries > rows * columns:
        raise InputError(
            f"Expected {_WHAT} {path} to be {n_features} features x {n_barcodes} "
            f"barcodes, as the files beside it; it says {rows} x {columns} with "
            f"{entries} entries. The files may belong to different samples."
        )


def _texts(values: NDArray[Any]) -> list[str]:
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values]


def _refuse_doubles(barcodes: Any, path: Path) -> None:
    twice = barcodes[barcodes.duplicated()]
    if len(twice):
        raise InputError(
            f"Expected every barcode once in {_WHAT} {path}; {len(twice)} occur again "
            f"(first: {abbreviate(list(twice), 3)})."
        )
