"""Which file an image in memory is a reduced copy of."""

from __future__ import annotations

import hashlib
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What tells a file from another of its name, and this process from a fork of it, which
# would share the position in the file: path, number, age, size, process.
FileKey = tuple[Path, int, int, int, int]

# By shape and pixels of a reduced image, which its copies share: its file as it was
# then, and the share of the sides' pixels.
_SOURCES: dict[tuple[tuple[int, ...], bytes], tuple[FileKey, float]] = {}
# Images as they were read from such files, and from saved sections, by what Python
# knows them by as long as they are there; and the pixels of the latter.
_READ: set[int] = set()
_SAVED: set[int] = set()
_SAVED_PIXELS: set[tuple[tuple[int, ...], bytes]] = set()


def file_key(path: Path) -> FileKey:
    """Return what changes where a file is replaced."""
    about = path.stat()
    number, age, size = about.st_ino, about.st_mtime_ns, about.st_size
    return path.absolute(), number, age, size, os.getpid()


def remember_source(image: NDArray[np.uint8], path: Path, share: float) -> None:
    """Let `image_source` know of which file an image is a reduced copy.

    Parameters
    ----------
    image
        In memory.
    path, share
        The file, or the group of an image in a store, and the image's pixels along for
        each of the file's.
    """
    _SOURCES[image.shape, _digest(image)] = file_key(path), share
    _mark(image, _READ)


def forget_source(image: object) -> None:
    """Let an image be its own source, though it has the pixels of one that has a file.

    What a saved section shows, or a copy of it, shall not depend on what else was
    opened before.

    Parameters
    ----------
    image
        As it was read from a saved section.
    """
    if isinstance(image, np.ndarray):
        _mark(image, _SAVED)
        _SAVED_PIXELS.add((image.shape, _digest(image)))


def image_source(image: NDArray[np.uint8]) -> tuple[Path | None, float]:
    """Return the file that an image was read from, and the share of its sides' pixels.

    Parameters
    ----------
    image
        As it was read, or a copy. Of one that has all its pixels, or whose file was
        replaced since, no file is known, which is `None`; nor of a copy that might be
        one of a saved section.
    """
    path, share = file_of_image(image)
    # Of an image in a store nothing but its channels is read again.
    gone = share >= 1 or (path is not None and path.is_dir())
    return (None, 1.0) if gone else (path, share)


def file_of_image(image: NDArray[np.uint8]) -> tuple[Path | None, float]:
    """Return what `image_source` does, of one that is whole or of a store too.

    Parameters
    ----------
    image
        As it was read, or a copy.
    """
    known = any(shape == image.shape for shape, _ in list(_SOURCES))
    if not known or id(image) in _SAVED:
        return None, 1.0
    pixels = image.shape, _digest(image)
    if pixels in _SAVED_PIXELS and id(image) not in _READ:
        return None, 1.0
    key, share = _SOURCES.get(pixels, (None, 1.0))
    # A fork reads the same file.
    if key is None or not key[0].exists() or file_key(key[0])[:-1] != key[:-1]:
        return None, 1.0
    return key[0], share


def _mark(image: NDArray[np.uint8], marked: set[int]) -> None:
    if id(image) not in marked:
        marked.add(id(image))
        weakref.finalize(image, marked.discard, id(image))


def _digest(image: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
