"""Raw counts: found, checked, or refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import CountsError
from napari_semst.io.checks import abbreviate
from napari_semst.io.count_origins import origin_of
from napari_semst.io.matrices import (
    as_csr,
    describe,
    is_stored,
    named_layers,
    row_chunks,
    stored_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

# How far a count may be from a whole number, and the largest that is believed.
TOLERANCE = 1e-6
LARGEST_COUNT = 1e9
RAW = "raw"
# What a quick check looks at.
_QUICK, _QUICK_ROWS = 10_000, 100


_NAMES_OF_COUNTS = ("counts", "raw_counts")


@dataclass(frozen=True, slots=True)
class CountsFound:
    """Raw counts and where they were found.

    Parameters
    ----------
    matrix
        CSR float32 (float64 above 2^24), shape ``(n_spots, n_genes)``, genes in the
        order of ``var_names``. It may share memory with the tissue: do not write.
    where
        ``"X"``, ``"layers['counts']"`` or ``"raw"``.
    """

    matrix: sparse.csr_matrix
    where: str


def find_counts(adata: AnnData, layer: str = "") -> CountsFound:
    """Return the raw counts of a tissue; nothing is changed.

    Parameters
    ----------
    adata
        The tissue.
    layer
        A layer, ``"raw"`` or ``"X"``; empty takes X, and where X holds no counts
        refuses it and names what does.

    Raises
    ------
    CountsError
        If there is no such layer, or it holds no raw counts.
    """
    if layer:
        return _named(adata, layer)
    try:
        return CountsFound(_counts_in(adata.X), "X")
    except _NotCountsError as error:
        raise CountsError(_refusal(adata, adata.X, "X", error)) from error


class _NotCountsError(Exception):
    """What a matrix holds instead of counts."""


def _named(adata: AnnData, layer: str) -> CountsFound:
    where = place_of_counts(adata, layer)
    if where is None:
        has_raw = " and .raw" if adata.raw is not None else ""
        raise CountsError(
            f"Expected a layer named {layer!r}; found layers "
            f"{abbreviate(list(named_layers(adata)))}{has_raw}. Pick one as counts "
            "layer."
        )
    matrix = _matrix(adata, where, layer)
    try:
        return CountsFound(_counts_in(matrix), where)
    except _NotCountsError as error:
        raise CountsError(_refusal(adata, matrix, where, error)) from error


def _refusal(adata: AnnData, matrix: Any, where: str, error: Exception) -> str:
    """Return what was found instead of counts, and what to do."""
    known = origin_of(adata, matrix)
    found, remedy = known or (
        str(error),
        "No layer and no .raw holds counts either: open the file from before "
        "normalisation.",
    )
    advice = other_places(adata, where) or remedy
    return f"Expected raw counts in {where}; found {found}. {advice}"


def other_places(adata: AnnData, without: str) -> str:
    """Return where counts are to be had, in a sentence; empty if nowhere.

    Parameters
    ----------
    adata
        The tissue.
    without
        The place that holds none, as in `CountsFound.where`.
    """
    good = [
        (name, where)
        for name, where in _places(adata)
        if where != without and _holds_counts(adata, where, name)
    ]
    if len(good) == 1:
        name, where = good[0]
        return f"{where} holds counts: choose {name!r} as counts layer."
    if good:
        return f"Counts are in {' and '.join(w for _, w in good)}: choose one."
    return _raw_of_other_genes(adata, without)


def _raw_of_other_genes(adata: AnnData, without: str) -> str:
    """Return what to do where ``.raw`` holds counts, but not of all genes of X."""
    if adata.raw is None or without == RAW:
        return ""
    try:
        if not is_stored(adata.raw.X):
            _counts_in(adata.raw.X)
        elif not _are_counts(adata.raw.X):
            return ""
        raw_columns(adata)
    except _NotCountsError:
        return ""
    except CountsError:
        own, others = list(adata.var_names), list(adata.raw.var_names)
        missing = len(set(own) - set(others))
        return (
            f".raw holds counts, but {missing:,} of the {len(own):,} genes of X are "
            f"not in it by name (first in X: {abbreviate(own, 2)}; in .raw: "
            f"{abbreviate(others, 2)}). Save it as a file of its own: "
            "adata.raw.to_adata()."
        )
    return ""


def place_of_counts(adata: AnnData, layer: str) -> str | None:
    """Return where counts asked for stand, as in `CountsFound`; `None` if nowhere.

    Parameters
    ----------
    adata, layer
        As for `find_counts`.
    """
    return dict(_places(adata)).get(layer or "X")


def _places(adata: AnnData) -> Iterator[tuple[str, str]]:
    """Yield the names under which a matrix is asked for, and where each stands."""
    names = {"X": "X"}
    if adata.raw is not None:
        names[RAW] = RAW
    # A layer of the same name goes first.
    names |= {name: f"layers[{name!r}]" for name in named_layers(adata)}
    yield from names.items()


def _matrix(adata: AnnData, where: str, name: str) -> Any:
    if where == RAW:
        return _raw_of_these_genes(adata)
    return adata.X if where == "X" else adata.layers[name]


def _holds_counts(adata: AnnData, where: str, name: str) -> bool:
    try:
        if where == RAW:
            # Refuses other genes before any value is read.
            raw_columns(adata)
            if is_stored(adata.raw.X):
                return _are_counts(adata.raw.X)
        matrix = _matrix(adata, where, name)
        if is_stored(matrix):
            return _are_counts(matrix)
        _counts_in(matrix)
    except (_NotCountsError, CountsError):
        return False
    return True


def _raw_of_these_genes(adata: AnnData) -> Any:
    """Return ``.raw`` restricted to the genes of X, in their order."""
    columns = raw_columns(adata)
    held = adata.raw.X
    return held if columns is None else as_csr(held)[:, columns]


def raw_columns(adata: AnnData) -> NDArray[np.intp] | None:
    """Return which columns of ``.raw`` are the genes of X; `None` where it has these.

    Raises
    ------
    CountsError
        If ``.raw`` lacks any.
    """
    from anndata.utils import make_index_unique

    raw = adata.raw
    raw_names = raw.var_names
    if not raw_names.is_unique:
        raw_names = make_index_unique(raw_names)
    for names in (adata.var_names, *(adata.var.get(k) for k in _ID_COLUMNS)):
        if names is None:
            continue
        rows = raw_names.get_indexer(np.asarray(names, dtype=object))
        if (rows >= 0).all():
            same = np.array_equal(rows, np.arange(raw.shape[1]))
            return None if same else np.asarray(rows, np.intp)
    missing = int((raw_names.get_indexer(adata.var_names) < 0).sum())
    raise CountsError(
        f"Expected .raw to hold the {adata.n_vars:,} genes of X; {missing:,} are not "
        "in it. Choose another counts layer."
    )


# Names of the genes from before they were replaced by symbols.
_ID_COLUMNS = ("gene_ids", "ensembl_ids", "original_names")


def _counts_in(matrix: Any) -> sparse.csr_matrix:
    """Return a matrix as CSR if it holds counts."""
    if matrix is None:
        raise _NotCountsError("no matrix")
    dtype = np.dtype(getattr(matrix, "dtype", object))
    if dtype.kind not in "iuf":
        raise _NotCountsError(f"values of type {dtype}")
    csr = as_csr(matrix)
    largest, exact = 0.0, True
    for values in row_chunks(csr):
        if not is_count_matrix(values):
            raise _NotCountsError(describe(csr))
        largest = max(largest, float(values.max()))
        exact = exact and bool((values == np.rint(values)).all())
    if largest < 0.5:
        raise _NotCountsError("nothing but zeros")
    return _tidy(csr, largest, exact)


def quick_check(adata: AnnData, layer: str = "") -> tuple[str, list[str]]:
    """Return what is wrong with a tissue's counts at first sight; not what is right.

    Some ten thousand values are looked at, whatever the size of the section.

    Parameters
    ----------
    adata, layer
        As for `find_counts`.

    Returns
    -------
    tuple
        An example of what is no count, empty where nothing is wrong; and the places,
        as in `CountsFound.where`, that seem to hold counts instead.
    """
    places = dict(_places(adata))
    # Only a layer can be missing here: the others are asked for by name.
    where = places.get(layer or "X", "X")
    wrong = _at_first_sight(adata, where, layer)
    if not wrong:
        return "", []
    good = [
        other
        for name, other in places.items()
        if other != where and not _at_first_sight(adata, other, name)
    ]
    return wrong, good


def _at_first_sight(adata: AnnData, where: str, name: str) -> str:
    """Return an example of a value that is no count, empty where there is none."""
    raw = where == RAW and adata.raw is not None
    matrix = adata.raw.X if raw else _matrix(adata, where, name)
    if matrix is None:
        return "no matrix"
    stored = getattr(matrix, "data", None)
    sparse_or_not = stored if isinstance(stored, np.ndarray) else matrix[:_QUICK_ROWS]
    # Rows of a matrix on disk are sparse again.
    if hasattr(sparse_or_not, "tocsr"):
        sparse_or_not = sparse_or_not.data
    values = np.ravel(np.asarray(sparse_or_not)[:_QUICK])[:_QUICK]
    if values.dtype.kind not in "iuf":
        return f"values of type {values.dtype}"
    if is_count_matrix(values):
        return ""
    odd = values[(values < 0) | (np.abs(values - np.rint(values)) > TOLERANCE)]
    return f"values such as {odd[0]:.4g}" if len(odd) else "values that are no counts"


def other_counts(adata: AnnData) -> str:
    """Return a warning where X and a layer of counts both hold whole numbers.

    Corrected counts are whole as well (Seurat's SCTransform): they are not raw.
    """
    for name in _NAMES_OF_COUNTS:
        layer = named_layers(adata).get(name)
        if layer is None or _at_first_sight(adata, "X", "X"):
            continue
        if _at_first_sight(adata, f"layers[{name!r}]", name):
            continue
        used, other = map(_sum_of_values, (adata.X, layer))
        if abs(used - other) > 1e-6 * max(used, other):
            return (
                f"X and layers[{name!r}] both hold whole numbers, {used:,.0f} and "
                f"{other:,.0f} in all: X is used. If X was corrected, choose "
                f"{name!r} as counts layer."
            )
    return ""


def _sum_of_values(matrix: Any) -> float:
    if not is_stored(matrix):
        return float(matrix.sum(dtype=np.float64))
    return sum(float(v.sum(dtype=np.float64)) for v in stored_values(matrix))


def _are_counts(matrix: Any) -> bool:
    """Return whether a matrix on disk holds counts, some values at a time."""
    largest = 0.0
    for values in stored_values(matrix):
        if not is_count_matrix(values):
            return False
        largest = max(largest, float(values.max()))
    return largest >= 0.5


def is_count_matrix(values: NDArray[Any]) -> bool:
    """Return whether all values are whole, not negative and of a believable size.

    Parameters
    ----------
    values
        Of a matrix, of any shape and type; none at all are counts too.
    """
    if values.dtype.kind not in "iuf":
        return False
    if not values.size:
        return True
    if values.dtype.kind in "iu":
        return bool(values.min() >= 0 and values.max() <= LARGEST_COUNT)
    # Written so that NaN is refused too.
    in_range = (values >= -TOLERANCE) & (values <= LARGEST_COUNT)
    if not in_range.all():
        return False
    return bool((np.abs(values - np.rint(values)) <= TOLERANCE).all())


def _tidy(csr: sparse.csr_matrix, largest: float, exact: bool) -> sparse.csr_matrix:
    """Return the counts rounded, without stored zeros, as floats that hold them."""
    dtype = np.float32 if largest < 2**24 else np.float64
    tidy = csr.astype(dtype, copy=False)
    if not exact or (tidy.data < 0.5).any():
        # What follows writes in place, and the arrays may be the tissue's own.
        tidy = tidy.copy()
        np.rint(tidy.data, out=tidy.data)
        tidy.eliminate_zeros()
    return tidy
