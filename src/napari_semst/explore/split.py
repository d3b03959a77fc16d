"""Ways to tell the spots of one domain apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst import keys
from napari_semst.errors import ConfigError, InputError, one_of

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


SPLITS = ("pieces", "latent")
"""By what the spots of one domain are told apart."""


def split_parts(
    tissue: AnnData,
    spots: NDArray[np.bool_],
    by: str,
    coordinates: str | None = None,
) -> NDArray[np.int64]:
    """Return the part of each of some spots of a section, counted from 0.

    Parameters
    ----------
    tissue
        The section, or several joined: no piece reaches from one to another.
    spots
        Which ones, shape ``(n_spots,)``.
    by
        ``"pieces"``, connected ones, or ``"latent"``, of the latest run.
    coordinates
        Where the coordinates stand; by default found.

    Raises
    ------
    ConfigError
        If they are to be told apart by something else.
    InputError
        If the section has no latent, or no coordinates.
    """
    from napari_semst.io.coordinates import find_coordinates

    if by not in SPLITS:
        raise ConfigError(one_of("what splits a domain", by, SPLITS))
    if by == "latent":
        return latent_parts(tissue, spots)
    places = find_coordinates(tissue, coordinates)[spots]
    if keys.SECTION in tissue.obs:
        sections = tissue.obs[keys.SECTION].astype("category").cat.codes.to_numpy()
        # Beside each other, and farther apart than any is wide.
        width = float(np.ptp(places[:, 0])) if len(places) else 0.0
        places = places + np.outer(sections[spots] * 2.0 * width, [1.0, 0.0])
    return connected_parts(places)


def connected_parts(
    coordinates: NDArray[np.float64], least_spots: int = 10
) -> NDArray[np.int64]:
    """Return which connected piece each of some spots is in, largest first.

    Parameters
    ----------
    coordinates
        Of these spots, shape ``(n_spots, 2)``.
    least_spots
        Smaller pieces count as part of the largest.
    """
    from scipy.sparse.csgraph import connected_components

    from napari_semst.prepare.graphs import detect_lattice, nearest_graph, ring_graph

    lattice = detect_lattice(coordinates)
    graph = (
        ring_graph(coordinates, 1.5 * lattice.pitch)
        if lattice.regular
        else nearest_graph(coordinates, 6)
    )
    _, pieces = connected_components(graph, directed=False)
    sizes = np.bincount(pieces)
    order = np.argsort(-sizes, kind="stable")
    number = np.zeros(len(sizes), np.int64)
    for rank, piece in enumerate(order):
        number[piece] = rank if sizes[piece] >= least_spots else 0
    return np.asarray(number[pieces])


def latent_parts(
    tissue: AnnData, spots: NDArray[np.bool_], n_parts: int = 2, seed: int = 0
) -> NDArray[np.int64]:
    """Return parts of some spots that a run's latent tells apart, by k-means.

    Parameters
    ----------
    tissue
        With the latent of a run.
    spots
        Which ones, shape ``(n_spots,)``.

    Raises
    ------
    InputError
        If the section has no latent, or there are fewer spots than parts.
    """
    from sklearn.cluster import KMeans

    if keys.LATENT not in tissue.obsm:
        raise InputError(
            f"Expected the latent of a run in obsm[{keys.LATENT!r}]; there is none. "
            "Find domains first, or split into connected pieces."
        )
    latent = np.asarray(tissue.obsm[keys.LATENT], dtype=np.float32)[spots]
    if len(latent) < n_parts:
        raise InputError(
            f"Expected at least {n_parts} spots to split; found {len(latent)}."
        )
    return np.asarray(
        KMeans(n_parts, n_init=10, random_state=seed).fit_predict(latent), np.int64
    )
