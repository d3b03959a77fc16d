"""Hashes that distinguish images without reading all of a large one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.io.checks import translate_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# What is hashed of a file: so many parts of so many bytes, evenly spread.
_PARTS, _PART_BYTES = 256, 2**16


def hash_of(*parts: bytes) -> str:
    """Return a short hash of bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def fingerprint_file(path: Path) -> str:
    """Return a hash of spread parts of a file and its size, or raise `InputError`."""
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    starts = np.unique(np.linspace(0, max(0, size - _PART_BYTES), _PARTS).astype(int))
    with translate_errors(path, "the image"), path.open("rb") as file:
        for start in starts.tolist():
            file.seek(start)
            digest.update(file.read(_PART_BYTES))
    return digest.hexdigest()


def fingerprint_arrays(arrays: Sequence[Any]) -> str:
    """Return a hash of an image's bytes; of a lazy one, of spread blocks of levels.

    Parameters
    ----------
    arrays
        Levels of one image, numpy or dask.
    """
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        if isinstance(array, np.ndarray):
            for part in np.array_split(array, max(1, array.nbytes // 2**24)):
                digest.update(np.ascontiguousarray(part).tobytes())
            continue
        down, across = array.numblocks[:2]
        every = np.unique(np.linspace(0, down * across - 1, 16).astype(int))
        for index in every.tolist():
            block = array.blocks[divmod(index, across)]
            pixels = np.asarray(block.compute(scheduler="synchronous"))
            digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()
