"""The top genes of each spot, ranked without a loop over spots."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_semst.errors import SemanticsError
from napari_semst.genes.gene_names import is_uninformative
from napari_semst.genes.table import readable_names
from napari_semst.semantics.base import (
    NO_GENE,
    CancelCheck,
    GeneLists,
    ProgressCallback,
    check_cancelled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Values held at once while ranking; bounds memory at about 100 MB.
CHUNK_VALUES = 4_000_000


def rank_genes(
    matrix: sparse.csr_matrix | sparse.csr_array | NDArray[Any],
    genes: Sequence[str] | NDArray[np.str_],
    n_listed: int = 20,
    *,
    ids: NDArray[np.str_] | None = None,
    leave_out_uninformative: bool = True,
    progress: ProgressCallback | None = None,
    cancelled: CancelCheck | None = None,
) -> GeneLists:
    """Return the `n_listed` highest genes of each spot, highest first.

    Equal values keep the order of the genes; genes at zero are never listed.

    Parameters
    ----------
    matrix
        Spots x genes, not negative. The scaled matrix gives the authors' "scaled"
        ranking (genes specific to a spot), raw counts the "expression" ranking.
    genes
        Gene names, shape ``(n_genes,)``; human Ensembl ids become symbols where the
        built-in table knows them.
    n_listed
        Genes per spot (k_g in the paper: 20 or 30).
    ids
        Ensembl ids of the genes, shape ``(n_genes,)``, for the source; None for none.
    leave_out_uninformative
        Leave out mitochondrial, ribosomal and nameless genes.

    Raises
    ------
    SemanticsError
        If names and matrix disagree, `n_listed` is below 1, or values are not finite.
    """
    names = readable_names(genes)
    table = _checked(matrix, names, n_listed)
    if leave_out_uninformative:
        kept = np.flatnonzero(~is_uninformative(names))
    else:
        kept = np.arange(len(names))
    indices = np.full((table.shape[0], n_listed), NO_GENE, dtype=np.int32)
    bounds = _chunk_bounds(table.indptr)
    for start, stop in pairwise(bounds):
        check_cancelled(cancelled)
        # An order of columns is kept by slicing, so ties still follow gene order.
        part = table[start:stop]
        part = part if len(kept) == len(names) else sparse.csr_matrix(part[:, kept])
        indices[start:stop] = _top_of_chunk(part, n_listed, kept)
        if progress is not None:
            progress(int(stop), table.shape[0])
    return GeneLists(genes=names, indices=indices, ids=ids)


def _checked(matrix: Any, names: NDArray[np.str_], n_listed: int) -> sparse.csr_matrix:
    """Return the matrix as canonical CSR, or say what is wrong with it."""
    if n_listed < 1:
        raise SemanticsError(f"Expected 1 or more genes per spot; got {n_listed}.")
    table = sparse.csr_matrix(matrix)
    if table.shape[1] != len(names):
        raise SemanticsError(
            f"Expected one name per gene: the matrix has {table.shape[1]} genes, the "
            f"list of names {len(names)}. Take both from the same table."
        )
    if not np.isfinite(table.data).all():
        raise SemanticsError(
            "Expected finite expression values; found NaN or infinity. Remove spots "
            "without counts before scaling."
        )
    if not table.has_canonical_format:
        table = table.copy()  # the caller's matrix is never changed
        table.sum_duplicates()
    return table


def _chunk_bounds(pointers: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return chunk limits so that (spots x longest spot) fits the value budget."""
    n_spots = len(pointers) - 1
    longest = max(int(np.diff(pointers).max(initial=0)), 1)
    step = max(CHUNK_VALUES // longest, 1)
    return np.append(np.arange(0, n_spots, step), n_spots)


def _top_of_chunk(
    chunk: sparse.csr_matrix, n_listed: int, kept: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Return the top genes of a few spots, shape ``(n_spots, n_listed)``."""
    n_spots = chunk.shape[0]
    lengths = np.diff(chunk.indptr)
    width = max(int(lengths.max(initial=0)), n_listed)
    # Stored values side by side, one row per spot: far narrower than the genes.
    rows = np.repeat(np.arange(n_spots), lengths)
    places = np.arange(chunk.nnz) - np.repeat(chunk.indptr[:-1], lengths)
    precision = np.result_type(chunk.data.dtype, np.float32)
    values = np.full((n_spots, width), -np.inf, dtype=precision)
    columns = np.full((n_spots, width), NO_GENE, dtype=np.int64)
    expressed = chunk.data > 0
    values[rows, places] = np.where(expressed, chunk.data, -np.inf)
    columns[rows, places] = np.where(expressed, kept[chunk.indices], NO_GENE)
    picked = _first_largest(values, n_listed)
    return np.take_along_axis(columns, picked, axis=1).astype(np.int32)


def _first_largest(values: NDArray[Any], n_largest: int) -> NDArray[np.int64]:
    """Return positions of the largest values per row, ties in order of position."""
    width = values.shape[1]
    limit = np.partition(values, width - n_largest, axis=1)[:, [width - n_largest]]
    above = values > limit
    at_limit = values == limit
    wanted = n_largest - above.sum(axis=1, keepdims=True)
    chosen = above | (at_limit & (np.cumsum(at_limit, axis=1) <= wanted))
    positions = np.nonzero(chosen)[1].reshape(len(values), n_largest)
    order = np.argsort(
        -np.take_along_axis(values, positions, axis=1), axis=1, kind="stable"
    )
    return np.take_along_axis(positions, order, axis=1)
