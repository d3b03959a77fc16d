"""Patches to look at beside that of a spot: what molecules, and image, expect."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_semst import keys
from napari_semst.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.morphology.slide import Slide

N_ALIKE = 4
# Spots of a smaller p-value are nothing to compare others with.
_UNREMARKABLE = 0.05
# Pixels across a spot of 55 micrometres from which on nuclei are four pixels wide.
_FINE = 27

SpotIndices = tuple[int, ...]


class SimilarSpots(NamedTuple):
    """Spots to compare one with, the nearest first.

    Parameters
    ----------
    by_molecules
        Alike in what they express, where a run compared it with images in what images
        predict of it: how tissue looks where such genes are expressed.
    by_image
        Alike in what their image predicts: what tissue that looks so expresses.
        Nothing where no run compared the two.
    """

    by_molecules: SpotIndices
    by_image: SpotIndices


def find_similar_spots(
    tissue: AnnData,
    spot: int,
    places: NDArray[np.float64],
    apart: float,
    n_alike: int = N_ALIKE,
) -> SimilarSpots:
    """Return spots that are alike, none near the spot or near each other.

    Spots that are discordant, or have no usable image, are left out: they tell nothing
    of what is to be expected.

    Parameters
    ----------
    tissue
        With the latent of its latest run.
    places
        Coordinates, shape ``(n_spots, 2)``; sections must not overlap.
    apart
        Least distance, so that patches show different tissue.
    n_alike
        How many at most.

    Raises
    ------
    InputError
        If the tissue has no latent.
    """
    if keys.LATENT not in tissue.obsm:
        raise InputError(
            f"Expected a latent in obsm[{keys.LATENT!r}]; there is none. Find domains "
            "first."
        )
    good = trusted(tissue)
    compared = {keys.EXPRESSED, keys.EXPECTED} <= set(tissue.obsm)
    pair = (keys.EXPRESSED, keys.EXPECTED) if compared else (keys.LATENT,)
    found = [
        _nearest(np.asarray(tissue.obsm[key]), spot, places, good, apart, n_alike)
        for key in pair
    ]
    found += [()] * (2 - len(found))
    return SimilarSpots(*found)


def trusted(tissue: AnnData) -> NDArray[np.bool_]:
    """Return which spots have a usable image and are not discordant, ``(n_spots,)``.

    Neither are those that only just were not called.
    """
    good = np.ones(tissue.n_obs, bool)
    if keys.DISCORDANCE in tissue.obs:
        good &= np.isfinite(tissue.obs[keys.DISCORDANCE].to_numpy(np.float64))
    if keys.DISCORDANT in tissue.obs:
        good &= ~tissue.obs[keys.DISCORDANT].to_numpy(bool)
    for key in (keys.DISCORDANCE_P, keys.UNEXPLAINED_P):
        if key in tissue.obs:
            # A question that was not asked is NaN, and not below anything.
            good &= ~(tissue.obs[key].to_numpy(np.float64) < _UNREMARKABLE)
    return good


def _nearest(
    latent: NDArray[np.floating],
    spot: int,
    places: NDArray[np.float64],
    good: NDArray[np.bool_],
    apart: float,
    n_alike: int,
) -> SpotIndices:
    """Return the nearest spots in a latent that lie apart on the tissue."""
    # Squared distances less the spot's own norm: no copy as large as the latent.
    far = np.einsum("ij,ij->i", latent, latent) - 2 * (latent @ latent[spot])
    far = np.where(good & np.isfinite(far), far, np.inf)
    chosen: list[int] = []
    last = spot
    for _ in range(n_alike):
        far[((places - places[last]) ** 2).sum(axis=1) < apart**2] = np.inf
        last = int(np.argmin(far))
        if not np.isfinite(far[last]):
            break
        chosen.append(last)
    return tuple(chosen)


@dataclass(frozen=True)
class SpotPatches:
    """The pictures of one spot, and of those it is compared with.

    Parameters
    ----------
    pictures
        Index of a spot -> its patch with context, RGB ``(pixels, pixels, 3)``.
    close
        The spot alone, RGB.
    share
        Diameter of a spot over the side of the patches with context.
    scale
        How large the patches are, in words.
    """

    spot: int
    alike: SimilarSpots
    pictures: dict[int, NDArray[np.uint8]] = field(repr=False)
    close: NDArray[np.uint8] = field(repr=False)
    share: float
    scale: str


class _Part(NamedTuple):
    """One image, opened, and the size of the spots that it shows."""

    slide: Slide
    diameter: float
    microns: float | None


class PatchBook:
    """Patches of a tissue, whose images are opened once; for a worker thread.

    Parameters
    ----------
    tissue
        A snapshot, which nobody changes.
    run
        Name of the run that read the image; empty: the section's own image.

    Raises
    ------
    SemstError
        If there is no image, or no coordinates.
    """

    def __init__(self, tissue: AnnData, run: str = "") -> None:
        from napari_semst.io.coordinates import find_coordinates
        from napari_semst.morphology.sections import imaged_parts
        from napari_semst.pipeline.provenance import recorded_config

        self._tissue = tissue
        facts = tissue.uns.get(keys.RUNS, {}).get(run, {})
        self._config: Config = recorded_config(facts)
        self._places = find_coordinates(
            tissue, self._config.prepare.coordinates or None
        )
        try:
            self._found = imaged_parts(tissue, self._config.morphology)
        except InputError as error:
            if self._config.morphology.image:
                raise
            raise InputError(
                "Expected an image of the section; it has none. Open the section from "
                "a file or folder that holds its image."
            ) from error
        self._part_of = np.full(tissue.n_obs, -1)
        for number, one in enumerate(self._found):
            self._part_of[one.spots] = number
        self._parts: dict[int, _Part] = {}
        # Decoded blocks are kept by the slide, which one thread may change at a time.
        self._lock = threading.Lock()

    @property
    def places(self) -> NDArray[np.float64]:
        """Return the coordinates of the spots, ``(n_spots, 2)``."""
        return self._places

    def look(self, spot: int, pixels: int, n_alike: int = N_ALIKE) -> SpotPatches:
        """Return the pictures of a spot and of spots that are alike.

        Parameters
        ----------
        pixels
            Along a side of each picture.

        Raises
        ------
        SemstError
            If the spot has no image, or it cannot be read.
        """
        with self._lock:
            context = self._config.morphology.context
            part = self._part(spot)
            # Sections may lie over each other; here they are kept apart.
            shift = 4.0 * (np.ptp(self._places, axis=0).max() + 1)
            away = self._places + (self._part_of * shift)[:, None]
            reach = context * part.diameter
            alike = find_similar_spots(self._tissue, spot, away, reach, n_alike)
            shown = [one for group in alike for one in group if self._has(one)]
            pictures = {
                one: self._picture(one, context, pixels) for one in {spot, *shown}
            }
            return SpotPatches(
                spot,
                SimilarSpots(
                    *(tuple(one for one in g if self._has(one)) for g in alike)
                ),
                pictures,
                self._picture(spot, 1.0, pixels),
                1 / context,
                scale_in_words(
                    part.diameter,
                    context,
                    part.microns,
                    part.diameter / max(part.slide.unit),
                ),
            )

    def _has(self, spot: int) -> bool:
        return bool(self._part_of[spot] >= 0)

    def _picture(self, spot: int, context: float, pixels: int) -> NDArray[np.uint8]:
        from napari_semst.morphology.patches import patch_at

        part = self._part(spot)
        x, y = self._places[spot]
        side = context * part.diameter
        return patch_at(part.slide, (float(x), float(y)), side, pixels)

    def _part(self, spot: int) -> _Part:
        from napari_semst.io.places.scale import microns_of
        from napari_semst.io.sections import part
        from napari_semst.morphology.sections import diameter_of, slide_of

        number = int(self._part_of[spot])
        if number < 0:
            raise InputError(
                "Expected an image of the section that this spot is of; it has none. "
                "Click a spot of another section."
            )
        if number not in self._parts:
            library, spots = self._found[number]
            wanted, places = self._config.morphology, self._places[spots]
            diameter, _ = diameter_of(self._tissue, library, places, wanted)
            stated = part(self._tissue, library, "scalefactors") if library else {}
            self._parts[number] = _Part(
                slide_of(self._tissue, library, wanted),
                diameter,
                microns_of(stated, places, diameter),
            )
        return self._parts[number]


def scale_in_words(
    diameter: float, context: float, microns: float | None, across: float
) -> str:
    """Return how large patches are, for users.

    Parameters
    ----------
    diameter
        Of a spot, in units of the coordinates.
    context
        Side of the patches, in diameters.
    microns
        Per unit, `None` where unknown.
    across
        Pixels of the image across a spot.
    """
    unit = "units of the coordinates" if microns is None else "\N{MICRO SIGN}m"
    side = diameter * context * (microns or 1.0)
    ring = diameter * (microns or 1.0)
    text = f"Patches are {side:.4g} {unit} wide; the ring is the spot, {ring:.4g}."
    if across >= _FINE:
        return text
    few = f"The image has {across:.0f} pixels across a spot"
    return f"{text} {few}, too few to see the shape of nuclei."
