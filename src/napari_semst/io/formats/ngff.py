"""OME-NGFF as SpatialData writes it: attributes, transformations, levels of images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.json_text import read_json
from napari_semst.errors import InputError
from napari_semst.io.checks import translate_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

USUAL_SYSTEM = "global"
# Without a small copy in the store the whole level must be gone through.
_LARGEST_WHOLE = 2_000_000_000


def attributes(group: Path) -> dict[str, Any]:
    """Return the attributes of a zarr group of either format, empty without any."""
    for name in (".zattrs", "zarr.json"):
        if (group / name).is_file():
            with translate_errors(group / name, "the attributes of a zarr group"):
                held = read_json(group / name)
            if not isinstance(held, dict):
                return {}
            own = held.get("attributes", {}) if name == "zarr.json" else held
            return own if isinstance(own, dict) else {}
    return {}


def multiscales(group: Path) -> dict[str, Any]:
    """Return what an image's group says of its levels, empty for no image."""
    held = attributes(group)
    found = held.get("ome", held).get("multiscales", [])
    return found[0] if isinstance(found, list) and found else {}


def transforms(group: Path) -> list[dict[str, Any]]:
    """Return an element's transformations to coordinate systems, empty without any."""
    own = multiscales(group) or attributes(group)
    found = own.get("coordinateTransformations", [])
    return found if isinstance(found, list) else []


def placed_in(found: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the coordinate systems that an element's transformations lead to."""
    outputs = [one.get("output") for one in found]
    return tuple(str(out["name"]) for out in outputs if isinstance(out, dict))


def matrix_to(transforms: Sequence[dict[str, Any]], system: str) -> NDArray[np.float64]:
    """Return what takes an element's (x, y, 1) to a coordinate system.

    Parameters
    ----------
    transforms
        Its ``coordinateTransformations``: none means that nothing is changed.
    system
        The coordinate system.

    Returns
    -------
    numpy.ndarray
        Shape ``(3, 3)``.

    Raises
    ------
    InputError
        If the element has transformations and none leads there, or one is of a kind
        that is no matrix.
    """
    if not transforms:
        return np.eye(3)
    for one in transforms:
        if (one.get("output") or {}).get("name") == system:
            return _matrix(one, _axes(one, "input"))
    raise InputError(
        f"Expected a transformation to the coordinate system {system!r}; found "
        f"{', '.join(placed_in(transforms)) or 'none'}. Export the store again."
    )


def _axes(transform: dict[str, Any], side: str) -> list[str]:
    system = transform.get(side) or {}
    return [str(axis["name"]) for axis in system.get("axes", [])] or ["x", "y"]


def _matrix(transform: dict[str, Any], axes: list[str]) -> NDArray[np.float64]:
    """Return one transformation as a matrix of (x, y, 1); other axes are left out."""
    kind = transform.get("type")
    if kind == "affine":
        return _affine(transform, axes)
    found = np.eye(3)
    if kind == "sequence":
        for one in transform["transformations"]:
            found = (
                _matrix(one, _axes(one, "input") if "input" in one else axes) @ found
            )
    elif kind == "scale":
        for row, axis in enumerate("xy"):
            found[row, row] = transform["scale"][axes.index(axis)]
    elif kind == "translation":
        for row, axis in enumerate("xy"):
            found[row, 2] = transform["translation"][axes.index(axis)]
    elif kind == "mapAxis":
        # It names for every axis that comes out the one that it is.
        named = transform["mapAxis"]
        found[:2, :2] = [[named.get(out, out) == axis for axis in "xy"] for out in "xy"]
        _refuse_other_axes(found, transform)
    elif kind != "identity":
        raise InputError(
            f"Expected a transformation of the kind identity, scale, translation, "
            f"affine, mapAxis or sequence; found {kind!r}. Export the store again."
        )
    return found


def _affine(transform: dict[str, Any], axes: list[str]) -> NDArray[np.float64]:
    """Return the rows and columns of an affine transformation that are of x and y."""
    full = np.asarray(transform["affine"], np.float64)
    outs = _axes(transform, "output") if "output" in transform else axes
    rows = full[[outs.index("x"), outs.index("y")]]
    others = [column for column, axis in enumerate(axes) if axis not in "xy"]
    found = np.eye(3)
    found[:2] = rows[:, [axes.index("x"), axes.index("y"), len(axes)]]
    if rows[:, others].any():
        found[:2] = 0
    _refuse_other_axes(found, transform)
    return found


def _refuse_other_axes(found: NDArray[np.float64], transform: dict[str, Any]) -> None:
    """Refuse what makes x or y of a depth or a channel, or both of the same axis."""
    if not np.linalg.det(found[:2, :2]):
        raise InputError(
            "Expected a transformation of x and y to x and y; found the "
            f"{transform['type']} {transform[transform['type']]}, which makes one of "
            "them of another axis. Export the store again."
        )


def is_plain(matrix: NDArray[np.float64]) -> bool:
    """Return whether a matrix scales both axes alike and moves, and no more."""
    scale = matrix[0, 0]
    wanted = np.array([[scale, 0, matrix[0, 2]], [0, scale, matrix[1, 2]], [0, 0, 1]])
    return bool(scale > 0 and np.allclose(matrix, wanted, rtol=1e-3, atol=1e-6))


def ngff_size(group: Path) -> tuple[int, int] | None:
    """Return height and width of an image's finest level, None for no image."""
    import zarr

    about = multiscales(group)
    if not about:
        return None
    axes = [str(axis["name"]) for axis in about["axes"]]
    array: Any = zarr.open_array(group / str(about["datasets"][0]["path"]), mode="r")
    return int(array.shape[axes.index("y")]), int(array.shape[axes.index("x")])


def level_of(group: Path, most: int) -> tuple[NDArray[Any], float] | None:
    """Return an image no finer than wanted, and its pixels per pixel of the finest.

    Where all levels have more pixels, the coarsest is thinned out chunk by chunk.

    Parameters
    ----------
    group
        The image's group.
    most
        Pixels at most.

    Returns
    -------
    image, share
        ``(height, width)``, or with 3 or 4 channels that are colours; else the first
        channel. None where there is no level, or all are too large to be gone through.
    """
    import zarr

    about = multiscales(group)
    axes = [str(axis["name"]) for axis in about.get("axes", [])]
    coloured = may_be_colours(group)
    finest = 0
    array: Any = None
    sizes = dict.fromkeys("xy", 0)
    for one in about.get("datasets", []):
        array = zarr.open_array(group / str(one["path"]), mode="r")
        sizes = dict(zip(axes, array.shape, strict=True))
        finest = finest or sizes["x"]
        if sizes["x"] * sizes["y"] <= most:
            break
    n_pixels = sizes["x"] * sizes["y"]
    if array is None or n_pixels > max(most, _LARGEST_WHOLE):
        return None
    step = max(1, math.ceil(math.sqrt(n_pixels / most)))
    picked = tuple(
        # The middle pixel of each block, so that nothing is shifted.
        slice(step // 2, max(1, sizes[axis] // step) * step, step)
        if axis in "xy"
        else slice(None)
        if axis == "c" and coloured and sizes["c"] in (3, 4)
        else 0
        for axis in axes
    )
    image = np.asarray(array[picked])
    if image.ndim == 3:
        image = np.moveaxis(image, 0, -1)
    return image, sizes["x"] / finest / step


def may_be_colours(group: Path) -> bool:
    """Return whether channels are named as colours, or not at all.

    Three or four stains of a fluorescent image are not red, green and blue.
    """
    held = attributes(group)
    channels = held.get("ome", held).get("omero", {}).get("channels", [])
    labels = [str(one.get("label", "")).strip().lower() for one in channels]
    colours = {"r", "g", "b", "a", "red", "green", "blue", "alpha", ""}
    return all(label in colours or label.isdigit() for label in labels)
