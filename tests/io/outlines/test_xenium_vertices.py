"""Ids of corners among the names of cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from napari_semst.io.outlines import xenium_vertices
from napari_semst.io.outlines.xenium_vertices import rows_of

NAMES = [f"cell-{i}" for i in range(7)]
IDS = ["cell-3", "cell-3", None, "cell-0", "other", "cell-6"]
ROWS = [3, 3, -1, 0, -1, 6]


@pytest.mark.parametrize("at_once", [1, 3, 100])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_ids_are_found_in_all_chunks_and_parts_of_names(monkeypatch, at_once, kind):
    monkeypatch.setattr(xenium_vertices, "_NAMES", at_once)
    chunk = pa.array(IDS, pa.string()).cast(kind)
    ids = pa.chunked_array([chunk, chunk[3:], chunk[:0]], kind)
    np.testing.assert_array_equal(rows_of(ids, pd.Index(NAMES)), ROWS + ROWS[3:])


def test_whole_numbers_are_ids_too():
    ids = pa.chunked_array([pa.array([12, 5, 12, 7], pa.int64())])
    names = pd.Index(["5", "12"])
    np.testing.assert_array_equal(rows_of(ids, names), [1, 0, 1, -1])


def test_a_table_without_rows_has_none():
    assert rows_of(pa.chunked_array([], pa.string()), pd.Index(NAMES)).shape == (0,)
