"""Outlines of cells in a GeoJSON file, as segmentations of whole slides have them."""

from __future__ import annotations

import io
import json
import re
from array import array
from dataclasses import dataclass
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_semst.errors import InputError
from napari_semst.io.checks import MEGABYTE, check_file, translate_errors
from napari_semst.io.formats.gzipped import open_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

_WHAT = "the outlines of cells"
# A million cells of 60 corners take 2 GB as text.
_LARGEST = 8_000 * MEGABYTE
_BLOCK = 8 * MEGABYTE
# No outline of a cell takes more text.
_LONGEST = 64 * MEGABYTE
# Characters before the end at which a text that is cut short is found wrong.
_NEAR = 9
_ID_NAMES = ("cell_id", "cellid", "cell", "label", "id", "name")
_LIST = re.compile(r'"features"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True, eq=False)
class CellPolygons:
    """Outlines of cells, of which each may have several rings.

    Parameters
    ----------
    ids
        Of the cells as the file has them, each once, shape ``(n_cells,)``.
    vertices
        Corners (x, y), shape ``(n_vertices, 2)``.
    offsets
        Where each ring begins, and the last ends, shape ``(n_rings + 1,)``.
    cells
        The row of each ring's cell in ``ids``, shape ``(n_rings,)``.
    holes
        Whether a ring is a hole in its cell, shape ``(n_rings,)``.
    """

    ids: pd.Index
    vertices: NDArray[np.float64]
    offsets: NDArray[np.int64]
    cells: NDArray[np.int64]
    holes: NDArray[np.bool_]


def read_cell_polygons(path: Path) -> CellPolygons:
    """Return the outlines of cells in a GeoJSON file, packed or not.

    The file is read feature by feature: what is held grows with the corners of cells,
    not with the text.

    Parameters
    ----------
    path
        A FeatureCollection, or a list, of Polygons and MultiPolygons whose property
        ``cell_id`` (or ``id``, ``label``, ``name``) names the cell.

    Raises
    ------
    InputError
        If it is missing, damaged, no such file, or holds no outline.
    """
    check_file(path, _WHAT, at_most=_LARGEST)
    found = _Gathered()
    with translate_errors(path, _WHAT), open_bytes(path, _WHAT, _LARGEST) as file:
        for feature in _features(file, path):
            try:
                found.add(feature)
            except (AttributeError, TypeError, ValueError, LookupError) as error:
                raise InputError(
                    "Expected features with a cell_id and a Polygon of pairs of "
                    f"numbers in {path}; found another: {error}. Choose another file."
                ) from error
    if not found.lengths:
        raise InputError(
            f"Expected {_WHAT} in {path}; found no Polygon. Choose another file."
        )
    polygons = found.polygons()
    if not np.isfinite(polygons.vertices).all():
        raise InputError(
            f"Expected finite corners in {path}; found others. Choose another file."
        )
    return polygons


def centroids_and_areas(
    polygons: CellPolygons,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres of mass and the areas of cells.

    An outline without an area has the mean of its corners as its centre.

    Returns
    -------
    centroids, areas
        Shapes ``(n_cells, 2)`` and ``(n_cells,)``.
    """
    starts, cells = polygons.offsets[:-1], polygons.cells
    lengths = np.diff(polygons.offsets)
    ring = np.repeat(np.arange(len(lengths)), lengths)
    # Near to zero, so that products of large coordinates lose no digits.
    origin = polygons.vertices[starts]
    here = polygons.vertices - origin[ring]
    following = np.arange(1, len(here) + 1)
    following[polygons.offsets[1:] - 1] = starts
    there = here[following]
    cross = here[:, 0] * there[:, 1] - there[:, 0] * here[:, 1]
    double = np.add.reduceat(cross, starts)
    moments = np.add.reduceat((here + there) * cross[:, None], starts, axis=0)
    # Whichever way a ring runs: outer ones count, holes are taken away.
    sign = np.where(polygons.holes, -1.0, 1.0) * np.where(double < 0, -1.0, 1.0)
    area = sign * double / 2
    first = sign[:, None] * moments / 6 + area[:, None] * origin
    n_cells = len(polygons.ids)
    areas = np.bincount(cells, weights=area, minlength=n_cells)
    corners = np.bincount(cells, weights=lengths, minlength=n_cells)
    sums = np.add.reduceat(polygons.vertices, starts, axis=0)
    centroids = np.empty((n_cells, 2))
    for axis in (0, 1):
        total = np.bincount(cells, weights=first[:, axis], minlength=n_cells)
        mean = np.bincount(cells, weights=sums[:, axis], minlength=n_cells) / corners
        solid = areas > 0
        centroids[:, axis] = np.where(solid, total / np.where(solid, areas, 1), mean)
    return centroids, np.maximum(areas, 0)


class _Gathered:
    """Rings of the features so far, as flat arrays.

    A feature's lists are gone before the next one is read: many of them alive at once
    make Python look through all of them again and again.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.lengths = array("q")
        self.holes = bytearray()
        self.corners = array("d")

    def add(self, feature: Any) -> None:
        name = _id_of(feature)
        geometry = feature.get("geometry") or {}
        if geometry.get("type") not in ("Polygon", "MultiPolygon"):
            return
        where = geometry["coordinates"]
        for piece in [where] if geometry["type"] == "Polygon" else where:
            for number, ring in enumerate(piece):
                if ring:
                    self._add_ring(name, ring, number > 0)

    def _add_ring(self, name: str, ring: list[Any], is_hole: bool) -> None:
        kinds = set(map(len, ring))
        if min(kinds) < 2:
            raise ValueError("a corner without x and y")
        pairs = ring if kinds == {2} else [corner[:2] for corner in ring]
        self.corners.extend(chain.from_iterable(pairs))
        self.ids.append(name)
        self.lengths.append(len(ring))
        self.holes.append(is_hole)

    def polygons(self) -> CellPolygons:
        import pandas as pd

        cells, ids = pd.factorize(np.array(self.ids, dtype=object))
        lengths = np.frombuffer(self.lengths, np.int64)
        return CellPolygons(
            pd.Index(ids),
            np.frombuffer(self.corners, np.float64).reshape(-1, 2),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            cells.astype(np.int64),
            np.frombuffer(self.holes, np.uint8).astype(bool),
        )


def _features(file: IO[bytes], path: Path) -> Iterator[Any]:
    """Yield the features of a file, read block by block."""
    stream = io.TextIOWrapper(file, encoding="utf-8-sig")
    text, at = _to_the_list(stream, path)
    decode = json.JSONDecoder().raw_decode
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        if text.startswith("]", at):
            return
        try:
            feature, at = decode(text, at)
        except json.JSONDecodeError as error:
            # A feature goes on in the next block.
            more = stream.read(_BLOCK)
            if not more or len(text) - at > _LONGEST:
                near = "Unterminated" in error.msg or error.pos > len(text) - _NEAR
                cut = not more and near
                raise (EOFError if cut else ValueError)(str(error)) from error
            text, at = text[at:] + more, 0
            continue
        yield feature


def _to_the_list(stream: IO[str], path: Path) -> tuple[str, int]:
    """Return the first text, and where in it the first feature begins."""
    text = ""
    while more := stream.read(_BLOCK):
        text += more
        start = len(text) - len(text.lstrip())
        if text.startswith("[", start):
            return text, start + 1
        found = _LIST.search(text)
        if found is not None:
            return text, found.end()
        if not text.startswith("{", start) or len(text) > _LONGEST:
            break
    raise InputError(
        f"Expected {_WHAT} in {path} as a GeoJSON FeatureCollection; found something "
        "else. Choose another file."
    )


def _id_of(feature: Any) -> str:
    """Return the name of a feature's cell."""
    properties = feature.get("properties") or {}
    for name in _ID_NAMES:
        if isinstance(properties.get(name), str | int | float):
            return str(properties[name])
    if isinstance(feature.get("id"), str | int):
        return str(feature["id"])
    raise KeyError("no cell_id")
