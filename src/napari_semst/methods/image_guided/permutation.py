"""What discordance would be if image and expression agreed: images exchanged.

Within clusters of spots that express alike, images are exchanged so that neighbouring
spots get neighbouring images: what is averaged over neighbours is then as uneven as it
is in tissue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from napari_semst.core.threads import keep_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Spots = NDArray[np.intp]

# Spots of an expression cluster that give images: so few that images within it are of
# one kind, and so many that neighbours find images that are neighbours.
_CLUSTER_SPOTS = 50
_MOST_CLUSTERS = 2000
# How far the slide is shifted at most, in parts of its extent.
_SHIFT = 0.5


def expression_clusters(
    expressed: Floats,
    giving: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    sections: NDArray[np.int64],
    seed: int,
) -> Spots:
    """Return small clusters of spots that express alike, ``(n_spots,)``.

    They are found among the spots that give images, so that each holds some; the
    image has no say.

    Parameters
    ----------
    expressed
        Expression, in units in which distances are to count, ``(n_spots, width)``.
    giving, usable
        Spots whose images are given away, and those that get one; others are -1.
    sections
        Section of each spot; clusters stay inside.
    """
    from sklearn.cluster import MiniBatchKMeans

    keep_limits()
    clusters = np.full(len(expressed), -1, np.intp)
    first = 0
    for section in range(int(sections.max()) + 1):
        inside = sections == section
        teach = np.flatnonzero(inside & giving)
        if not len(teach):
            continue
        wanted = min(max(len(teach) // _CLUSTER_SPOTS, 1), _MOST_CLUSTERS)
        search = MiniBatchKMeans(
            wanted, n_init=1, random_state=seed, batch_size=4096, max_iter=30
        ).fit(expressed[teach])
        clusters[inside & usable] = first + search.predict(expressed[inside & usable])
        first += wanted
    return clusters


class ImageExchange:
    """Draws whose image each spot gets.

    Parameters
    ----------
    places
        Coordinates, ``(n_spots, 2)``.
    clusters
        Of every spot; -1 for those that keep their own image.
    giving
        Spots whose images are given away.
    """

    def __init__(
        self,
        places: NDArray[np.float64],
        clusters: Spots,
        giving: NDArray[np.bool_],
        sections: NDArray[np.int64],
    ) -> None:
        counts = np.bincount(clusters[giving & (clusters >= 0)], minlength=1)
        has_some = np.append(counts, 0)[np.minimum(clusters, len(counts))] > 0
        self.asked = np.flatnonzero((clusters >= 0) & has_some)
        self._n_spots = len(places)
        corners = [
            (part.min(axis=0), part.max(axis=0))
            for one in range(int(sections.max()) + 1)
            for part in (places[sections == one],)
        ]
        low, high = (np.array(ends)[sections] for ends in zip(*corners, strict=True))
        self._extent = np.maximum((high - low)[self.asked], 1e-12)
        middle = places - (low + high) / 2
        # Clusters are a third coordinate, so far apart that the nearest spot of all
        # is the nearest of the cluster.
        far = 8 * float(np.abs(middle).max()) + 1
        self._own, self._height = middle[self.asked], far * clusters[self.asked]
        self._giving = np.flatnonzero(giving & (clusters >= 0))
        stacked = np.column_stack([middle, far * clusters])[self._giving]
        self._tree = KDTree(stacked) if len(stacked) else None

    def draw(self, random: np.random.Generator) -> Spots:
        """Return whose image each spot gets, ``(n_spots,)``.

        The slide is turned, or turned over, and shifted at random; each spot gets the
        image of the nearest spot of its cluster to where it then lies.
        """
        found: Spots = np.arange(self._n_spots)
        angle = random.uniform(0, 2 * np.pi)
        turn = np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        ) @ np.diag([1, random.choice([-1, 1])])
        shift = random.uniform(-_SHIFT, _SHIFT, 2)
        if self._tree is not None:
            # At its edges the slide is folded back: nothing falls off it.
            part = (self._own @ turn.T / self._extent + shift + 0.5) % 2
            there = (np.where(part > 1, 2 - part, part) - 0.5) * self._extent
            _, nearest = self._tree.query(np.column_stack([there, self._height]))
            found[self.asked] = self._giving[nearest]
        return found


def above(score: Floats, null: Floats) -> Floats:
    """Return the share of null scores at or above each score, itself among them."""
    ordered = np.sort(null)
    higher = len(ordered) - np.searchsorted(ordered, score, side="left")
    share: Floats = ((1 + higher) / (1 + len(ordered))).astype(np.float32)
    return share
