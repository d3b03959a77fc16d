"""Leiden communities of the latent's nearest neighbours, as many as are wanted."""

from __future__ import annotations

import random
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.chunks import chunks, fitted_spots
from napari_semst.core.progress import Progress, run_in_thread
from napari_semst.core.threads import keep_limits
from napari_semst.domains.mixture import Standardizer
from napari_semst.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.core.progress import RunControl

    Labels = NDArray[np.integer[Any]]

NEIGHBOURS = 15
# Resolutions tried at most, doubling and halving included.
MOST_STEPS = 24
_LEAST_RESOLUTION = 1e-3
# Sweeps of one optimisation at most, so that each step has an end.
_ITERATIONS = 10
_CHUNK_SPOTS = 10_000
# igraph has one generator of random numbers for the whole process.
_ONE_GENERATOR = Lock()


def leiden(
    latent: NDArray[np.float32], k: int, n_starts: int, seed: int, control: RunControl
) -> Generator[Progress, None, Labels]:
    """Return communities of modularity in the graph of nearest neighbours.

    The 15 nearest by cosine of the centred latent. The resolution is sought by
    bisection until there are k communities; where none of the tried ones gives k, the
    number nearest to it is returned. Of large sections a sample is clustered, and the
    others get the community of most of their 15 nearest spots of the sample.

    Parameters
    ----------
    latent
        Shape ``(n_spots, width)``.
    n_starts
        Not read: every resolution is one start.

    Notes
    -----
    Traag, Waltman and van Eck 2019, by igraph; modularity with a resolution, Reichardt
    and Bornholdt 2006.
    """
    from napari_semst.prepare.graphs import feature_graph

    sample = fitted_spots(len(latent), np.random.default_rng(seed))
    centre = Standardizer.fit(latent[sample])
    points = centre.transform(latent[sample])
    graph, _ = yield from run_in_thread(
        "assign",
        "Neighbours for Leiden",
        lambda _: feature_graph(points, NEIGHBOURS, seed, control.check),
        control,
    )
    labels = yield from communities(graph, k, seed, control)
    if len(sample) == len(latent):
        return labels
    return (yield from _nearest(latent, sample, centre, labels, control))


def check_installed() -> None:
    """Raise `ConfigError` where igraph is missing, before the work."""
    from importlib.util import find_spec

    if find_spec("igraph") is None:
        raise ConfigError(
            "Expected igraph for the readout 'leiden'; it is not installed. Install "
            'it, python -m pip install "napari-semst[leiden]", or choose another '
            "readout."
        )


def communities(
    graph: sparse.csr_matrix, k: int, seed: int, control: RunControl
) -> Generator[Progress, None, Labels]:
    """Return the communities of a graph at the resolution that gives k of them.

    Parameters
    ----------
    graph
        Symmetric, without self loops; its values are the weights.
    k
        Communities wanted; where no resolution gives them, the nearest number found,
        of equals the smaller.
    """
    import igraph
    from scipy import sparse

    pairs = sparse.triu(graph, 1).tocoo()
    network = igraph.Graph(
        graph.shape[0], np.column_stack([pairs.row, pairs.col]).tolist()
    )
    low, high, resolution = 0.0, np.inf, 1.0
    best: Labels | None = None
    miss = (np.inf, np.inf)
    for step in range(MOST_STEPS):
        control.check()
        yield Progress("assign", step, MOST_STEPS, f"Leiden at {resolution:.3g}")
        with _generator(seed):
            parts = network.community_leiden(
                "modularity",
                weights=pairs.data.tolist(),
                resolution=resolution,
                n_iterations=_ITERATIONS,
            )
        number = len(parts)
        if (abs(number - k), number) < miss:
            best, miss = np.asarray(parts.membership), (abs(number - k), number)
        if number == k:
            break
        if number < k:
            low = resolution
        else:
            high = resolution
        if high < _LEAST_RESOLUTION:  # as many pieces that no edge joins
            break
        resolution = _between(low, high)
    assert best is not None, "at least one step"
    return best


def _between(low: float, high: float) -> float:
    """Return the next resolution; either end may still be unknown."""
    if low == 0.0:
        return high / 2
    return low * 2 if np.isinf(high) else float(np.sqrt(low * high))


@contextmanager
def _generator(seed: int) -> Iterator[None]:
    """Let igraph draw from a generator of ours, and afterwards from its usual one."""
    import igraph

    with _ONE_GENERATOR:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            yield
        finally:
            igraph.set_random_number_generator(random)


def _nearest(
    latent: NDArray[np.float32],
    sample: NDArray[np.int64],
    centre: Standardizer,
    found: Labels,
    control: RunControl,
) -> Generator[Progress, None, Labels]:
    """Return the community of all spots by their nearest spots of the sample."""
    from sklearn.neighbors import KNeighborsClassifier

    keep_limits()
    # Among rows of unit length, near by distance is near by cosine.
    nearest = KNeighborsClassifier(NEIGHBOURS, algorithm="brute")
    nearest.fit(_unit(centre.transform(latent[sample])), found)
    labels = np.empty(len(latent), np.int64)
    parts = list(chunks(len(latent), _CHUNK_SPOTS))
    for step, part in enumerate(parts):
        control.check()
        yield Progress("assign", step, len(parts), "All spots by their nearest")
        labels[part] = nearest.predict(_unit(centre.transform(latent[part])))
    labels[sample] = found
    return labels


def _unit(values: NDArray[np.float64]) -> NDArray[np.float32]:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(length == 0, 1.0, length), np.float32)
