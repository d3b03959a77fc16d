from __future__ import annotations

import pandas as pd
import pytest

from napari_semst.io.readers.cell_tables import cell_ids, id_columns, index_by_id


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("12.0", "12"),
        ("12.000", "12"),
        (" 7 ", "7"),
        ("1e+05", "100000"),
        ("1.2e+06", "1200000"),
        ("3E+02", "300"),
        # Digits that are lost stay lost, and names are not numbers.
        ("1.03327291694389e+38", "1.03327291694389e+38"),
        ("103327291694389284070574461648020091166",) * 2,
        ("well05_1.0", "well05_1.0"),
        ("1.5", "1.5"),
        ("0012", "0012"),
        ("1e-05", "1e-05"),
    ],
)
def test_ids_get_back_the_digits_they_had(told, meant):
    assert list(cell_ids(pd.Series([told], index=[5]))) == [meant]


def test_the_column_that_names_the_cells_counted_is_the_index():
    table = pd.DataFrame(
        {"": ["1", "2", "3"], "X": ["0.5", "", "2"], "cell": ["7", "1", "9"]}
    ).replace("", None)
    found = id_columns(list(table), ("cell", "x", ""))
    assert found == ["cell", "X", ""]
    cells = index_by_id(table, found, pd.Index(["9", "7"]))
    assert list(cells.index) == ["7", "1", "9"]
    assert cells["X"].dtype == float
    # All share some ids: numbers of rows say the least of which cell is meant.
    cells = index_by_id(table, found, pd.Index(["1", "2"]))
    assert list(cells.index) == ["7", "1", "9"]
    # Without a cell in the column of ids, they are what is left.
    cells = index_by_id(table, found, pd.Index(["2", "3"]))
    assert list(cells.index) == ["1", "2", "3"]
    # Names of rows that do not only count are ids as any others.
    named = table.assign(**{"": ["4", "1", "2"]})
    cells = index_by_id(named, found, pd.Index(["1", "2"]))
    assert list(cells.index) == ["4", "1", "2"]
