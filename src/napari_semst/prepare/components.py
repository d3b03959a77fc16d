"""Principal components of expression, averaged over spatial neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from napari_semst.prepare.normalise import depth_scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Axes are found on a sample of this many spots; every spot is then projected.
FITTED_SPOTS = 50_000


def median_scaled(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return counts scaled to the section's median depth.

    A fixed 10,000 would blow up small panels and shallow sections, and with them the
    noise of single counts under a root or logarithm.
    """
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    seen = totals[totals > 0]
    return depth_scaled(counts, float(np.median(seen)) if len(seen) else 1.0)


def root(scaled: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return square roots, which steady the variance of counts; zeros stay zeros."""
    result = scaled.copy()
    result.data = np.sqrt(result.data)
    return result


def logged(scaled: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return log(1 + x); zeros stay zeros."""
    result = scaled.copy()
    result.data = np.log1p(result.data)
    return result


def principal_components(
    matrix: sparse.csr_matrix, n_components: int, seed: int
) -> NDArray[np.float32]:
    """Return the leading principal components; centring stays implicit.

    Parameters
    ----------
    matrix
        Sparse values, shape ``(n_spots, n_genes)``.
    n_components
        Wanted; fewer where the matrix is smaller.
    seed
        Seed of the solver's first vector, and of the sample of large sections.

    Returns
    -------
    scores
        Shape ``(n_spots, n_components)``, signs fixed, zero where all spots are
        alike.
    """
    from sklearn.decomposition import PCA

    width = min(n_components, min(matrix.shape) - 1)
    if width < 1:
        return np.asarray(matrix.toarray(), dtype=np.float32)
    fitted = matrix
    if matrix.shape[0] > FITTED_SPOTS:
        random = np.random.default_rng(seed)
        chosen = random.choice(matrix.shape[0], FITTED_SPOTS, replace=False)
        fitted = matrix[np.sort(chosen)]
    # Few genes: the covariance is small and exact; many: Lanczos on the sparse matrix.
    small = matrix.shape[1] <= 1000
    solver = "covariance_eigh" if small else "arpack"
    solve = PCA(width, svd_solver=solver, random_state=seed)
    solve.fit(fitted.astype(np.float64))
    axes = solve.components_.T.astype(np.float32)
    offset = (solve.mean_ @ solve.components_.T).astype(np.float32)
    return np.asarray(matrix @ axes - offset, dtype=np.float32)


def principal_components_dense(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return all principal components of a narrow dense matrix.

    Parameters
    ----------
    values
        Shape ``(n_spots, width)``, width small.
    """
    centred = np.asarray(values, dtype=np.float64) - np.mean(values, axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ axes[:, ::-1], dtype=np.float32)


def neighbour_average(
    coordinates: NDArray[np.floating], n_neighbours: int
) -> sparse.csr_matrix:
    """Return the operator that averages each spot with its nearest spots."""
    n_spots = len(coordinates)
    k = min(n_neighbours, n_spots - 1)
    _, nearest = KDTree(coordinates).query(coordinates, k=k + 1)
    nearest = nearest.reshape(n_spots, k + 1)
    pointers = np.arange(0, n_spots * (k + 1) + 1, k + 1)
    weights = np.full(nearest.size, 1 / (k + 1), dtype=np.float32)
    average = sparse.csr_matrix((weights, nearest.ravel(), pointers), (n_spots,) * 2)
    average.sum_duplicates()
    return average


def smoothed(
    values: NDArray[np.floating], average: sparse.csr_matrix, rounds: int
) -> NDArray[np.float32]:
    """Return values averaged over neighbours, several times over."""
    result = np.asarray(values, dtype=np.float32)
    for _ in range(rounds):
        result = np.asarray(average @ result)
    return result
