"""Large microscope images (TIFF): read only as finely as a screen can show."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.memory import check_fits
from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors
from napari_semst.io.formats.tiff_pages import check_page
from napari_semst.io.image_sources import file_key, image_source, remember_source
from napari_semst.io.readers.cell_tables import SectionImage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_semst.io.image_sources import FileKey

# Pixels of the image that is kept: 4000 x 4000.
ENOUGH = 16_000_000
# Without a smaller copy in the file the whole image must be gone through.
_LARGEST_WHOLE = 2_000_000_000
# Side of what is read of a level at once, at least.
_BLOCK = 1024
# Pages looked at for a channel.
_MOST_PLANES = 2000
# Pages looked at for smaller copies.
_MOST_PAGES = 32
# Shares of the pixels that end up black and white.
_DARK, _BRIGHT = 1.0, 99.8


class TiffHandle:
    """A TIFF file that stays open as long as anything uses it.

    Parameters
    ----------
    key
        The file.
    """

    def __init__(self, key: FileKey) -> None:
        import tifffile

        # Read by its pages: an OME-TIFF may name other files that are not there.
        file = tifffile.TiffFile(key[0], is_ome=False)
        weakref.finalize(self, file.close)
        file.filehandle.set_lock(True)
        self.key = key
        self.first: Any = file.pages[0]
        self.copies = _copies(file)
        for page in (self.first, *self.copies):
            check_page(page, key[0])
        self._lock = file.filehandle.lock
        self._file = file
        self._planes: dict[int, tuple[Any, list[Any]]] = {}
        self._arrays: dict[int, Any] = {}

    def page(self, offset: int) -> Any:
        """Return the page that begins at an offset, `None` where none does."""
        pages = [self.first, *self.copies]
        found = next((page for page in pages if page.offset == offset), None)
        number = 0
        # A channel's; of a file that was opened anew they are looked for.
        while found is None and number < min(len(self._file.pages), _MOST_PLANES):
            plane, copies = self.plane(number)
            number += 1
            found = next(
                (one for one in (plane, *copies) if one.offset == offset), None
            )
        return found

    def plane(self, number: int) -> tuple[Any, list[Any]]:
        """Return a page of its own, and its smaller copies; None where none is."""
        if number not in self._planes:
            if not 0 <= number < len(self._file.pages):
                return None, []
            with self._lock:
                page = self._file.pages[number]
                copies = list(getattr(page, "pages", None) or ())
            for one in (page, *copies):
                check_page(one, self.key[0])
            self._planes[number] = page, copies
        return self._planes[number]

    def read(self, page: Any, part: Any) -> NDArray[Any]:
        """Return a part of a page; several threads may ask at once."""
        import zarr

        if page.is_memmappable:
            with self._lock:
                pixels = page.asarray(out="memmap")
            return np.array(pixels[part])
        # Not under the lock, which zarr's own thread takes to read.
        if page.offset not in self._arrays:
            self._arrays[page.offset] = zarr.open(page.aszarr(), mode="r")
        return np.asarray(self._arrays[page.offset][part])


_OPENED: weakref.WeakValueDictionary[FileKey, TiffHandle] = (
    weakref.WeakValueDictionary()
)
_OPENING = threading.Lock()


def open_tiff(path: Path) -> TiffHandle:
    """Return a TIFF file, opened unless it is open; a replaced one is opened anew.

    Parameters
    ----------
    path
        The file.
    """
    key = file_key(path)
    with _OPENING:
        handle = _OPENED.get(key)
        if handle is None:
            handle = _OPENED[key] = TiffHandle(key)
        return handle


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """An image in several resolutions, none of them in memory.

    Parameters
    ----------
    levels
        Dask arrays, the finest first.
    contrast
        What is shown black and white.
    share
        Pixels along the reduced image for each pixel along the finest level.
    """

    levels: tuple[Any, ...]
    contrast: tuple[float, float]
    share: float

    @property
    def stretched_colours(self) -> bool:
        """Whether it has colours of more than 8 bits."""
        return bool(self.levels[0].ndim == 3 and self.levels[0].dtype != np.uint8)


def read_section_image(
    path: Path, per_unit: float, origin: tuple[float, float] = (0.0, 0.0)
) -> tuple[SectionImage | None, tuple[str, ...]]:
    """Return an image of at most `ENOUGH` pixels, or None and a sentence that says why.

    An image is no reason to refuse a section: what cannot be shown is told.

    Parameters
    ----------
    path
        A TIFF file of one page with or without smaller copies (OME-TIFF).
    per_unit
        Its full-resolution pixels per unit of the coordinates.
    origin
        Where the outer corner of its first pixel lies, (x, y).
    """
    try:
        with translate_errors(path, "the image"):
            pixels, reduced = _reduced(path)
    except InputError as error:
        text = str(error)
        if "imagecodecs" in text:
            text = (
                f"The image {path.name} is packed in a way that needs the package "
                "imagecodecs: install it (pip install imagecodecs) to see the image."
            )
        return None, (f"The section is shown without its image. {text}",)
    if pixels is None:
        return None, (
            f"The image {path.name} is too large to be read without smaller copies of "
            "it in the file: the section is shown without it.",
        )
    image = stretch_to_uint8(pixels)
    remember_source(image, path, reduced)
    return SectionImage(image, per_unit * reduced, origin), ()


def pyramid_of(image: NDArray[np.uint8]) -> Pyramid | None:
    """Return the levels of the file that a reduced image was read from.

    Nothing but the smallest level is read. The file is known as long as the program
    runs; nothing of it is saved with the section.

    Parameters
    ----------
    image
        As `read_section_image` returned it, or a copy.

    Returns
    -------
    Pyramid or None
        None where the image came from no file of several levels, the file is no longer
        there, or the image has all of its pixels.
    """
    path, share = image_source(image)
    if path is None or share >= 1:
        return None
    found = pyramid_in(path)
    # Colours of more than 8 bits are stretched, which a layer does for greys alone.
    if found is None or len(found.levels) < 2 or found.stretched_colours:
        return None
    return Pyramid(found.levels, found.contrast, share)


def pyramid_in(path: Path) -> Pyramid | None:
    """Return the levels of a TIFF file: one, or more where it holds smaller copies.

    Nothing but the smallest level is read. Smaller copies are found as pages below
    the first one (OME-TIFF) and as pages of the same shape after it (SVS, libvips).

    Parameters
    ----------
    path
        A TIFF file.

    Returns
    -------
    Pyramid or None
        None where its pixels are kept in another way than rows of greys or of RGB.

    Raises
    ------
    InputError
        If it is damaged or no TIFF.
    """
    with translate_errors(path, "the image"):
        handle = open_tiff(path)
        pages = _pages(handle)
        if not pages:
            return None
        levels = tuple(_level(path, handle, page) for page in pages)
        return Pyramid(levels, _contrast(pages[-1]), 1.0)


def levels_of_pages(
    path: Path, handle: TiffHandle, pages: list[Any]
) -> tuple[tuple[Any, ...], tuple[float, float], float]:
    """Return pages as arrays, the finest first, the limits of contrast, and a share.

    The share is how many pixels of the finest array lie along one of the finest page.

    Parameters
    ----------
    path, handle
        The file.
    pages
        Of one image, in several resolutions. One alone that is larger than `ENOUGH`
        is reduced, in memory, as `read_section_image` does: a layer draws it whole.

    Raises
    ------
    InputError
        If one alone is too large to be gone through.
    """
    pages = sorted(pages, key=_n_pixels, reverse=True)
    if len(pages) > 1 or _n_pixels(pages[0]) <= ENOUGH:
        levels = tuple(_level(path, handle, page) for page in pages)
        return levels, _contrast(pages[-1]), 1.0
    pixels, share = _smaller(pages, path)
    if pixels is None:
        raise InputError(
            f"Expected smaller copies of the image in {path}, as it is too large to be "
            "read without them. Save it as an OME-TIFF with a pyramid."
        )
    return (pixels,), pixel_contrast(pixels), share


def _pages(handle: TiffHandle) -> list[Any]:
    """Return the pages of one image, the finest first; none for other layouts."""
    first = handle.first
    channels = tuple(first.shape[2:])
    usual = first.shape[:2] == (first.imagelength, first.imagewidth)
    plain = getattr(first.photometric, "name", "") not in ("PALETTE", "SEPARATED")
    if not usual or not plain or channels not in ((), (3,), (4,)):
        return []
    same = [page for page in handle.copies if page.dtype == first.dtype]
    same = [page for page in same if tuple(page.shape[2:]) == channels]
    return sorted([first, *same], key=_n_pixels, reverse=True)


def _copies(file: Any) -> list[Any]:
    """Return the pages that may be smaller copies of the first."""
    first: Any = file.pages[0]
    below = list(first.pages or ())
    if below or not first.is_tiled:
        return below
    # Thumbnails, labels and the like are of another shape, or not in tiles.
    after = [file.pages[i] for i in range(1, min(len(file.pages), _MOST_PAGES))]
    return [page for page in after if page.is_tiled and _is_smaller(page, first)]


def _is_smaller(page: Any, first: Any) -> bool:
    """Return whether a page shows what the first one shows, with fewer pixels."""
    times = first.imagewidth / page.imagewidth
    return bool(times > 1 and abs(first.imagelength / times - page.imagelength) <= 2)


class _Page:
    """A page of a file, of which parts can be had.

    It keeps the file open. A copy shares that; an unpickled one opens the file when a
    part is asked for.
    """

    def __init__(
        self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.path, self.offset = path, offset
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
        self._handle: TiffHandle | None = None

    def opened(self) -> TiffHandle:
        """Return the file as it is now."""
        handle = self._handle
        if handle is None or handle.key != file_key(self.path):
            handle = self._handle = open_tiff(self.path)
        return handle

    def __reduce__(self) -> tuple[Any, ...]:
        return _Page, (self.path, self.offset, self.shape, self.dtype)

    def __getitem__(self, part: Any) -> NDArray[Any]:
        handle = self.opened()
        page = handle.page(self.offset)
        if page is None or (tuple(page.shape), page.dtype) != (self.shape, self.dtype):
            raise InputError(
                f"Expected the image {self.path} as it was when it was opened; the "
                "file was replaced by another. Open the section again."
            )
        # Asked for in the middle of a run.
        with translate_errors(self.path, "the image"):
            return handle.read(page, part)


def _level(path: Path, handle: TiffHandle, page: Any) -> Any:
    """Return a page as an array of which only what is asked for is read."""
    import dask.array

    held = _Page(path, page.offset, tuple(page.shape), page.dtype)
    held.opened()
    # Blocks of whole tiles, not too small; where tiles are strips, of few of them.
    height, width = page.shape[:2]
    tile = (_BLOCK, _BLOCK) if page.is_memmappable else page.chunks[:2]
    across = min(width, tile[1] * max(1, _BLOCK // tile[1]))
    down = min(height, tile[0] * max(1, _BLOCK**2 // max(across, _BLOCK) // tile[0]))
    sides = (down, across)
    # Told the file's age, so that another file of its name is another array.
    name = "-".join(map(str, (page.offset, *handle.key)))
    return dask.array.from_array(  # type: ignore[no-untyped-call]
        held, chunks=(*sides, *page.shape[2:]), name=name, asarray=False
    )


def _contrast(page: Any) -> tuple[float, float]:
    """Return what ends up black and white."""
    step = int(np.ceil(np.sqrt(_n_pixels(page) / ENOUGH)))
    return (
        (0.0, 255.0) if page.dtype == np.uint8 else pixel_contrast(_strided(page, step))
    )


def pixel_contrast(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return what is shown black and bright: of 8 bits all, else all but the ends."""
    if pixels.dtype == np.uint8:
        return 0.0, 255.0
    low, high = np.percentile(pixels, [_DARK, _BRIGHT])
    return float(low), float(max(high, low + 1))


def tiff_size(path: Path) -> tuple[int, int]:
    """Return height and width of an image, without reading it.

    Raises
    ------
    InputError
        If it is no TIFF.
    """
    with translate_errors(path, "the image"):
        first = open_tiff(path).first
        return int(first.imagelength), int(first.imagewidth)


def pixel_size_in(path: Path) -> float | None:
    """Return the micrometres in a pixel that an OME-TIFF states, None without."""
    import re

    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            text = file.ome_metadata or ""
    except (OSError, ValueError, tifffile.TiffFileError):
        return None
    pixels = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", text)
    told = dict(
        re.findall(r'\b(PhysicalSizeX\w*)="([^"]*)"', pixels[0] if pixels else "")
    )
    if told.get("PhysicalSizeXUnit", "\u00b5m") not in ("\u00b5m", "\u03bcm", "um"):
        return None
    try:
        size = float(told.get("PhysicalSizeX", ""))
    except ValueError:
        return None
    return size if 0 < size < 100 else None


def _reduced(path: Path) -> tuple[Any, float]:
    """Return an image's pixels, and by what share its sides were made shorter."""
    handle = open_tiff(path)
    return _smaller([handle.first, *handle.copies], path)


def _smaller(levels: list[Any], path: Path) -> tuple[Any, float]:
    """Return the pixels of pages, the finest first, as `_reduced` does."""
    small = [page for page in levels if _n_pixels(page) <= ENOUGH]
    page = max(small, key=_n_pixels) if small else min(levels, key=_n_pixels)
    if _n_pixels(page) > _LARGEST_WHOLE and not page.is_memmappable:
        return None, 1.0
    check_fits(2 * min(_n_pixels(page), ENOUGH) * _pixel_bytes(page), path, "the image")
    step = int(np.ceil(np.sqrt(_n_pixels(page) / ENOUGH)))
    pixels = _strided(page, step)
    return pixels, page.imagewidth / levels[0].imagewidth / step


def _strided(page: Any, step: int) -> NDArray[Any]:
    """Return every so-many-th pixel of a page, of which one tile is held at a time."""
    if step == 1:
        return np.asarray(page.asarray())
    if page.is_memmappable:
        # Off the file's edge in the middle of each block, so that nothing is shifted.
        middle = step // 2
        return np.array(page.asarray(out="memmap")[middle::step, middle::step])
    height, width = (n // step for n in (page.imagelength, page.imagewidth))
    inner = (page.samplesperpixel,) if page.samplesperpixel > 1 else ()
    found = np.zeros((height, width, *inner), page.dtype)
    for tile, where, shape in page.segments():
        if tile is None:
            continue
        top, left = where[-3:-1]
        whole = tile.reshape(tile.shape[-3:])[: shape[-3], : shape[-2]]
        rows, from_row = _share(top, whole.shape[0], step, height)
        columns, from_column = _share(left, whole.shape[1], step, width)
        part = whole[from_row::step, from_column::step]
        part = part[: rows.stop - rows.start, : columns.stop - columns.start]
        found[rows, columns] = part if inner else part[..., 0]
    return found


def _share(start: int, length: int, step: int, most: int) -> tuple[slice, int]:
    """Return which kept pixels a tile holds, and where the first stands in it."""
    first = max(0, -(-(start - step // 2) // step))
    last = max(0, -(-(start + length - step // 2) // step))
    return slice(min(first, most), min(last, most)), first * step + step // 2 - start


def stretch_to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image as uint8; of more bits, stretched to what it holds."""
    if pixels.dtype == np.uint8:
        return pixels
    thinned = (slice(None, None, max(1, n // 1000)) for n in pixels.shape[:2])
    sample = pixels[tuple(thinned)]
    low, high = np.percentile(sample, [_DARK, _BRIGHT])
    stretched = (pixels.astype(np.float32) - low) * (255 / max(high - low, 1e-9))
    return np.asarray(np.clip(stretched, 0, 255), dtype=np.uint8)


def _pixel_bytes(page: Any) -> int:
    return int(page.samplesperpixel) * int(page.dtype.itemsize)


def _n_pixels(page: Any) -> int:
    return int(page.imagelength) * int(page.imagewidth)
