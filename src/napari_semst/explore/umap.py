"""A map of the spots by what they express, for the panel beside the tissue."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

MOST_SPOTS = 50_000
_COMPONENTS = 30


@dataclass(frozen=True, slots=True, eq=False)
class UmapView:
    """Places of spots on a plane.

    Parameters
    ----------
    places
        Shape ``(n_shown, 2)``.
    spots
        Which spots they are; all of them below `MOST_SPOTS`.
    source
        What it was made from, for people.
    """

    places: NDArray[np.float32]
    spots: NDArray[np.int64]
    source: str


def umap_of(tissue: AnnData, seed: int = 0, own: bool = True) -> UmapView:
    """Return a UMAP of a section: one that it has, else of its latent, else of counts.

    Parameters
    ----------
    seed
        The same seed gives the same map on one machine.
    own
        Whether a map that the section has already, ``obsm["X_umap"]``, is taken.

    Raises
    ------
    InputError
        If there is nothing to make a map from.
    """
    stored = tissue.obsm.get("X_umap")
    if own and stored is not None and np.shape(stored)[1:] == (2,):
        places = np.asarray(stored, dtype=np.float32)
        known = np.flatnonzero(np.isfinite(places).all(axis=1))
        return UmapView(places[known], known, "the section's own X_umap")
    spots = np.arange(tissue.n_obs)
    if len(spots) > MOST_SPOTS:
        random = np.random.default_rng(seed)
        spots = np.sort(random.choice(spots, MOST_SPOTS, replace=False))
    features, source = _features(tissue, spots, seed)
    if len(spots) < 4:
        raise InputError(f"Expected at least 4 spots for a UMAP; found {len(spots)}.")
    if len(spots) < tissue.n_obs:
        source += f", {len(spots):,} spots drawn"
    return UmapView(plane_of(features, seed), spots, source)


def _features(
    tissue: AnnData, spots: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.float32], str]:
    if keys.LATENT in tissue.obsm:
        latent = np.asarray(tissue.obsm[keys.LATENT])[spots]
        return latent.astype(np.float32), "the latent of the latest run"
    from scipy import sparse
    from sklearn.decomposition import TruncatedSVD

    from napari_semst.explanation.markers import log_normalised
    from napari_semst.explore.spot_values import layer_holds_counts

    if tissue.X is None or min(tissue.shape) < 3:
        raise InputError(
            "Expected a run's latent, or counts in X, to make a UMAP from; found "
            "neither. Find domains first."
        )
    matrix = sparse.csr_matrix(tissue.X[spots], dtype=np.float32)
    matrix = log_normalised(matrix) if layer_holds_counts(tissue) else matrix
    width = min(_COMPONENTS, min(matrix.shape) - 1)
    reduced = TruncatedSVD(width, random_state=seed).fit_transform(matrix)
    return reduced.astype(np.float32), "log-normalised counts"


def plane_of(features: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return places on a plane, near where features are alike, ``(n_spots, 2)``.

    Parameters
    ----------
    features
        Shape ``(n_spots, width)``, of at least 4 spots.
    seed
        The same seed gives the same places on one machine.
    """
    from sklearn.neighbors import NearestNeighbors

    n_neighbors = min(15, len(features) - 1)
    # Exact, and without the search of umap-learn, which compiles for longer than this.
    distances, indices = (
        NearestNeighbors(n_neighbors=n_neighbors).fit(features).kneighbors(features)
    )
    with warnings.catch_warnings():
        # Of the seed, which makes it run in one thread; that is what a seed is for.
        # And of no other spots that could be placed on the map later.
        warnings.simplefilter("ignore")
        from umap import UMAP

        reducer = UMAP(
            n_neighbors=n_neighbors,
            random_state=seed,
            precomputed_knn=(indices, distances.astype(np.float32)),
        )
        return np.asarray(reducer.fit_transform(features), dtype=np.float32)
