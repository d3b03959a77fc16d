"""Principal components of expression, averaged over spatial neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from napari_semst.prepare.leading_axes import axes_of_scatter
from napari_semst.prepare.normalise import scale_depth, with_values
from napari_semst.prepare.rows import (
    never_ends,
    row_blocks,
    some_rows,
    total_per_spot,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from napari_semst.prepare.rows import CountRows


# Axes are found on a sample of this many spots; every spot is then projected.
FITTED_SPOTS = 50_000
_FEW_GENES = 1000
_CHUNK_SPOTS = 50_000
_DENSE_SPOTS = 4096
# Above so many values they are averaged so many columns at a time; to the same bits.
_WHOLE_VALUES, _COLUMNS_AT_ONCE = 20_000_000, 10


def median_depth(counts: CountRows) -> float:
    """Return the median total of the spots that have counts; 1 where none has.

    A fixed 10,000 would blow up small panels and shallow sections, and with them the
    noise of single counts under a root or logarithm.
    """
    totals = total_per_spot(counts)
    seen = totals[totals > 0]
    return float(np.median(seen)) if len(seen) else 1.0


def sqrt_transform(scaled: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return square roots, which steady the variance of counts; zeros stay zeros."""
    return with_values(scaled, np.sqrt(scaled.data))


def log1p_transform(scaled: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return log(1 + x); zeros stay zeros."""
    return with_values(scaled, np.log1p(scaled.data))


class PrincipalAxes(NamedTuple):
    """Axes on which any spots can be placed.

    Parameters
    ----------
    offset
        What the mean spot scores on each axis, ``(width,)``.
    axes
        Shape ``(n_genes, width)``.
    """

    offset: NDArray[np.floating]
    axes: NDArray[np.floating]

    def scores(self, matrix: sparse.csr_matrix) -> NDArray[np.float32]:
        """Return the place of each spot on every axis, ``(n_spots, width)``."""
        scores = np.empty((matrix.shape[0], self.axes.shape[1]), np.float32)
        for start in range(0, len(scores), _CHUNK_SPOTS):
            part = slice(start, start + _CHUNK_SPOTS)
            scores[part] = matrix[part] @ self.axes - self.offset
        return scores


def principal_axes(
    matrix: sparse.csr_matrix,
    n_components: int,
    seed: int,
    sections: NDArray[np.int32] | None = None,
) -> PrincipalAxes:
    """Return the leading principal axes; centring stays implicit.

    Parameters
    ----------
    matrix
        Sparse values, shape ``(n_spots, n_genes)``.
    n_components
        Wanted; fewer where the matrix is smaller.
    seed
        Seed of the solver's first vector, and of the sample of large sections.
    sections
        Section of each spot: the axes are then those along which spots differ inside
        sections; `None` for one section.
    """
    width = min(n_components, min(matrix.shape) - 1)
    if width < 1:
        every = np.eye(matrix.shape[1], dtype=np.float32)
        return PrincipalAxes(np.zeros(len(every), np.float32), every)
    fitted = matrix
    chosen = _sampled(matrix.shape[0], seed)
    if chosen is not None:
        fitted = matrix[chosen]
        sections = None if sections is None else sections[chosen]
    if sections is not None:
        return _axes_inside(fitted, width, seed, sections)
    # Few genes: the covariance is small and exact; many: Lanczos on the sparse matrix.
    find = _axes_of_covariance if matrix.shape[1] <= _FEW_GENES else _axes_by_blocks
    mean, axes = find(fitted, width, seed)
    return PrincipalAxes((mean @ axes).astype(np.float32), axes.astype(np.float32))


def _transformed(
    counts: sparse.csr_matrix, depth: float
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return roots and logarithms of counts scaled to one depth."""
    scaled = scale_depth(counts, depth)
    return sqrt_transform(scaled), log1p_transform(scaled)


def _sampled(n_spots: int, seed: int) -> NDArray[np.int64] | None:
    """Return the spots that axes are found on, rising; `None` for all."""
    if n_spots <= FITTED_SPOTS:
        return None
    random = np.random.default_rng(seed)
    return np.sort(random.choice(n_spots, FITTED_SPOTS, replace=False))


class ExpressionAxes(NamedTuple):
    """The axes of a section's expression, for it and for others like it.

    Parameters
    ----------
    depth
        Counts to which every spot is scaled.
    root, logged
        Axes of the square root and of the logarithm of scaled counts.
    """

    depth: float
    root: PrincipalAxes
    logged: PrincipalAxes

    @classmethod
    def of_section(
        cls,
        counts: CountRows,
        n_components: int,
        seed: int,
        sections: NDArray[np.int32] | None = None,
        check: Callable[[], None] = never_ends,
    ) -> tuple[ExpressionAxes, NDArray[np.float32], NDArray[np.float32]]:
        """Return the axes of a section, and its scores on the two kinds.

        Parameters
        ----------
        counts
            Raw counts of the chosen genes, shape ``(n_spots, n_genes)``.
        n_components
            Wanted; at most half as many as genes are found.
        check
            As for `row_blocks`.
        """
        # Of a small panel the last components are each gene's own noise.
        width = min(n_components, max(counts.shape[1] // 2, 2))
        depth = median_depth(counts)
        chosen = _sampled(counts.shape[0], seed)
        fitted = some_rows(counts, chosen)
        if chosen is not None and sections is not None:
            sections = sections[chosen]
        axes = cls(
            depth,
            *(
                principal_axes(transformed, width, seed, sections)
                for transformed in _transformed(fitted, depth)
            ),
        )
        check()
        return axes, *axes.scores(counts, check)

    def scores(
        self, counts: CountRows, check: Callable[[], None] = never_ends
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the scores of any section's spots, from counts of the same genes.

        Parameters
        ----------
        check
            As for `row_blocks`.
        """
        n_spots = counts.shape[0]
        root, logged = (
            np.empty((n_spots, one.axes.shape[1]), np.float32)
            for one in (self.root, self.logged)
        )
        # Scaled counts of all spots would take as much as the counts do.
        for spots, rows in row_blocks(counts, check):
            of_root, of_log = _transformed(rows, self.depth)
            root[spots] = self.root.scores(of_root)
            logged[spots] = self.logged.scores(of_log)
        return root, logged

    def arrays(self) -> dict[str, NDArray[np.floating]]:
        """Return everything as named arrays."""
        return {
            "depth": np.array([self.depth]),
            "root.offset": self.root.offset,
            "root.axes": self.root.axes,
            "logged.offset": self.logged.offset,
            "logged.axes": self.logged.axes,
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.floating]]) -> ExpressionAxes:
        """Return what `arrays` was made from."""
        both = (
            PrincipalAxes(arrays[f"{kind}.offset"], arrays[f"{kind}.axes"])
            for kind in ("root", "logged")
        )
        return cls(float(arrays["depth"][0]), *both)


def _axes_of_covariance(
    matrix: sparse.csr_matrix, width: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the leading axes, ``(n_genes, width)``; nothing is random.

    A few rows at a time are made dense: products of sparse matrices with each other
    take ten times as long.
    """
    n_spots, n_genes = matrix.shape
    mean = np.asarray(matrix.mean(axis=0, dtype=np.float64)).ravel()
    square = np.zeros((n_genes, n_genes))
    for start in range(0, n_spots, _DENSE_SPOTS):
        rows = matrix[start : start + _DENSE_SPOTS].toarray().astype(np.float64)
        square += rows.T @ rows
    covariance = square / n_spots - np.outer(mean, mean)
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, :width]
    return mean, _with_signs(axes)


def _axes_by_blocks(
    matrix: sparse.csr_matrix, width: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the leading axes of many genes; centring stays implicit."""
    mean = np.asarray(matrix.mean(axis=0, dtype=np.float64)).ravel()
    one = np.zeros(matrix.shape[0], np.int32)
    axes = axes_of_scatter(matrix, mean[None], one, width, seed)
    return mean, _with_signs(axes)


def _with_signs(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    # An axis has no direction of its own: its largest entry shall be positive.
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return axes * np.where(largest < 0, -1.0, 1.0)


def _axes_inside(
    matrix: sparse.csr_matrix,
    width: int,
    seed: int,
    sections: NDArray[np.int32],
) -> PrincipalAxes:
    """Return the axes of the spots about the means of their sections."""
    n_spots = matrix.shape[0]
    sizes = np.bincount(sections).astype(np.float64)
    owner = sparse.csr_matrix(
        (np.ones(n_spots), (sections, np.arange(n_spots))), (len(sizes), n_spots)
    )
    # Added up in double precision, as the ones of `owner` are.
    means = np.asarray((owner @ matrix).todense()) / np.maximum(sizes, 1)[:, None]
    axes = _with_signs(axes_of_scatter(matrix, means, sections, width, seed))
    mean = (sizes @ means) / n_spots
    return PrincipalAxes((mean @ axes).astype(np.float32), axes.astype(np.float32))


def dense_axes(
    values: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean ``(width,)`` and all principal axes ``(width, width)``."""
    mean = np.mean(values, axis=0)
    scatter = np.zeros((len(mean), len(mean)))
    for start in range(0, len(values), _CHUNK_SPOTS):
        some = values[start : start + _CHUNK_SPOTS]
        centred = np.asarray(some, dtype=np.float64) - mean
        scatter += centred.T @ centred
    _, axes = np.linalg.eigh(scatter)
    return mean.astype(np.float64), np.ascontiguousarray(axes[:, ::-1])


def rotate_to_axes(
    values: NDArray[np.floating],
    mean: NDArray[np.float64],
    axes: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return values less the mean on other axes, as `dense_axes` returns both."""
    rotated = np.empty((len(values), axes.shape[1]), np.float32)
    for start in range(0, len(values), _CHUNK_SPOTS):
        part = slice(start, start + _CHUNK_SPOTS)
        rotated[part] = (np.asarray(values[part], dtype=np.float64) - mean) @ axes
    return rotated


def nearest_places(
    coordinates: NDArray[np.floating], n_nearest: int
) -> NDArray[np.int32]:
    """Return the nearest spots of every spot, itself first, ``(n_spots, n_nearest)``.

    Asked some spots at a time: distances and long numbers are given away at once.
    """
    tree, n_spots = KDTree(coordinates), len(coordinates)
    nearest = np.empty((n_spots, n_nearest), np.int32)
    for start in range(0, n_spots, _CHUNK_SPOTS):
        some = coordinates[start : start + _CHUNK_SPOTS]
        found = tree.query(some, k=n_nearest)[1]
        nearest[start : start + len(some)] = found.reshape(len(some), n_nearest)
    return nearest


def neighbour_average(
    coordinates: NDArray[np.floating], n_neighbours: int
) -> sparse.csr_matrix:
    """Return the operator that averages each spot with its nearest spots."""
    n_spots = len(coordinates)
    k = min(n_neighbours, n_spots - 1)
    nearest = nearest_places(coordinates, k + 1)
    pointers = np.arange(0, n_spots * (k + 1) + 1, k + 1)
    weights = np.full(nearest.size, 1 / (k + 1), dtype=np.float32)
    average = sparse.csr_matrix((weights, nearest.ravel(), pointers), (n_spots,) * 2)
    average.sum_duplicates()
    return average


def smooth_over_neighbours(
    values: NDArray[np.floating], average: sparse.csr_matrix, rounds: int
) -> NDArray[np.float32]:
    """Return values averaged over neighbours, several times over."""
    result = np.asarray(values, dtype=np.float32)
    for step in range(rounds):
        result = averaged_once(result, average, in_place=step > 0)
    return result


def averaged_once(
    values: NDArray[np.float32], average: sparse.csr_matrix, *, in_place: bool = False
) -> NDArray[np.float32]:
    """Return values averaged over neighbours.

    Parameters
    ----------
    values
        Shape ``(n_spots, width)``.
    in_place
        Whether they may be written over, which spares a copy where there are many.
    """
    if values.size <= _WHOLE_VALUES:
        return np.asarray(average @ values)
    result = values if in_place else np.empty(values.shape, values.dtype)
    for start in range(0, values.shape[1], _COLUMNS_AT_ONCE):
        columns = slice(start, start + _COLUMNS_AT_ONCE)
        result[:, columns] = average @ np.ascontiguousarray(values[:, columns])
    return result
