"""Parts of a section that are predicted from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.methods.image_guided.inputs import GuidedInputs

# Pieces of a section that make up a fold, at most, and spots of each, at least: large
# enough to hold whole regions, and to have spots that are far from the other folds.
_PIECES, _PIECE_SPOTS = 5, 100
_PARTITIONS = 4


def spatial_folds(
    inputs: GuidedInputs, places: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the fold of every spot in each partition, ``(n_partitions, n_spots)``.

    Folds are pieces of tissue dealt in turn. Pieces are made, and dealt, by the usable
    spots: no fold holds all of them. Where they lie is chance, which predictions of
    several partitions level.

    Parameters
    ----------
    inputs
        Number of folds and seed.
    places
        Coordinates, ``(n_spots, 2)``.
    """
    wanted, seed = inputs.config.image_guided.folds, inputs.config.training.seed
    times = 1 if wanted == 1 else _PARTITIONS
    found = [
        _partition(inputs.usable, places, wanted, seed + 1000 * one)
        for one in range(times)
    ]
    return np.stack(found)


def _partition(
    usable: NDArray[np.bool_], places: NDArray[np.float64], wanted: int, seed: int
) -> NDArray[np.intp]:
    """Return the fold of every spot, ``(n_spots,)``."""
    from sklearn.cluster import MiniBatchKMeans

    known = int(usable.sum())
    pieces = min(max(known // _PIECE_SPOTS, wanted), wanted * _PIECES, known // 2)
    search = MiniBatchKMeans(pieces, n_init=3, random_state=seed, batch_size=4096)
    piece = np.asarray(search.fit(places[usable]).predict(places))
    # Largest first, each to the fold that has least.
    sizes = np.bincount(piece[usable], minlength=pieces)
    fold_of, filled = np.zeros(pieces, np.intp), np.zeros(wanted)
    for one in np.argsort(-sizes, kind="stable"):
        fold_of[one] = filled.argmin()
        filled[fold_of[one]] += sizes[one]
    found: NDArray[np.intp] = fold_of[piece]
    return found
