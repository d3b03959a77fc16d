"""Pages of TIFF files: what they declare, against what the file holds."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from napari_semst.core.memory import (
    MOST_SHRUNK,
    MOST_SHRUNK_BY_OTHERS,
    declares_too_much,
    memory_allowed,
)
from napari_semst.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# Numbers of TIFF: none, LZW, JPEG (old, new, lossy), Deflate (new, old), PackBits.
_USUAL_PACKING = (1, 5, 6, 7, 34892, 8, 32946, 32773)


def check_page(page: Any, path: Path) -> None:
    """Refuse a page whose pixels are not in the file, or that no memory can hold.

    Parameters
    ----------
    page
        A page of tifffile; none of its pixels are read.
    path
        The file.

    Raises
    ------
    InputError
        With what the page declares and what is there.
    """
    size = path.stat().st_size
    held = [int(n) for n in page.databytecounts]
    if max(held, default=0) > size:
        raise InputError(
            f"Expected the image {path} to be whole; a part of it should hold "
            f"{max(held) / 1e6:,.1f} MB, and the file holds {size / 1e6:,.1f} MB. It "
            "is cut short or damaged: copy or download it again."
        )
    n_bytes = prod(page.shape) * _item_bytes(page)
    part = prod(page.chunks) * _item_bytes(page)
    usual = page.compression in _USUAL_PACKING
    shrunk = MOST_SHRUNK if usual else MOST_SHRUNK_BY_OTHERS
    told = f"{page.imagewidth:,} x {page.imagelength:,} pixels"
    # Tiles may be left out, or lie on one another: the file is the bound.
    if declares_too_much(n_bytes, min(sum(held), size), shrunk):
        raise InputError(
            f"Expected the image {path} to hold what it declares, {told} or "
            f"{n_bytes / 1e6:,.0f} MB; it holds {min(sum(held), size) / 1e6:,.1f} MB. "
            "It is damaged, or was never filled: copy or download it again."
        )
    hollow = declares_too_much(part, max(held, default=0), shrunk)
    # A part is unpacked as a whole, into twice its size while it is turned.
    if hollow or (not page.is_memmappable and 2 * part > memory_allowed()):
        raise InputError(
            f"Expected the image {path} ({told}) in parts that can be read one by one; "
            f"a part of it declares {part / 1e6:,.0f} MB. Save it in tiles of 256 to "
            "1,024 pixels."
        )


def _item_bytes(page: Any) -> int:
    # Of a type that is not known nothing is read.
    return 0 if page.dtype is None else int(page.dtype.itemsize)
