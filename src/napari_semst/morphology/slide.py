"""A slide: the pixels of an image, read by parts, and where they lie among the spots.

The outer edges of all levels coincide. World coordinates are those of the spots; see
`napari_semst.io.alignment` for where pixels lie in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.cache.hashes import fingerprint_arrays, fingerprint_file, hash_of
from napari_semst.errors import InputError
from napari_semst.morphology.levels import BlockCache, SlideLevel, downsampled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

# Pixels of the small copy that masks and stains are made from: 2000 x 2000.
OVERVIEW = 4_000_000


@dataclass(frozen=True, eq=False)
class Slide:
    """Pixels of an image, and where it lies in the coordinates of spots.

    Make it with `of_tissue`, `of_file` or `of_array`.

    Parameters
    ----------
    levels
        The finest first.
    corner
        World position of the outer corner of the first pixel, (y, x).
    unit
        World units along a pixel of the finest level, (y, x).
    source
        What the image is, for people.
    seal
        Hash of the pixels.
    remarks
        What people should know of how it was read.
    covers
        Which places of the world, (y, x), lie on the image, where that is not all of
        its rectangle.
    """

    levels: tuple[SlideLevel, ...]
    corner: tuple[float, float]
    unit: tuple[float, float]
    source: str
    seal: str = field(repr=False)
    remarks: tuple[str, ...] = ()
    covers: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None

    @classmethod
    def of_tissue(cls, tissue: AnnData, library: str | None = None) -> Slide | None:
        """Return a section's finest image, as it was aligned, `None` without one.

        An image that was read from a larger file is read from that file again, by
        tile, in full resolution.

        Parameters
        ----------
        tissue
            Its ``uns["spatial"]`` holds the image.
        library
            Name of the section there; `None` where only one has an image.

        Raises
        ------
        InputError
            If the section must be named, or the image cannot be placed or read.
        """
        from napari_semst.io.alignment import image_placement
        from napari_semst.io.formats.tiff import pyramid_in
        from napari_semst.io.image_sources import image_source
        from napari_semst.io.places.landmarks import landmarks_of
        from napari_semst.registration.warp import rim_of

        place = image_placement(tissue, library)
        if place is None:
            return None
        corner = place.bounds()[0]
        path, share = (
            (None, 1.0) if place.unturned is None else image_source(place.unturned)
        )
        name = f"{place.resolution} image of {place.library}"
        pyramid = None if path is None or share >= 1 else pyramid_in(path)
        if path is None or pyramid is None:
            seal = fingerprint_arrays((place.image,))
            return _slide(
                (place.image,), corner, place.scale, name, seal, covers=place.holds
            )
        registered = place.registered is not None
        fill = rim_of(pyramid.levels[-1]) if registered else None
        levels = [place.drawn(level, fill) for level in pyramid.levels]
        # Edges coincide; a registered image is as long as its finest level is drawn.
        unit = (place.scale[0] * share, place.scale[1] * share)
        if registered:
            down, across = np.ptp(place.bounds(), axis=0) / levels[0].shape[:2]
            unit = float(down), float(across)
        turns = repr(place.by_hand.shifted_to(0, 0)).encode()
        known = landmarks_of(tissue, place.library)
        turned = hash_of(turns) if known is None else hash_of(turns, known.token)
        seal = f"{fingerprint_file(path)}-{turned}"
        name = f"{path.name}, full resolution"
        contrast = pyramid.contrast
        return _slide(
            levels, corner, unit, name, seal, contrast=contrast, covers=place.holds
        )

    @classmethod
    def of_file(
        cls,
        path: str | Path,
        pixels_per_unit: float = 1.0,
        origin: tuple[float, float] = (-0.5, -0.5),
    ) -> Slide:
        """Return the image in a file: TIFF, OME-TIFF, SVS, PNG, JPEG or OME-Zarr.

        Parameters
        ----------
        path
            The file; a folder for OME-Zarr.
        pixels_per_unit
            Its full-resolution pixels along one unit of the spots' coordinates.
        origin
            World position of the outer corner of its first pixel, (x, y).

        Raises
        ------
        InputError
            If it is damaged, of another kind, or leads out of its folder.
        """
        from napari_semst.morphology.slide_files import open_image_levels

        path = Path(path).expanduser()
        if not (np.isfinite(pixels_per_unit) and pixels_per_unit > 0):
            raise InputError(
                "Expected the pixels of the image per unit of the coordinates to be a "
                f"positive number; got {pixels_per_unit}."
            )
        opened = open_image_levels(path)
        unit = 1 / pixels_per_unit
        seal = (
            fingerprint_file(path)
            if path.is_file()
            else fingerprint_arrays(opened.levels)
        )
        return _slide(
            opened.levels,
            (origin[1], origin[0]),
            (unit, unit),
            path.name,
            seal,
            contrast=opened.contrast,
            remarks=opened.remarks,
        )

    @classmethod
    def of_array(
        cls,
        levels: Any,
        scale: tuple[float, float] = (1.0, 1.0),
        translate: tuple[float, float] | None = None,
        source: str = "array",
    ) -> Slide:
        """Return the slide of pixels at hand, for instance those of an image layer.

        Parameters
        ----------
        levels
            An array ``(height, width)`` or with 3 or 4 channels, numpy or lazy, or a
            sequence of them, the finest first.
        scale
            World units along a pixel of the finest, (y, x).
        translate
            World position of the centre of its first pixel, (y, x); `None` has the
            image's corner at -1/2, as in `of_file`.
        source
            What it is, for people.

        Raises
        ------
        InputError
            If an array is no image.
        """
        every = [levels] if hasattr(levels, "ndim") else list(levels)
        arrays = [_checked(array) for array in every]
        unit = (float(scale[0]), float(scale[1]))
        corner = (-0.5, -0.5)
        if translate is not None:
            corner = translate[0] - unit[0] / 2, translate[1] - unit[1] / 2
        return _slide(arrays, corner, unit, source, fingerprint_arrays(arrays))

    @property
    def identity(self) -> str:
        """Hash of the pixels and of where they lie, for caches.

        Of files, evenly spread parts and the size are hashed, not all bytes.
        """
        place = np.array([*self.corner, *self.unit], np.float64)
        return hash_of(self.seal.encode(), place.tobytes())

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the finest level in pixels."""
        return self.levels[0].shape

    def level_for(self, unit: float) -> SlideLevel:
        """Return the coarsest level whose pixels are no larger than wanted.

        Parameters
        ----------
        unit
            World units along a pixel; the finest level where all are larger.
        """
        fine = max(self.unit)
        good = [
            one for one in self.levels if fine * max(one.factor) <= unit * (1 + 1e-3)
        ]
        return good[-1] if good else self.levels[0]

    def pixel_of(
        self, level: SlideLevel, xy: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return pixels of a level, (y, x), of places (x, y), from its outer corner."""
        own = np.asarray(self.unit) * level.factor
        return np.asarray((xy[:, ::-1] - self.corner) / own)

    def holds(self, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which places (x, y) lie on the slide, ``(n,)``."""
        if self.covers is not None:
            return self.covers(np.asarray(xy[:, ::-1], np.float64))
        pixels = self.pixel_of(self.levels[0], xy)
        return np.asarray(((pixels >= 0) & (pixels < self.shape)).all(axis=1))

    def overview(
        self, most: int = OVERVIEW
    ) -> tuple[NDArray[np.uint8], tuple[float, float]]:
        """Return a small copy as RGB, and its pixels' size in world units, (y, x)."""
        enough = [
            one for one in self.levels if one.shape[0] * one.shape[1] >= most
        ] or [self.levels[0]]
        level = enough[-1]
        image, step = downsampled(level, most)
        down, across = np.asarray(self.unit) * level.factor * step
        return image, (float(down), float(across))


def _slide(
    arrays: Sequence[Any],
    corner: Any,
    unit: Any,
    source: str,
    seal: str,
    *,
    contrast: tuple[float, float] | None = None,
    remarks: tuple[str, ...] = (),
    covers: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None,
) -> Slide:
    """Return the slide of arrays that are known to be images."""
    contrast = contrast or contrast_of(arrays[-1])
    height, width = arrays[0].shape[:2]
    kept = BlockCache()
    levels = tuple(
        SlideLevel(one, (height / one.shape[0], width / one.shape[1]), contrast, kept)
        for one in arrays
    )
    return Slide(
        levels,
        (float(corner[0]), float(corner[1])),
        (float(unit[0]), float(unit[1])),
        source,
        seal,
        remarks,
        covers,
    )


def _checked(array: Any) -> Any:
    """Return an image as a numpy or dask array."""
    channels = tuple(array.shape[2:])
    if array.ndim not in (2, 3) or channels not in ((), (3,), (4,)) or 0 in array.shape:
        raise InputError(
            "Expected an image of shape (height, width) with 3 or 4 channels; found "
            f"{tuple(array.shape)}. Pick another image."
        )
    if np.dtype(array.dtype).kind not in "uifb":
        raise InputError(
            f"Expected an image of numbers; found {array.dtype}. Pick another image."
        )
    if isinstance(array, np.ndarray):
        return array
    import dask.array

    if isinstance(array, dask.array.Array):
        # Channels in one piece.
        return array.rechunk({2: -1}) if array.ndim == 3 else array  # type: ignore[no-untyped-call]
    sides = (1024, 1024, *channels)
    return dask.array.from_array(array, chunks=sides)  # type: ignore[no-untyped-call]


def contrast_of(array: Any) -> tuple[float, float]:
    """Return what becomes 0 and 255, from pixels spread over an array."""
    kind = np.dtype(array.dtype)
    if kind == np.uint8:
        return 0.0, 255.0
    if kind.kind == "b":
        return 0.0, 1.0
    thin = tuple(slice(None, None, max(1, n // 1000)) for n in array.shape[:2])
    low, high = np.nanpercentile(np.asarray(array[thin]).astype(np.float64), [1, 99.8])
    return float(low), float(max(high, low + 1e-9))
