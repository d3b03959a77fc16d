"""Every spot takes the domain of most of its nearest spots, as some methods publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.domains.mixture import one_hot
from napari_semst.prepare.components import neighbour_average

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_semst.prepare.section import Section

    Labels = NDArray[np.integer[Any]]

# Neighbours are at most this share of the mean domain of a section: among more of
# them no domain of the usual size would keep its ends.
_MOST_OF_A_DOMAIN = 0.1


def majority_labels(labels: Labels, section: Section, n_neighbours: int) -> Labels:
    """Return the commonest domain among the nearest spots of every spot.

    The spot itself has no vote; of equally common domains the first one wins. Where a
    section is small, fewer neighbours vote: a tenth of its mean domain.

    Parameters
    ----------
    labels
        Counted from 0, ``(n_spots,)``.
    n_neighbours
        How many nearest spots vote; 0 returns the labels as they are.

    Notes
    -----
    As GraphST refines its clusters: Long et al., Nature Communications 14:1155, 2023.
    """
    if n_neighbours == 0:
        return labels
    n_domains = int(labels.max()) + 1
    voters, _ = section.sections.inside(
        lambda spots: (
            neighbour_average(
                section.coordinates[spots], _few(n_neighbours, len(spots), n_domains)
            ),
            "",
        )
    )
    # Counts are whole, so that equal ones are equal to the bit.
    voters.data[:] = 1.0
    own = one_hot(labels, n_domains).astype(np.float32)
    # Not all stand among their own nearest: several spots may share a place.
    votes = voters @ own - voters.diagonal()[:, None] * own
    return np.asarray(votes.argmax(axis=1), labels.dtype)


def _few(n_neighbours: int, n_spots: int, n_domains: int) -> int:
    """Return how many neighbours vote in a section of some spots."""
    most = int(_MOST_OF_A_DOMAIN * n_spots / n_domains)
    return min(n_neighbours, max(most, 1))
