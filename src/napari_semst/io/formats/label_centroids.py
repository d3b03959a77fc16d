"""Where the labels of a raster lie and how large they are, read block by block."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.formats import ngff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

# Pixels that are read at once, unless a single chunk has more.
_BLOCK = 1 << 22


class _Runs(NamedTuple):
    """Stretches of one label along x, each of shape ``(n_runs,)``."""

    label: NDArray[Any]
    y: NDArray[np.int64]
    x: NDArray[np.int64]
    length: NDArray[np.int64]


def label_centroids(
    group: Path, wanted: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the centroids of labels and how many pixels each has.

    Centroids are in pixels of the finest level, of which pixel i covers [i, i + 1).
    That level is read whatever its size: small cells do not survive coarser ones, and
    what is held at a time is one block.

    Parameters
    ----------
    group
        The labels' group in OME-NGFF. Of a volume, slices are summed.
    wanted
        Numbers of labels, unique, shape ``(n_labels,)``. Label 0 is background.

    Returns
    -------
    xy, n_pixels
        Shapes ``(n_labels, 2)``, NaN for labels that do not occur, and
        ``(n_labels,)``.

    Raises
    ------
    InputError
        If the group holds no raster of whole numbers.
    """
    array, axes = _finest(group)
    order = np.argsort(wanted, kind="stable")
    known = wanted[order]
    sums = np.zeros((3, len(known)))
    for y, x, block in _blocks(array, axes):
        runs = _runs(block)
        rows = np.searchsorted(known, runs.label)
        rows[rows == len(known)] = 0
        own = (runs.label != 0) & (known[rows] == runs.label)
        rows, length = rows[own], runs.length[own].astype(np.float64)
        middle_x = x + runs.x[own] + length / 2
        middle_y = y + runs.y[own] + 0.5
        for sum_, weights in zip(
            sums, (length * middle_x, length * middle_y, length), strict=True
        ):
            sum_ += np.bincount(rows, weights, minlength=len(known))
    found = np.full((len(known), 2), np.nan)
    there = sums[2] > 0
    found[there] = (sums[:2, there] / sums[2, there]).T
    xy, n_pixels = np.empty_like(found), np.empty(len(known), np.int64)
    xy[order], n_pixels[order] = found, sums[2].astype(np.int64)
    return xy, n_pixels


def _finest(group: Path) -> tuple[Any, list[str]]:
    """Return the finest level of labels and the names of its axes."""
    import zarr

    about = ngff.multiscales(group)
    if not about.get("datasets"):
        raise InputError(
            f"Expected labels in OME-NGFF in {group}; its attributes name no levels. "
            "Export the store again."
        )
    axes = [str(axis["name"]) for axis in about.get("axes", [])] or ["y", "x"]
    array: Any = zarr.open_array(group / str(about["datasets"][0]["path"]), mode="r")
    if array.dtype.kind not in "iu" or len(axes) != array.ndim:
        raise InputError(
            f"Expected labels of the axes {', '.join(axes)} as whole numbers in "
            f"{group}; found {array.dtype} of shape {array.shape}. Export the store "
            "again."
        )
    return array, axes


def _blocks(array: Any, axes: list[str]) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Yield the blocks of a raster with the y and x of their first pixel.

    They are whole chunks, so that none is unpacked twice; each other axis, such as the
    depth of a volume, is passed through one by one.
    """
    steps = dict(zip(axes, array.chunks, strict=True))
    sizes = dict(zip(axes, array.shape, strict=True))
    depth = int(np.prod([steps[axis] for axis in axes if axis not in "xy"]))
    for axis in "xy":
        room = _BLOCK // max(1, depth * steps["x"] * steps["y"])
        steps[axis] *= max(1, min(room, -(-sizes[axis] // steps[axis])))
    starts = [range(0, sizes[axis], steps[axis]) for axis in axes]
    for corner in product(*starts):
        first = dict(zip(axes, corner, strict=True))
        read = tuple(slice(first[axis], first[axis] + steps[axis]) for axis in axes)
        block = np.asarray(array[read])
        block = np.moveaxis(block, (axes.index("y"), axes.index("x")), (-2, -1))
        for plane in block.reshape(-1, *block.shape[-2:]):
            yield first["y"], first["x"], plane


def _runs(block: NDArray[Any]) -> _Runs:
    """Return the stretches of one label along the rows of a block.

    There are far fewer of them than pixels, and sums over them are exact.
    """
    width = block.shape[1]
    flat = np.ascontiguousarray(block).ravel()
    begins = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::width] = True
    first = np.flatnonzero(begins)
    length = np.diff(first, append=flat.size)
    y, x = np.divmod(first, width)
    # Numbers of labels are compared with those of a table, which are signed.
    return _Runs(flat[first].astype(np.int64), y, x, length)
