"""From the places of spots on one image to features and measures of quality."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_semst.cache.features import FeatureCache
    from napari_semst.core.progress import RunControl
    from napari_semst.morphology.encoders import PatchEncoder
    from napari_semst.morphology.slide import Slide
    from napari_semst.morphology.stain import Stains

# Spots whose patches are held at once, and kept in one file of the cache: at most, and
# what their patches may take.
BLOCK_SPOTS = 1024
_BLOCK_BYTES = 64e6


@dataclass(frozen=True, slots=True)
class PatchReader:
    """How patches of one image are read.

    Parameters
    ----------
    side, context
        Of a spot's patch and of the wider one, in units of the coordinates.
    one_look
        Whether patches are brought to the look of `stain.REFERENCE`.
    """

    slide: Slide
    encoder: PatchEncoder
    side: float
    context: float
    stains: Stains
    one_look: bool
    cache: FeatureCache

    def read(
        self, places: NDArray[np.float64], control: RunControl
    ) -> Generator[int, None, NDArray[np.float32]]:
        """Return features and measures of quality, and yield how many spots are done.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, n_features + n_measures())``: the share inside the image and
            what `quality.measure` returns stand last.
        """
        known, values = self.cache.read(places)
        done = int(known.sum())
        yield done
        left = np.flatnonzero(~known)
        for part in nearby_blocks(places[left], self._at_once):
            spots = left[part]
            block = self._block(places[spots], control)
            if not values.shape[1]:
                values = np.zeros((len(places), block.shape[1]), np.float32)
            values[spots] = block
            self.cache.write(places[spots], block)
            done += len(spots)
            yield done
        return values

    @property
    def _at_once(self) -> int:
        encoder = self.encoder
        pixels = encoder.spot_pixels**2 + encoder.context_pixels**2
        return int(np.clip(_BLOCK_BYTES / (3 * pixels), 1, BLOCK_SPOTS))

    def _block(
        self, places: NDArray[np.float64], control: RunControl
    ) -> NDArray[np.float32]:
        from napari_semst.morphology.quality import measure_quality
        from napari_semst.morphology.stain import REFERENCE_STAINS, normalise_stains

        spot, inside = self._patches(
            places, self.side, self.encoder.spot_pixels, control
        )
        context, _ = self._patches(
            places, self.context, self.encoder.context_pixels, control
        )
        stains = self.stains
        measured = [
            measure_quality(spot[rows], context[rows], stains.glass)
            for rows in _rows(len(places))
        ]
        if self.one_look:
            for rows in _rows(len(places)):
                spot[rows] = normalise_stains(spot[rows], stains)
                context[rows] = normalise_stains(context[rows], stains)
            stains = REFERENCE_STAINS
        features = self.encoder.encode(spot, context, stains, control.check)
        return np.concatenate(
            [features, inside[:, None], np.concatenate(measured)], axis=1
        )

    def _patches(
        self, places: NDArray[np.float64], side: float, pixels: int, control: RunControl
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        from napari_semst.morphology.patches import patches

        found = np.empty((len(places), pixels, pixels, 3), np.uint8)
        inside = np.zeros(len(places), np.float32)
        for spots, cut, share in patches(self.slide, places, side, pixels, control):
            found[spots], inside[spots] = cut, share
        return found, inside


@lru_cache(maxsize=1)
def n_quality_measures() -> int:
    """Return how many measures of quality stand after the features of a spot."""
    from napari_semst.morphology.quality import measure_quality

    blank = np.zeros((1, 16, 16, 3), np.uint8)
    return 1 + int(measure_quality(blank, blank).shape[1])


def _rows(number: int) -> list[slice]:
    """Return few patches at a time: as floats they take twelve times the memory."""
    return [slice(start, start + 128) for start in range(0, number, 128)]


def nearby_blocks(places: NDArray[np.float64], most: int) -> list[NDArray[np.intp]]:
    """Return spots in blocks that lie together, so that pixels are read about once.

    Returns
    -------
    list of numpy.ndarray
        Indices, at most so many in each: all spots in strips, back and forth.
    """
    n_spots = len(places)
    if not n_spots:
        return []
    n_strips = int(np.ceil(np.sqrt(n_spots / most)))
    rank = np.empty(n_spots, np.intp)
    rank[np.argsort(places[:, 1], kind="stable")] = np.arange(n_spots)
    strip = rank * n_strips // n_spots
    along = np.where(strip % 2, -places[:, 0], places[:, 0])
    order = np.lexsort((along, strip))
    return np.array_split(order, int(np.ceil(n_spots / most)))
