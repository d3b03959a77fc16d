from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_semst.errors import InputError
from napari_semst.session.actions import (
    Action,
    actions_from,
    ranges_of_spots,
    spots_in_ranges,
)


@given(st.lists(st.booleans(), max_size=80))
def test_spots_come_back_from_their_ranges(chosen):
    spots = np.array(chosen, bool)
    np.testing.assert_array_equal(
        spots_in_ranges(ranges_of_spots(spots), len(spots)), spots
    )


def test_neighbours_in_the_table_are_one_range():
    spots = np.zeros(20, bool)
    spots[[0, 1, 2, 7, 18, 19]] = True
    assert ranges_of_spots(spots) == "0-2 7 18-19"


@pytest.mark.parametrize("text", ["x", "3-", "-3", "1-2-3", "20", "0-20", "1.5", "²"])
def test_what_is_no_spot_of_the_section_is_refused(text):
    with pytest.raises(InputError, match="Expected"):
        spots_in_ranges(text, 20)


@pytest.mark.parametrize("n_spots", [5_000, 5_003])
def test_many_scattered_spots_come_back_from_fewer_letters(n_spots):
    spots = np.random.default_rng(0).random(n_spots) < 0.5
    told = ranges_of_spots(spots)
    assert len(told) < n_spots / 5
    np.testing.assert_array_equal(spots_in_ranges(told, n_spots), spots)
    for wrong in (told[:-9], f"{told}é", "bits:", "bits:abcd"):
        with pytest.raises(InputError, match="Expected"):
            spots_in_ranges(wrong, n_spots)
    for other in (n_spots + 8, n_spots - 8, n_spots // 2):
        with pytest.raises(InputError, match="another section"):
            spots_in_ranges(told, other)


def test_an_action_holds_what_json_gives_back():
    spots = np.array([True, False, True])
    given = {
        "path": Path("/data/a.h5ad"),
        "spots": spots,
        "names": ("a", "b"),
        "k": np.int32(4),
        "of": [Action("read", {"path": "x"})],
    }
    action = Action("edit", given)
    assert action.given["spots"] == "0 2"
    back = actions_from(json.loads(json.dumps([[action.name, action.given]])))
    assert back == (action,)


@pytest.mark.parametrize("listed", [[["run"]], [3], [["run", 4]], None, [[1, {}, 2]]])
def test_a_record_of_something_else_is_refused(listed):
    with pytest.raises(InputError, match="damaged"):
        actions_from(listed)
