"""Names as one text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_semst.config.listed_names import joined_names, listed_names

NAMES = st.text("ab, \"'-.", min_size=1).map(str.strip).filter(bool)


@given(st.lists(NAMES, min_size=1))
def test_names_are_read_back_as_they_were_joined(names):
    assert listed_names(joined_names(names)) == names


def test_names_without_commas_stay_as_they_are_typed():
    assert joined_names(["a", "b c"]) == "a,b c"
    assert listed_names(" a, b c ,,") == ["a", "b c"]
    assert listed_names("") == []
