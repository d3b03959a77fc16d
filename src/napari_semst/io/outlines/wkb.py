"""Polygons in well-known binary, as GeoParquet and MERSCOPE hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_semst.core.ragged import spread
from napari_semst.errors import InputError
from napari_semst.io.outlines.cell_outlines import Rings

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_POLYGON, _MULTIPOLYGON = 3, 6
# Bytes before what a shape holds: byte order, type, how many parts.
_HEADER = 9
# Flags of a type with heights (EWKB), and what is added to it (ISO); of a reference
# system, which stands behind it.
_EWKB_Z, _EWKB_M, _EWKB_SRID = 0x80000000, 0x40000000, 0x20000000


class _Bytes:
    """Bytes from which numbers are taken at any place."""

    def __init__(self, values: pa.Array, file: Path) -> None:
        import pyarrow as pa

        values = values.cast(pa.large_binary()).fill_null(b"")
        offsets, data = values.buffers()[1:]
        first = values.offset
        ends = np.frombuffer(offsets, np.int64)[first : first + len(values) + 1]
        self.starts, self.ends = ends[:-1], ends[1:]
        self._data = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
        self._file = file

    def damaged(self) -> InputError:
        return InputError(
            f"Expected outlines of cells in {self._file} as polygons in well-known "
            "binary; found others. Copy or export the file again."
        )

    def bytes_at(self, at: Ints) -> NDArray[np.uint8]:
        return self._data[at]

    def uint32(self, at: Ints) -> Ints:
        parts = self._data[at[:, None] + np.arange(4)]
        return np.ascontiguousarray(parts).view("<u4")[:, 0].astype(np.int64)

    def doubles(self, at: Ints) -> NDArray[np.float64]:
        """Return numbers that begin anywhere, not at every eighth byte alone."""
        found = np.empty(len(at))
        for phase in range(8):
            here = np.flatnonzero(at % 8 == phase)
            if len(here):
                size = (len(self._data) - phase) // 8
                aligned = np.frombuffer(self._data, "<f8", size, phase)
                found[here] = aligned[at[here] // 8]
        return found


def rings_from_wkb(values: pa.Array, cells: Ints, file: Path) -> Rings:
    """Return the rings of polygons and of polygons in several pieces.

    Parameters
    ----------
    values
        One shape each, shape ``(n_shapes,)``; empty or null for none.
    cells
        The row of each shape's cell, -1 for one that is not wanted, ``(n_shapes,)``.
    file
        For what users are told.

    Raises
    ------
    InputError
        If a shape is none of the two, or cut short.
    """
    data = _Bytes(values, file)
    shapes = np.flatnonzero((data.ends > data.starts) & (cells >= 0))
    at, ends = data.starts[shapes], data.ends[shapes]
    kind, at, _ = _header(data, at, ends)
    n_parts = np.ones(len(shapes), np.int64)
    if not np.isin(kind, (_POLYGON, _MULTIPOLYGON)).all():
        raise data.damaged()
    many = np.flatnonzero(kind == _MULTIPOLYGON)
    at = np.where(kind == _MULTIPOLYGON, at, data.starts[shapes])
    n_parts[many] = data.uint32(at[many])
    at[many] += 4
    found: list[tuple[Ints, Ints, Ints, Ints]] = []
    # As many rounds as the cell of most pieces has of them.
    left = np.flatnonzero(n_parts > 0)
    while len(left):
        kind, after, width = _header(data, at[left], ends[left])
        if (kind != _POLYGON).any():
            raise data.damaged()
        at[left] = _walk_rings(data, left, after, ends[left], width, found)
        n_parts[left] -= 1
        left = left[n_parts[left] > 0]
    return _gathered(data, found, cells[shapes])


def is_polygon(shape: bytes) -> bool:
    """Return whether a shape in well-known binary is one polygon or several."""
    if len(shape) < _HEADER or shape[0] != 1:
        return False
    kind = int.from_bytes(shape[1:5], "little") & 0x0FFFFFFF
    return kind % 1000 in (_POLYGON, _MULTIPOLYGON)


def _header(data: _Bytes, at: Ints, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the kind of shapes, where what they hold begins, and numbers a corner."""
    if (at + _HEADER > ends).any() or (data.bytes_at(at) != 1).any():
        raise data.damaged()
    flags = data.uint32(at + 1)
    plain = flags & 0x0FFFFFFF
    iso = plain // 1000
    more = ((flags & _EWKB_Z) > 0) + ((flags & _EWKB_M) > 0) + 0
    more = np.maximum(more, np.choose(np.clip(iso, 0, 3), (0, 1, 1, 2)))
    after = at + 5 + 4 * ((flags & _EWKB_SRID) > 0)
    return plain % 1000, after, 2 + more


def _walk_rings(
    data: _Bytes,
    shapes: Ints,
    at: Ints,
    ends: Ints,
    width: Ints,
    found: list[tuple[Ints, Ints, Ints, Ints]],
) -> Ints:
    """Note the rings of one polygon of each shape; return where the polygons end."""
    n_rings = data.uint32(at)
    at = at + 4
    left = np.flatnonzero(n_rings > 0)
    while len(left):
        here = at[left]
        if (here + 4 > ends[left]).any():
            raise data.damaged()
        n_corners = data.uint32(here)
        after = here + 4 + 8 * width[left] * n_corners
        if (after > ends[left]).any():
            raise data.damaged()
        found.append((shapes[left], here + 4, n_corners, width[left]))
        at[left] = after
        n_rings[left] -= 1
        left = left[n_rings[left] > 0]
    return at


def _gathered(
    data: _Bytes, found: list[tuple[Ints, Ints, Ints, Ints]], cells: Ints
) -> Rings:
    """Return the corners of the rings that were noted."""
    nothing = np.empty(0, np.int64)
    shape, start, n_corners, width = (
        np.concatenate([nothing, *column])
        for column in (zip(*found, strict=True) if found else ((), (), (), ()))
    )
    ring, place = spread(n_corners)
    at = start[ring] + 8 * width[ring] * place
    vertices = np.empty((len(at), 2), np.float32)
    vertices[:, 0], vertices[:, 1] = data.doubles(at), data.doubles(at + 8)
    offsets = np.concatenate([[0], np.cumsum(n_corners)]).astype(np.int64)
    return Rings(vertices, offsets, cells[shape])
