from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import SemanticsError
from napari_semst.io.formats.numeric_tables import read_numbers
from napari_semst.io.formats.text_tables import n_lines, peek


@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_text_with_other_signs_does_not_hide_the_delimiter(tmp_path, sep):
    other = "," if sep != "," else ";"
    note = f"a{other}b c d e f{other}g h"
    table = pd.DataFrame({"spot": ["s1", "s2"], "x": [1, 2], "note": [note, "b"]})
    path = tmp_path / "a.txt"
    table.to_csv(path, sep=sep, index=False)
    head = peek(path)
    assert head.delimiter == sep
    assert head.names == ("spot", "x", "note")
    assert head.rows[0] == ("s1", "1", note)


def test_a_byte_order_mark_belongs_to_no_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y,spot\n1,2,s1\n", encoding="utf-8-sig")
    assert peek(path).names == ("x", "y", "spot")


@pytest.mark.parametrize("label", ["", "index"])
@pytest.mark.parametrize("title", ["barcode", "gene"])
def test_numbers_of_rows_beside_names_are_no_numbers(tmp_path, label, title):
    table = pd.DataFrame({title: ["b", "a", "c"], "d1": [1.5, 2, 3], "d2": 4.0})
    path = tmp_path / "a.csv"
    table.to_csv(path, index_label=label)
    if label:
        # A title of names: which of both are, cannot be told.
        with pytest.raises(SemanticsError, match="could not read"):
            read_numbers(path)
        return
    names, numbers = read_numbers(path)
    assert names == ["b", "a", "c"]
    np.testing.assert_array_equal(numbers, [[1.5, 4], [2, 4], [3, 4]])


def test_numbers_that_name_rows_stay_names(tmp_path):
    table = pd.DataFrame({"d1": [1.5, 2, 3]}, index=[2, 0, 1])
    table.to_csv(tmp_path / "a.csv")
    names, numbers = read_numbers(tmp_path / "a.csv")
    assert names == ["2", "0", "1"]
    np.testing.assert_array_equal(numbers.ravel(), [1.5, 2, 3])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_lines_are_counted_whatever_ends_them(tmp_path, monkeypatch, end, last):
    # Ends of two bytes are cut in half by some block.
    monkeypatch.setattr("napari_semst.io.formats.text_tables._BLOCK", 3)
    path = tmp_path / "a.csv"
    text = end.join(["x,y", "1,2", "33,44"]) + end * last
    path.write_bytes(text.encode())
    assert n_lines(path) == 3


def test_a_packed_table_that_is_damaged_inside_is_refused(tmp_path):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4)))
    path = tmp_path / "a.csv.gz"
    table.to_csv(path)
    content = bytearray(path.read_bytes())
    content[400:420] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(SemanticsError, match="could not read"):
        read_numbers(path)
