"""Fields of view put together: which way up they lie on the slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

# Neighbours among which a cell of another field is looked for.
_AROUND = 6
# Pairs that are compared at most, and at least to be sure; genes at most.
_MOST, _FEWEST = 2000, 30
_GENES = 500
# Standard errors between both ways from which on one is right.
_SURE = 4.0


@dataclass(frozen=True, slots=True)
class FieldDirection:
    """Which way places of fields count along y, seen from places inside of them.

    Parameters
    ----------
    sign
        1 where both count the same way, -1 where fields count the other way.
    sure
        Whether cells at the borders of fields show it.
    """

    sign: int
    sure: bool


def field_direction(
    inside: NDArray[np.float64],
    corners: NDArray[np.float64],
    counts: sparse.csr_matrix,
    usual: int,
) -> FieldDirection:
    """Return the way that makes cells fit together across the borders of fields.

    Put together the wrong way, each field stays as it is but the fields above and below
    change places. Cells on both sides of a border are then less alike.

    Parameters
    ----------
    inside
        Places in the fields, shape ``(n_cells, 2)``.
    corners
        Where each cell's field lies, in the same unit, shape ``(n_cells, 2)``.
    counts
        CSR, shape ``(n_cells, n_genes)``.
    usual
        The sign to take where cells do not tell.
    """
    scores = {sign: _alike(inside, corners, counts, sign) for sign in (1, -1)}
    if min(map(len, scores.values())) < _FEWEST:
        return FieldDirection(usual, False)
    gap = scores[1].mean() - scores[-1].mean()
    error = np.sqrt(sum(values.var() / len(values) for values in scores.values()))
    if abs(gap) <= _SURE * error:
        return FieldDirection(usual, False)
    return FieldDirection(1 if gap > 0 else -1, True)


def _alike(
    inside: NDArray[np.float64],
    corners: NDArray[np.float64],
    counts: sparse.csr_matrix,
    sign: int,
) -> NDArray[np.float64]:
    """Return how alike cells are that face each other across a border along y.

    Shape ``(n_pairs,)``, the cosines of the deviations from the mean.
    """
    from scipy.spatial import KDTree

    known = np.flatnonzero(np.isfinite(inside).all(1) & np.isfinite(corners).all(1))
    if len(known) <= _AROUND:
        return np.empty(0)
    xy = inside[known] + corners[known] * (1, sign)
    _, fields = np.unique(corners[known, 1], return_inverse=True)
    _, near = KDTree(xy).query(xy, k=_AROUND + 1)
    others = fields[near] != fields[:, None]
    first = np.flatnonzero(others.any(axis=1))
    if not len(first):
        return np.empty(0)
    chosen = first[np.linspace(0, len(first) - 1, min(_MOST, len(first))).astype(int)]
    second = near[chosen, others[chosen].argmax(axis=1)]
    totals = np.asarray(counts.sum(axis=0)).ravel()
    often = counts[:, np.argsort(-totals, kind="stable")[:_GENES]]
    left, right = (_profiles(often, known[rows]) for rows in (chosen, second))
    mean = (left.mean(axis=0) + right.mean(axis=0)) / 2
    left, right = left - mean, right - mean
    length = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.asarray((left * right).sum(axis=1) / np.maximum(length, 1e-12))


def _profiles(
    counts: sparse.csr_matrix, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return roots of the shares of genes in cells, ``(n_rows, n_genes)``."""
    dense = np.asarray(counts[rows].toarray(), np.float64)
    totals = np.maximum(dense.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.sqrt(np.maximum(dense, 0) / totals), np.float64)
