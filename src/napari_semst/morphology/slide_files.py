"""Image files of slides: which part of the program reads which kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.errors import InputError
from napari_semst.io.checks import check_file, translate_errors

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True, eq=False)
class ImageLevels:
    """Levels of an image file, the finest first, and what was noticed."""

    levels: tuple[Any, ...]
    contrast: tuple[float, float] | None = None
    remarks: tuple[str, ...] = ()


class _ZarrLevel:
    """An array of a store whose damaged chunks are told in words when they are read."""

    def __init__(self, path: Path, array: Any) -> None:
        self.path, self._array = path, array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.chunks = array.chunks

    def __getitem__(self, part: Any) -> Any:
        with translate_errors(self.path, "the image"):
            return self._array[part]


def open_image_levels(path: Path) -> ImageLevels:
    """Return the levels of an image file; pixels of large ones stay there.

    Parameters
    ----------
    path
        A TIFF, OME-TIFF, SVS, PNG or JPEG file, or an OME-Zarr folder.

    Raises
    ------
    InputError
        If it is damaged or of another kind.
    """
    if path.is_dir():
        return _zarr(path)
    check_file(path, "the image")
    if path.suffix.lower() in _PLAIN:
        from napari_semst.io.images import read_image

        return ImageLevels((read_image(path),))
    return _tiff(path)


def _tiff(path: Path) -> ImageLevels:
    from napari_semst.io.formats.tiff import pyramid_in

    try:
        pyramid = pyramid_in(path)
        if pyramid is not None:
            # A packing that cannot be read is reported now, not in the middle of a run.
            with translate_errors(path, "the image"):
                pyramid.levels[-1].blocks[0, 0].compute(scheduler="synchronous")
    except InputError as error:
        if "imagecodecs" not in str(error):
            raise
        raise InputError(
            f"Expected to read the image {path.name}; it is packed in a way that needs "
            "the package imagecodecs. Install it: pip install imagecodecs."
        ) from error
    if pyramid is None:
        raise InputError(
            f"Expected {path.name} to keep its pixels as greys or as red, green and "
            "blue side by side; it keeps them in another way. Save it as an RGB TIFF, "
            "OME-TIFF or PNG."
        )
    return ImageLevels(pyramid.levels, pyramid.contrast)


def _zarr(path: Path) -> ImageLevels:
    """Return the levels of an OME-Zarr image."""
    import dask.array
    import zarr

    from napari_semst.io.formats import ngff
    from napari_semst.io.readers.zarr import check_store

    check_store(path)
    with translate_errors(path, "the OME-Zarr image"):
        about = ngff.multiscales(path)
        axes = [str(axis["name"]) for axis in about.get("axes", [])]
        names = [str(one["path"]) for one in about.get("datasets", [])]
        if not names or not {"x", "y"} <= set(axes):
            raise InputError(
                f"Expected {path} to be an OME-Zarr image, with multiscales and axes y "
                "and x; it is not. Name the folder of one image."
            )
        levels: list[Any] = []
        remarks: tuple[str, ...] = ()
        for name in names:
            place = (path / name).resolve()
            if not place.is_relative_to(path.resolve()):
                raise InputError(
                    f"Expected the levels of {path} to lie in its folder; {name!r} "
                    "leads out of it. Export the image again."
                )
            array: Any = zarr.open_array(place, mode="r")
            level = _ZarrLevel(place, array)
            lazy = dask.array.from_array(level)  # type: ignore[no-untyped-call]
            image, remarks = _as_image(lazy, axes)
            levels.append(image)
    return ImageLevels(tuple(levels), None, remarks)


def _as_image(array: Any, axes: list[str]) -> tuple[Any, tuple[str, ...]]:
    """Return rows and columns, with channels last where they are colours."""
    n_channels = array.shape[axes.index("c")] if "c" in axes else 1
    coloured = n_channels in (3, 4)
    kept = [a for a in axes if a in "yx" or (a == "c" and coloured)]
    picked = array[tuple(slice(None) if a in kept else 0 for a in axes)]
    order = [kept.index(a) for a in "yxc" if a in kept]
    left = [
        a for a, n in zip(axes, array.shape, strict=True) if a not in kept and n > 1
    ]
    image = picked.transpose(order)
    # Blocks of small tiles are read together, and channels always are.
    sides = {0: _whole(image.chunks[0]), 1: _whole(image.chunks[1])}
    image = image.rechunk({**sides, **({2: -1} if coloured else {})})
    told = f"Only the first of axis {', '.join(left)} of the image is read."
    return image, (told,) if left else ()


def _whole(sizes: tuple[int, ...]) -> int:
    """Return the side of about a thousand pixels that is made of whole chunks."""
    return int(min(sum(sizes), sizes[0] * max(1, 1024 // sizes[0])))
