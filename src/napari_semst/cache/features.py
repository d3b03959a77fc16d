"""Features on the disk, found again by image, encoder and place.

They stand beside the vectors of texts, in the same kind of files: a folder for one way
of reading one image, a shard for the spots that were read together. A run that was
left half way goes on where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.cache.shards import NAME
from napari_semst.cache.vectors import VectorCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# To be raised whenever the same patches would be measured otherwise.
_FORMAT = 1


class FeatureCache:
    """What was measured at places of one image, in one way.

    Parameters
    ----------
    about
        What it depends on: identities of image and encoder, diameter, context, stain.
    shown
        More, for people: the encoder's name.
    keep
        Whether anything is read or written at all.
    """

    def __init__(
        self, about: Mapping[str, Any], shown: Mapping[str, Any], *, keep: bool
    ) -> None:
        about_reading = {"kind": "image features", "reading": _FORMAT, **about}
        self._held = VectorCache(about_reading, shown) if keep else None

    @property
    def warnings(self) -> list[str]:
        """Files that could not be read or written."""
        return [] if self._held is None else self._held.warnings

    def read(
        self, places: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Return which places are known, and what was measured there.

        Parameters
        ----------
        places
            Shape ``(n, 2)``.

        Returns
        -------
        known, values
            Shapes ``(n,)`` and ``(n, width)``; the rows of others are 0, and the width
            is 0 where none is known.
        """
        known = np.zeros(len(places), bool)
        values = np.zeros((len(places), 0), np.float32)
        if self._held is None or not len(places):
            return known, values
        names, back = np.unique(_names(places), return_inverse=True)
        found = np.zeros((len(names), 0), np.float32)
        there = np.zeros(len(names), bool)
        for rows, vectors in self._held.read(names):
            if not found.shape[1]:
                found = np.zeros((len(names), vectors.shape[1]), np.float32)
            found[rows], there[rows] = vectors, True
        return there[back], found[back]

    def write(self, places: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        """Keep what was measured at places.

        Parameters
        ----------
        places
            Shape ``(n, 2)``.
        values
            Shape ``(n, width)``.
        """
        if self._held is not None:
            names, first = np.unique(_names(places), return_index=True)
            self._held.write(names, values[first])


def _names(places: NDArray[np.float64]) -> NDArray[np.void]:
    """Return places as names of a shard: two numbers are as long as a hash there."""
    # Adding 0 makes of -0.0 the 0.0 that it equals.
    exact = np.ascontiguousarray(places, np.float64) + 0.0
    return exact.view(NAME).reshape(-1)
