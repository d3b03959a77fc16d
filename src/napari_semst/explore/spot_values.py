"""Numbers of a section's spots: of a gene, of a column, of an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.matrices import is_stored

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

TARGET_SUM = 1e4
_ROWS = 65_536
_ENOUGH = 10_000


def gene_values(tissue: AnnData, gene: str, totals: Floats | None = None) -> Floats:
    """Return a gene's expression, ``(n_spots,)``: log(1 + counts per 10,000), or X.

    Where X holds no counts it is shown as it is: to normalise twice would be wrong.

    Parameters
    ----------
    totals
        Counts per spot where they are known already, `count_totals`.

    Raises
    ------
    InputError
        If there is no such gene, or no X.
    """
    places = np.flatnonzero(np.asarray(tissue.var_names) == gene)
    if not len(places) or tissue.X is None:
        raise InputError(
            f"Expected a gene of the section; {gene!r} is none of its "
            f"{tissue.n_vars:,} genes. Names are told apart by case."
        )
    values = dense_column(tissue.X, int(places[0]))
    if not layer_holds_counts(tissue):
        return values
    totals = count_totals(tissue) if totals is None else totals
    scaled = np.divide(
        values * np.float32(TARGET_SUM),
        totals,
        out=np.zeros_like(values),
        where=totals > 0,
    )
    logged: Floats = np.log1p(scaled)
    return logged


def unit_of_genes(tissue: AnnData) -> str:
    """Return what the numbers of `gene_values` are."""
    if layer_holds_counts(tissue):
        return "log(1 + counts per 10,000)"
    return "as in X"


def count_totals(tissue: AnnData) -> Floats:
    """Return the sum of X per spot, shape ``(n_spots,)``."""
    if not is_stored(tissue.X):
        return np.asarray(tissue.X.sum(axis=1), dtype=np.float32).ravel()
    starts = range(0, tissue.n_obs, _ROWS)
    sums = [tissue.X[start : start + _ROWS].sum(axis=1) for start in starts]
    return np.concatenate([np.asarray(one, np.float32).ravel() for one in sums])


def layer_holds_counts(tissue: AnnData) -> bool:
    """Return whether X holds counts, by a glance at its first values."""
    if tissue.X is None:
        return False
    first = tissue.X[:100] if is_stored(tissue.X) else tissue.X
    data = getattr(first, "data", None)
    some = np.ravel(data if isinstance(data, np.ndarray) else tissue.X[:100])[:_ENOUGH]
    return bool(np.array_equal(some, np.rint(some)) and (some >= 0).all())


def dense_column(matrix: Any, place: int) -> Floats:
    """Return one column, without a copy of the matrix in another order."""
    # Here, as what opens files imports this module and must load quickly.
    from scipy import sparse

    if isinstance(matrix, sparse.csr_matrix | sparse.csr_array):
        found = np.zeros(matrix.shape[0], np.float32)
        for start in range(0, matrix.shape[0], _ROWS):
            stop = min(start + _ROWS, matrix.shape[0])
            first, last = matrix.indptr[start], matrix.indptr[stop]
            hits = np.flatnonzero(matrix.indices[first:last] == place) + first
            rows = np.searchsorted(matrix.indptr, hits, side="right") - 1
            np.add.at(found, rows, matrix.data[hits])
        return found
    column = matrix[:, [place]]
    if sparse.issparse(column):
        column = column.toarray()
    return np.asarray(column, dtype=np.float32).ravel()


def embedding_columns(tissue: AnnData) -> dict[str, int]:
    """Return the obsm keys that hold numbers, with how many columns each has."""
    columns = {}
    for key in map(str, tissue.obsm.keys()):
        value = tissue.obsm[key]
        shape = tuple(getattr(value, "shape", ()))
        kinds = getattr(value, "dtypes", None)
        numeric = (
            all(np.issubdtype(kind, np.number) for kind in kinds)
            if kinds is not None
            else np.issubdtype(getattr(value, "dtype", object), np.number)
        )
        if len(shape) == 2 and shape[1] and numeric:
            columns[key] = shape[1]
    return columns


def embedding_values(tissue: AnnData, key: str, column: int) -> Floats:
    """Return one column of an obsm entry, ``(n_spots,)``, or raise `InputError`."""
    there = embedding_columns(tissue)
    if not 0 <= column < there.get(key, 0):
        raise InputError(
            f"Expected a column of obsm; found no column {column + 1} of {key!r} "
            f"among {', '.join(there) or 'nothing'}."
        )
    return dense_column(np.asarray(tissue.obsm[key]), column)
