"""Every spot takes the domain of most of its nearest spots, as some methods publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import KDTree

from napari_semst.core.chunks import chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl
    from napari_semst.prepare.section import Section

    Labels = NDArray[np.integer[Any]]

# Neighbours are at most this share of the mean domain of a section: among more of
# them no domain of the usual size would keep its ends.
_MOST_OF_A_DOMAIN = 0.1
# Spots whose neighbours are sought at once.
_CHUNK_SPOTS = 20_000


def majority_labels(
    labels: Labels, section: Section, n_neighbours: int, control: RunControl
) -> Labels:
    """Return the commonest domain among the nearest spots of every spot.

    The spot itself has no vote, unless it is alone in its section; of equally common
    domains the first one wins. Where a section is small, fewer neighbours vote: a tenth
    of its mean domain.

    Parameters
    ----------
    labels
        Counted from 0, ``(n_spots,)``.
    n_neighbours
        How many nearest spots vote; 0 returns the labels as they are.

    Raises
    ------
    Cancelled
        Between pieces of the work.

    Notes
    -----
    As GraphST refines its clusters: Long et al., Nature Communications 14:1155, 2023.
    """
    if n_neighbours == 0:
        return labels
    n_domains = int(labels.max()) + 1
    found = labels.copy()
    for spots in section.sections.spots():
        voters = min(_few(n_neighbours, len(spots), n_domains), len(spots) - 1)
        if not voters:
            continue
        places, own = section.coordinates[spots], labels[spots]
        tree = KDTree(places)
        for part in chunks(len(spots), _CHUNK_SPOTS):
            control.check()
            asked = np.arange(len(spots))[part]
            nearest = tree.query(places[part], k=voters + 1)[1]
            # Not all stand among their own nearest: several spots may share a place.
            others = nearest != asked[:, None]
            row = np.broadcast_to(np.arange(len(asked))[:, None], nearest.shape)
            votes = np.bincount(
                row[others] * n_domains + own[nearest[others]],
                minlength=len(asked) * n_domains,
            )
            found[spots[part]] = votes.reshape(-1, n_domains).argmax(axis=1)
    return found


def _few(n_neighbours: int, n_spots: int, n_domains: int) -> int:
    """Return how many neighbours vote in a section of some spots."""
    most = int(_MOST_OF_A_DOMAIN * n_spots / n_domains)
    return min(n_neighbours, max(most, 1))
