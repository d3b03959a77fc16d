"""Polygons in well-known binary."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from napari_semst.errors import InputError
from napari_semst.io.outlines.cell_outlines import outlines_from_rings
from napari_semst.io.outlines.wkb import rings_from_wkb
from tests.io.outline_files import wkb_multipolygon, wkb_polygon

FILE = Path("cells.parquet")


def ring(n, radius=10.0, middle=(0.0, 0.0)):
    angles = np.linspace(0, 2 * np.pi, n + 1)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    circle[-1] = circle[0]
    return np.asarray(middle) + radius * circle


def read(*shapes, cells=None):
    cells = np.arange(len(shapes)) if cells is None else np.array(cells)
    return rings_from_wkb(pa.array(shapes, pa.binary()), cells, FILE)


def as_list(rings):
    """Return the rings' cells and corners."""
    edges = zip(rings.offsets[:-1], rings.offsets[1:], strict=True)
    return [
        (int(cell), rings.vertices[start:end])
        for cell, (start, end) in zip(rings.cells, edges, strict=True)
    ]


def test_polygons_of_any_number_of_corners():
    shapes = [ring(n, middle=(n, -n)) for n in (3, 4, 17, 5)]
    found = as_list(read(*(wkb_polygon(shape) for shape in shapes)))
    assert [cell for cell, _ in found] == [0, 1, 2, 3]
    for (_, corners), shape in zip(found, shapes, strict=True):
        np.testing.assert_allclose(corners, shape, rtol=1e-6)


def test_pieces_and_holes_are_rings_of_their_cell():
    one, hole, two = ring(9), ring(4, 2.0), ring(6, 3.0, (40, 0))
    several = wkb_multipolygon(wkb_polygon(one, hole), wkb_polygon(two))
    rings = read(wkb_polygon(two), several, None, b"", cells=[4, 2, 1, 3])
    found = {}
    for cell, corners in as_list(rings):
        found.setdefault(cell, []).append(len(corners))
    assert {cell: sorted(sizes) for cell, sizes in found.items()} == {
        4: [7],
        2: [5, 7, 10],
    }
    outlines = outlines_from_rings(rings, 5)
    assert list(outlines.n_corners > 0) == [False, False, True, False, True]


def test_heights_are_left_out():
    corners = ring(5)
    high = np.column_stack([corners, np.full(len(corners), 7.0)])
    for kind in (1003, 3 | 0x80000000):
        shape = struct.pack("<BIII", 1, kind, 1, len(high)) + high.tobytes()
        ((_, found),) = as_list(read(shape))
        np.testing.assert_allclose(found, corners, rtol=1e-6)


def test_shapes_of_cells_that_are_not_wanted_are_not_looked_at():
    rings = read(b"no shape", wkb_polygon(ring(4)), cells=[-1, 0])
    assert list(rings.cells) == [0]


@pytest.mark.parametrize(
    "shape",
    [
        struct.pack("<BIdd", 1, 1, 2.0, 3.0),
        wkb_polygon(ring(6))[:-9],
        b"\x00" + wkb_polygon(ring(6))[1:],
        b"\x01\x03",
    ],
    ids=["a point", "cut short", "the other byte order", "a stump"],
)
def test_what_is_no_polygon_is_refused(shape):
    with pytest.raises(InputError, match=r"cells\.parquet as polygons"):
        read(wkb_polygon(ring(3)), shape)


def test_shapes_as_shapely_writes_them():
    shapely = pytest.importorskip("shapely")
    random = np.random.default_rng(0)
    shapes = [
        shapely.union(
            shapely.Point(*random.uniform(0, 9, 2)).buffer(random.uniform(1, 3)),
            shapely.Point(*random.uniform(0, 9, 2)).buffer(random.uniform(1, 3)),
        ).difference(shapely.Point(4, 4).buffer(1))
        for _ in range(40)
    ]
    found = as_list(read(*shapely.to_wkb(shapes)))
    expected = [
        (cell, np.asarray(line.coords))
        for cell, shape in enumerate(shapes)
        for part in shapely.get_parts(shape)
        for line in (part.exterior, *part.interiors)
    ]
    assert len(found) == len(expected)

    def key(one):
        return one[0], len(one[1]), round(float(one[1].sum()), 2)

    for (cell, corners), (own, line) in zip(
        sorted(found, key=key), sorted(expected, key=key), strict=True
    ):
        assert cell == own
        np.testing.assert_allclose(corners, line, atol=1e-5)
