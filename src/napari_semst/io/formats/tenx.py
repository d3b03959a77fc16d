"""Matrices of 10x Genomics: HDF5 (version 2 and 3) and Matrix Market folders."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.memory import MOST_SHRUNK, check_fits
from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, abbreviate, check_file, translate_errors
from napari_semst.io.formats.gzipped import is_packed, open_bytes, unpacked_file
from napari_semst.io.formats.hdf5 import open_hdf5
from napari_semst.io.formats.sample_files import (
    files_of_samples,
    of_sample,
    sample_in,
)
from napari_semst.io.formats.tenx_on_disk import rows_on_disk
from napari_semst.io.gene_features import feature_kinds
from napari_semst.io.matrices import is_stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

GENE_IDS = "gene_ids"
_WHAT = "the 10x matrix"
_NEEDED = ("barcodes", "data", "indices", "indptr", "shape")
_H5_STEMS = (
    "filtered_feature_bc_matrix",
    "raw_feature_bc_matrix",
    "filtered_feature_cell_matrix",
    "raw_feature_cell_matrix",
)
# Unpacked, the largest matrices of the maker (bins of 2 micrometres) take 2 GB.
_LARGEST = 16_000 * MEGABYTE
_LARGEST_NAMES = 2_000 * MEGABYTE
# Of an entry of a matrix as text: in the file at least, and while it is read.
_ENTRY_BYTES = {"coordinate": 4, "array": 2}
_READ_BYTES = 16


@dataclass(frozen=True, slots=True)
class MarketFiles:
    """The three files of a matrix as text: Matrix Market, features, barcodes."""

    matrix: Path
    features: Path
    barcodes: Path


def can_read(path: Path) -> bool:
    """Return whether a path is a 10x matrix, judged by what is inside.

    It is a file of HDF5, also packed, or a Matrix Market file beside its features and
    barcodes.
    """
    if not path.is_file():
        return False
    if is_market(path):
        return market_files(path) is not None and _is_market_inside(path)
    if not _is_hdf5(path):
        return False
    with _open_h5(path) as file:
        return _matrix_group(file) is not None


def is_market(path: Path) -> bool:
    """Return whether a file is named as Matrix Market files are."""
    return path.name.lower().removesuffix(".gz").endswith(".mtx")


def is_mtx_folder(path: Path) -> bool:
    """Return whether a folder holds one matrix with its features and barcodes."""
    return path.is_dir() and market_files(path) is not None


def triples_in(folder: Path) -> dict[str, MarketFiles]:
    """Return the matrices as text in a folder by sample, ``""`` for one without a name.

    Repositories put the sample's name before those of the three files.
    """
    matrices, features, barcodes = (
        files_of_samples(folder, stems, (end,))
        for stems, end in (
            (("matrix",), ".mtx"),
            (("features", "genes"), ".tsv"),
            (("barcodes",), ".tsv"),
        )
    )
    found = {}
    for sample, matrix in matrices.items():
        alone = len(matrices) == 1
        names = of_sample(features, sample, alone=alone)
        spots = of_sample(barcodes, sample, alone=alone)
        if names is not None and spots is not None:
            found[sample] = MarketFiles(matrix, names, spots)
    return found


def market_files(path: Path) -> MarketFiles | None:
    """Return the three files of a matrix as text, None where they are not clear.

    Parameters
    ----------
    path
        The folder of one matrix, or the Matrix Market file.
    """
    if path.is_dir():
        found = triples_in(path)
        own = list(found.values()) if "" not in found else [found[""]]
        return own[0] if len(own) == 1 else None
    beside = triples_in(path.absolute().parent).values()
    same = (files for files in beside if files.matrix.name == path.name)
    return next(same, None)


def matrix_files(path: Path) -> list[Path]:
    """Return the files that a matrix is read from."""
    files = market_files(path) if path.is_dir() or is_market(path) else None
    return [path] if files is None else [files.matrix, files.features, files.barcodes]


def lacking_in(folder: Path) -> str:
    """Return what a folder lacks beside a Matrix Market file, empty without one."""
    matrices = files_of_samples(folder, ("matrix",), (".mtx",))
    whole = triples_in(folder)
    lacking = [file for sample, file in matrices.items() if sample not in whole]
    if not lacking:
        return ""
    names = [file.name for file in lacking]
    beside = sorted(p.name for p in folder.iterdir() if p not in lacking)
    return (
        f"beside {abbreviate(names)} in {folder} there must be features.tsv (or "
        "genes.tsv) and barcodes.tsv, with the same name in front and also with .gz; "
        f"found: {abbreviate(beside)}"
    )


def sample_of(path: Path) -> str:
    """Return the sample that the name of a matrix tells, empty where it tells none."""
    name = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    stems = ("matrix",) if is_market(path) else _H5_STEMS
    return next((s for stem in stems if (s := sample_in(name, stem))), "")


def read_matrix(path: Path, *, on_disk: bool = False) -> AnnData:
    """Return the expression matrix of a 10x .h5 file or Matrix Market folder.

    Parameters
    ----------
    on_disk
        Leave counts in an .h5 that is not packed where they would take more than a
        quarter of the memory: X is then anndata's sparse matrix on disk.

    Returns
    -------
    anndata.AnnData
        X of shape ``(n_barcodes, n_features)``, CSR float32; var names are unique gene
        symbols, ``var["gene_ids"]`` the Ensembl ids. Features of every type are there,
        ``var["feature_types"]`` says which; genes have the first claim to a name.

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
        if path.is_dir() or is_market(path):
            matrix, barcodes, var = _read_mtx(path)
        else:
            matrix, barcodes, var = _read_h5(check_file(path, _WHAT), on_disk=on_disk)
        if not is_stored(matrix):
            # An index outside the matrix would crash the compiled code that uses it.
            matrix.check_format(full_check=True)
        if matrix.shape != (len(barcodes), len(var)):
            raise InputError(
                f"Expected {_WHAT} {path} to be barcodes x features; it is "
                f"{matrix.shape} with {len(barcodes)} barcodes, {len(var)} features."
            )
        _refuse_doubles(barcodes, path)
        kinds = feature_kinds(var.index, var)
        # What shares a gene's name, as its protein does, is told apart from it.
        order = np.argsort(~kinds.genes, kind="stable")
        names = np.empty(len(var), dtype=object)
        names[order] = make_index_unique(pd.Index(var.index.astype(str)[order]))
        var.index = pd.Index(names)
        if not is_stored(matrix):
            matrix = sparse.csr_matrix(matrix, dtype=np.float32)
        return anndata.AnnData(matrix, obs=pd.DataFrame(index=barcodes), var=var)


def matrix_size(path: Path) -> tuple[int, int]:
    """Return the number of barcodes and of features in a matrix, without reading it.

    Raises
    ------
    InputError
        If it is damaged or not such a matrix.
    """
    if path.is_dir() or is_market(path):
        return _size_of_mtx(path)
    with translate_errors(path, _WHAT), _open_h5(check_file(path, _WHAT)) as file:
        group = _matrix_group(file)
        if group is None:
            raise InputError(
                f"Expected {_WHAT} at {path}; the file holds: {abbreviate(list(file))}."
            )
        check_fits(sum(group[part].nbytes for part in _NEEDED), path, _WHAT)
        n_features, n_barcodes = (int(n) for n in group["shape"][()])
        return n_barcodes, n_features


def matrix_features(path: Path) -> pd.DataFrame:
    """Return the features of a matrix by name, without reading its counts.

    Raises
    ------
    InputError
        If it is damaged or not such a matrix.
    """
    if path.is_dir() or is_market(path):
        return _market_features(_expected_market_files(path))
    with translate_errors(path, _WHAT), _open_h5(check_file(path, _WHAT)) as file:
        return _h5_features(_matrix_group(file))


def library_of(path: Path) -> str | None:
    """Return the library's name that Space Ranger leaves in its HDF5 matrix."""
    if path.is_dir() or is_market(path):
        return None
    with translate_errors(path, _WHAT), _open_h5(path) as file:
        names = np.ravel(file.attrs.get("library_ids", []))
        return _texts(names)[0] if len(names) else None


@contextmanager
def _open_h5(path: Path) -> Iterator[Any]:
    """Open a file of HDF5, unpacked for as long where it is packed."""
    if not _is_hdf5(path):
        raise InputError(
            f"Expected {_WHAT} (.h5, or .mtx with features and barcodes) at {path}; it "
            "is neither HDF5 nor Matrix Market. Choose another file, or download it "
            "again."
        )
    with (
        unpacked_file(path, _WHAT, _LARGEST) as plain,
        open_hdf5(path, _WHAT, plain) as file,
    ):
        yield file


def _is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5, judged by its first bytes where it is packed."""
    import h5py

    if not is_packed(path):
        return bool(h5py.is_hdf5(path))
    with open_bytes(path, _WHAT, _LARGEST) as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _is_market_inside(path: Path) -> bool:
    with open_bytes(path, _WHAT, _LARGEST) as file:
        return file.read(14) == b"%%MatrixMarket"


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


def _read_h5(path: Path, *, on_disk: bool = False) -> tuple[Any, Any, Any]:
    import pandas as pd
    from scipy import sparse

    with _open_h5(path) as file:
        group = _matrix_group(file)
        if group is None:
            raise InputError(
                f"Expected {_WHAT} at {path}; the file holds: {abbreviate(list(file))}."
            )
        stays = on_disk and not is_packed(path)
        stored = rows_on_disk(path, group) if stays else None
        if stored is None:
            check_fits(sum(group[part].nbytes for part in _NEEDED), path, _WHAT)
            parts = (group["data"][()], group["indices"][()], group["indptr"][()])
        n_features, n_barcodes = (int(n) for n in group["shape"][()])
        barcodes = _texts(group["barcodes"][()])
        var = _h5_features(group)
    if stored is not None:
        return stored, pd.Index(barcodes), var
    # The file is features x barcodes by column: the same arrays by row, turned.
    matrix = sparse.csr_matrix(parts, shape=(n_barcodes, n_features))
    return matrix, pd.Index(barcodes), var


def _h5_features(group: Any) -> pd.DataFrame:
    """Return the table of features of a matrix in HDF5."""
    import pandas as pd

    if "features" in group:
        features = group["features"]
        names, ids = features["name"][()], features["id"][()]
        more = {"feature_types": "feature_type", "genome": "genome"}
    else:
        # Of version 2.
        features, more = group, {}
        names, ids = group["gene_names"][()], group["genes"][()]
    columns = {GENE_IDS: _texts(ids)}
    columns |= {k: _texts(features[v][()]) for k, v in more.items() if v in features}
    return pd.DataFrame(columns, index=pd.Index(_texts(names)))


def _market_features(files: MarketFiles) -> pd.DataFrame:
    """Return the table of features beside a Matrix Market file."""
    import pandas as pd

    table = _names_table(files.features, "the features file")
    columns = {GENE_IDS: table[0].to_numpy()}
    if table.shape[1] > 2:
        columns["feature_types"] = table[2].to_numpy()
    symbols = table[1] if table.shape[1] > 1 else table[0]
    return pd.DataFrame(columns, index=pd.Index(symbols.to_numpy()))


def _size_of_mtx(path: Path) -> tuple[int, int]:
    from scipy import io as scipy_io

    files = _expected_market_files(path)
    with translate_errors(files.matrix, _WHAT):
        n_features, n_barcodes = scipy_io.mminfo(files.matrix)[:2]
    return int(n_barcodes), int(n_features)


def _expected_market_files(path: Path) -> MarketFiles:
    files = market_files(path)
    if files is not None:
        return files
    folder = path if path.is_dir() else path.absolute().parent
    samples = triples_in(folder)
    if len(samples) > 1:
        raise InputError(
            f"Expected one matrix.mtx in {folder}; found those of {len(samples)} "
            f"samples: {abbreviate(list(samples))}. Name the matrix file of one."
        )
    found = abbreviate(sorted(p.name for p in folder.iterdir()))
    raise InputError(
        "Expected matrix.mtx, features.tsv (or genes.tsv) and barcodes.tsv, each also "
        f"with .gz and a sample's name in front, in {folder}; found: {found}."
    )


def _names_table(path: Path, what: str) -> Any:
    """Return a table without a header of features or barcodes, all as text."""
    import pandas as pd

    check_file(path, what, at_most=_LARGEST_NAMES)
    with translate_errors(path, what), open_bytes(path, what, _LARGEST_NAMES) as file:
        return pd.read_csv(file, sep="\t", header=None, dtype=str, na_filter=False)


def _read_mtx(path: Path) -> tuple[Any, Any, Any]:
    import pandas as pd
    from scipy import sparse

    files = _expected_market_files(path)
    var = _market_features(files)
    barcodes = _names_table(files.barcodes, "the barcodes file")
    with translate_errors(files.matrix, _WHAT):
        check_file(files.matrix, _WHAT)
        _check_header(files.matrix, len(var), len(barcodes))
        matrix = sparse.csr_matrix(read_market(files.matrix).T)
    return matrix, pd.Index(barcodes[0].to_numpy()), var


def read_market(file: Path) -> Any:
    """Return what a Matrix Market file holds, sparse.

    Raises
    ------
    InputError
        If it declares more entries than it has room for, or than fit into memory.
    """
    import inspect

    import scipy.io as scipy_io

    entries, layout = scipy_io.mminfo(file)[2:4]
    least = _ENTRY_BYTES.get(layout, 1)
    packed = MOST_SHRUNK if is_packed(file) else 1
    if entries * least > packed * file.stat().st_size:
        raise InputError(
            f"Expected {_WHAT} {file} to hold what it declares, {entries:,} entries; "
            f"it holds {file.stat().st_size / 1e6:,.1f} MB. It is cut short or "
            "damaged: copy or download it again."
        )
    check_fits(entries * _READ_BYTES, file, _WHAT)
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
