"""Spatial and expression neighbourhood graphs, in units of the tissue itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from napari_semst.core.threads import keep_limits
from napari_semst.errors import ConfigError, one_of
from napari_semst.prepare.components import nearest_places
from napari_semst.prepare.nearest import (
    LOOKED_INTO,
    nearest_by_cosine,
    nearest_in_groups,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_semst.config import PrepareConfig

# On a lattice nearly every nearest neighbour is one pitch away; among scattered
# cells of equal density the share within this tolerance stays below a half.
_PITCH_TOLERANCE = 0.15
_LATTICE_SHARE = 0.8
# Reach beyond whole rings, in pitches: ring n+1 of a hexagonal lattice starts at
# 0.866 (n+1), so that up to four rings none of it is caught.
_RING_SLACK = 0.2
# Above this many spots nearest neighbours by expression are approximate.
EXACT_FEATURE_SPOTS = 20_000
_FEATURE_COMPONENTS = 50
# Rows of a graph that are written over in one go.
_ROWS_AT_ONCE = 50_000
# Distances held at once by the exact search; scikit-learn would take a gigabyte.
_DISTANCES_MEGABYTES = 128


@dataclass(frozen=True, slots=True)
class Lattice:
    """Whether spots stand on a lattice, and how far apart.

    Parameters
    ----------
    regular
        Whether they do.
    pitch
        Median distance of a spot to its nearest neighbour, in coordinate units.
    """

    regular: bool
    pitch: float


def detect_lattice(coordinates: NDArray[np.floating]) -> Lattice:
    """Tell a lattice (Visium, ST arrays, bins) from scattered cells."""
    n_spots = len(coordinates)
    if n_spots < 3:
        return Lattice(regular=False, pitch=1.0)
    neighbours = min(2, n_spots - 1)
    distances, _ = KDTree(coordinates).query(coordinates, k=neighbours + 1)
    nearest = distances[:, 1]
    apart = nearest[nearest > 0]
    if not len(apart):
        return Lattice(regular=False, pitch=1.0)
    pitch = float(np.median(apart))
    # The second neighbour too: paired cells alone would look regular by the first.
    near = np.abs(distances[:, 1:] / pitch - 1) <= _PITCH_TOLERANCE
    return Lattice(regular=bool(near.mean() >= _LATTICE_SHARE), pitch=pitch)


def n_touching(coordinates: NDArray[np.floating]) -> int:
    """Return how many spots touch a spot: 4 on a square lattice, else 6."""
    n_spots = len(coordinates)
    if n_spots < 6:
        return 6
    distances, _ = KDTree(coordinates).query(coordinates, k=6)
    typical = np.median(distances[:, 1:], axis=0)
    # Four equal neighbours, then a jump by sqrt(2) to the diagonals.
    square = typical[3] < 1.35 * typical[0] and typical[4] > 1.15 * typical[3]
    return 4 if square else 6


def spatial_graph(
    coordinates: NDArray[np.floating], config: PrepareConfig
) -> tuple[sparse.csr_matrix, str]:
    """Return the spatial neighbours of every spot, and in words how they were found.

    Paper, equation 1, restated without pixels: rings of a lattice, or the nearest
    spots where there is none.

    Parameters
    ----------
    coordinates
        Shape ``(n_spots, 2)``.
    config
        ``spatial_graph``, ``n_rings`` and ``spatial_neighbours`` are read.

    Returns
    -------
    adjacency, description
        Symmetric, binary, without self loops, shape ``(n_spots, n_spots)``.
    """
    lattice = detect_lattice(coordinates)
    kind = config.spatial_graph
    if kind == "auto":
        kind = "rings" if lattice.regular else "knn"
    if kind == "rings":
        reach = (config.n_rings + _RING_SLACK) * lattice.pitch
        found = "lattice" if lattice.regular else "no lattice found, mean spacing used"
        text = f"{config.n_rings} ring(s) of neighbours ({found})"
        return ring_graph(coordinates, reach), text
    if kind == "knn":
        k = config.spatial_neighbours
        return nearest_graph(coordinates, k), f"{k} nearest spots"
    raise ConfigError(one_of("prepare.spatial_graph", kind, ("auto", "rings", "knn")))


def ring_graph(coordinates: NDArray[np.floating], reach: float) -> sparse.csr_matrix:
    """Return the pairs of spots not farther apart than ``reach``."""
    pairs = KDTree(coordinates).query_pairs(reach, output_type="ndarray")
    return symmetric_graph(pairs[:, 0], pairs[:, 1], len(coordinates))


def nearest_graph(
    coordinates: NDArray[np.floating], n_neighbours: int
) -> sparse.csr_matrix:
    """Return the union of every spot's nearest spots."""
    n_spots = len(coordinates)
    k = min(n_neighbours, n_spots - 1)
    if k < 1:
        return sparse.csr_matrix((n_spots, n_spots), dtype=np.float32)
    return graph_of_lists(nearest_places(coordinates, k + 1))


def touching_graph(average: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the union of the spots that an averaging operator reads for each spot."""
    pairs = average.tocoo()
    other = pairs.row != pairs.col
    return symmetric_graph(pairs.row[other], pairs.col[other], average.shape[0])


def feature_graph(
    expression: sparse.csr_matrix | NDArray[np.floating],
    n_neighbours: int,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> tuple[sparse.csr_matrix, str]:
    """Return the union of every spot's nearest spots by cosine of expression.

    Paper, equation 2. Exact up to `EXACT_FEATURE_SPOTS` spots; above, a spot is
    compared with those of the groups nearest to it, and expression that is no
    components yet is brought to 50 singular vectors before.

    Parameters
    ----------
    expression
        Scaled expression or components of it, shape ``(n_spots, width)``.
    check
        Called between pieces of the search; ends it by raising.
    """
    n_spots = expression.shape[0]
    k = min(n_neighbours, n_spots - 1)
    if k < 1:
        return sparse.csr_matrix((n_spots, n_spots), dtype=np.float32), "none"
    if n_spots > EXACT_FEATURE_SPOTS:
        return _approximate_feature_graph(expression, k, seed, check)
    if sparse.issparse(expression):
        nearest = _nearest_of_sparse(expression, k)
    else:
        nearest = nearest_by_cosine(expression, k, check)
    return graph_of_lists(nearest), f"{k} nearest by expression"


def _nearest_of_sparse(expression: sparse.csr_matrix, k: int) -> NDArray[np.integer]:
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    keep_limits()
    search = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute")
    with config_context(working_memory=_DISTANCES_MEGABYTES):
        # Asked without points, a spot is never its own neighbour, duplicates included.
        nearest: NDArray[np.integer] = search.fit(expression).kneighbors(
            return_distance=False
        )
    return nearest


def _approximate_feature_graph(
    expression: sparse.csr_matrix | NDArray[np.floating],
    k: int,
    seed: int,
    check: Callable[[], None],
) -> tuple[sparse.csr_matrix, str]:
    reduced, width = expression, expression.shape[1]
    if sparse.issparse(expression):
        from sklearn.decomposition import TruncatedSVD

        keep_limits()
        width = min(_FEATURE_COMPONENTS, min(expression.shape) - 1)
        reduced = TruncatedSVD(width, random_state=seed).fit_transform(expression)
        check()
    nearest, n_groups = nearest_in_groups(reduced, k, seed, check)
    text = (
        f"{k} nearest by expression (approximate: {width} components, "
        f"{min(LOOKED_INTO, n_groups)} of {n_groups} groups)"
    )
    return graph_of_lists(nearest), text


def with_loops(adjacency: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return a graph in which every spot is its own neighbour, too."""
    loops = sparse.eye_array(adjacency.shape[0], dtype=np.float32, format="csr")
    return sparse.csr_matrix(adjacency + loops)


def residual_adjacency(adjacency: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return ``D^-1/2 A D^-1/2 + I``; a spot without neighbours keeps itself.

    Parameters
    ----------
    adjacency
        Symmetric, without self loops.
    """
    degree = np.asarray(adjacency.sum(axis=1), dtype=np.float64).ravel()
    root = sparse.diags_array(1 / np.sqrt(np.maximum(degree, 1)))
    return with_loops(sparse.csr_matrix(root @ adjacency @ root, dtype=np.float32))


def normalised_adjacency(
    adjacency: sparse.csr_matrix, kind: str = "row"
) -> sparse.csr_matrix:
    """Return the graph with self loops, normalised by degree.

    Parameters
    ----------
    adjacency
        Symmetric, without self loops.
    kind
        ``row``: D^-1 (A + I), as the authors' code; ``symmetric``:
        D^-1/2 (A + I) D^-1/2, as the paper's equation 3.
    """
    if kind == "row":
        return _normalised_by_row(adjacency)
    looped = (adjacency + sparse.eye_array(adjacency.shape[0], format="csr")).tocsr()
    degree = np.asarray(looped.sum(axis=1), dtype=np.float64).ravel()
    if kind == "symmetric":
        root = sparse.diags_array(1 / np.sqrt(degree))
        scaled = root @ looped @ root
    else:
        raise ConfigError(one_of("prepare.normalisation", kind, ("row", "symmetric")))
    return sparse.csr_matrix(scaled, dtype=np.float32)


def _normalised_by_row(adjacency: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return D^-1 (A + I), written over A + I some rows at a time.

    A product of sparse matrices would hold two more graphs. As it does, the columns of
    a row fall: sums over neighbours are the same bits that they were.
    """
    n_spots = adjacency.shape[0]
    looped = with_loops(adjacency)
    degree = np.asarray(looped.sum(axis=1), dtype=np.float64).ravel()
    columns, data, pointers = looped.indices, looped.data, looped.indptr
    for start in range(0, n_spots, _ROWS_AT_ONCE):
        rows = pointers[start : start + _ROWS_AT_ONCE + 1]
        part, lengths = slice(rows[0], rows[-1]), np.diff(rows)
        # Positions counted from the end of a row as others are from its beginning.
        turned = np.repeat(rows[:-1] + rows[1:] - 1, lengths)
        turned = turned - np.arange(rows[0], rows[-1]) - rows[0]
        by = np.repeat(1 / degree[start : start + _ROWS_AT_ONCE], lengths)
        data[part] = (by * data[part])[turned]
        columns[part] = columns[part][turned]
    return sparse.csr_matrix((data, columns, pointers), shape=looped.shape)


def graph_of_lists(nearest: NDArray[np.integer]) -> sparse.csr_matrix:
    """Return the symmetric graph of lists, whose empty places are negative."""
    n_spots = len(nearest)
    # Pairs of numbers would take six times what the graph does.
    other = (nearest != np.arange(n_spots)[:, None]) & (nearest >= 0)
    pointers = np.concatenate([[0], np.cumsum(other.sum(axis=1))])
    columns = nearest[other].astype(np.int32, copy=False)
    there = np.ones(len(columns), bool)
    one = sparse.csr_matrix((there, columns, pointers), shape=(n_spots, n_spots))
    one.sum_duplicates()
    both = (one + one.T.tocsr()).tocsr()
    both.sort_indices()
    ones = np.ones(both.nnz, np.float32)
    return sparse.csr_matrix((ones, both.indices, both.indptr), shape=both.shape)


def symmetric_graph(
    rows: NDArray[np.integer], columns: NDArray[np.integer], n_spots: int
) -> sparse.csr_matrix:
    """Return pairs of spots as a symmetric, binary graph."""
    both = np.concatenate([rows, columns]), np.concatenate([columns, rows])
    ones = np.ones(len(both[0]), dtype=np.float32)
    graph = sparse.csr_matrix((ones, both), shape=(n_spots, n_spots))
    graph.sum_duplicates()
    graph.data[:] = 1.0
    return graph
