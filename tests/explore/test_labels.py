from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_semst.errors import ConfigError, InputError
from napari_semst.explore.labels import (
    NONE,
    Labels,
    empty_labels,
    free_name,
    read_labels,
    write_labels,
)
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def labels():
    codes = np.array([0, 0, 1, 1, 2, NONE], np.int32)
    return Labels(codes, ("a", "b", "c"), ("#ff0000", "#00ff00", "#0000ff"))


def names_of(labels):
    return [labels.names[code] if code >= 0 else None for code in labels.codes]


def test_a_new_name_keeps_spots_place_and_colour(labels):
    other = labels.renamed("b", " white matter ")
    assert other.names == ("a", "white matter", "c")
    assert other.colors == labels.colors
    assert np.array_equal(other.codes, labels.codes)


@pytest.mark.parametrize("new", ["", "  ", "c", "x" * 201, "two\nlines"])
def test_a_name_that_is_taken_or_none_is_refused(labels, new):
    with pytest.raises(ConfigError):
        labels.renamed("b", new)


def test_merging_gives_all_spots_the_first_name(labels):
    other = labels.merged(["c", "a"])
    assert names_of(other) == ["c", "c", "b", "b", "c", None]
    assert other.names == ("b", "c")
    assert other.colors == ("#00ff00", "#0000ff")


def test_merging_one_name_is_refused(labels):
    with pytest.raises(ConfigError, match="two names"):
        labels.merged(["a", "a"])


def test_the_largest_part_keeps_the_name():
    whole = Labels(np.zeros(6, np.int32), ("a",), ("#ff0000",))
    other = whole.split("a", np.array([1, 0, 0, 2, 0, 2]))
    assert names_of(other) == ["a.3", "a", "a", "a.2", "a", "a.2"]
    assert len(set(other.colors)) == 3


def test_what_does_not_come_apart_is_not_split(labels):
    with pytest.raises(ConfigError, match="come apart"):
        labels.split("a", np.array([0, 0]))


def test_order_changes_the_legend_not_the_spots(labels):
    other = labels.moved("a", 1)
    assert other.names == ("b", "a", "c")
    assert names_of(other) == names_of(labels)
    assert labels.moved("a", -5).names == labels.names


def test_spots_get_a_new_name_or_none(labels):
    spots = np.array([True, False, False, False, False, True])
    other = labels.assigned(spots, "border")
    assert names_of(other) == ["border", "a", "b", "b", "c", "border"]
    assert names_of(other.assigned(spots, None))[0] is None
    assert names_of(other.removed("border")) == [None, "a", "b", "b", "c", None]


def test_names_that_lost_all_their_spots_are_free_again(labels):
    other = labels.assigned(labels.spots_of({"b"}), "a")
    assert other.names == ("a", "c")
    assert other.renamed("c", "b").names == ("a", "b")
    none = np.zeros(6, bool)
    assert labels.assigned(none, "new").names == ("a", "b", "c", "new")


def test_free_names_are_counted_on():
    assert free_name("a", ()) == "a"
    assert free_name("a", ("a",)) == "a.2"
    assert free_name("a.2", ("a", "a.2", "a.3")) == "a.4"


@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=30),
    st.permutations(["a", "b", "c", "d"]),
)
def test_edits_never_lose_a_spot(codes, names):
    tissue = small_tissue(len(codes), image=False)
    write_labels(
        tissue,
        "mine",
        Labels(np.array(codes, np.int32), tuple(names), ("#111111",) * 4),
    )
    labels = read_labels(tissue, "mine").merged(names[:2]).moved(names[2], -3)
    assert (labels.codes >= 0).sum() == (np.array(codes) >= 0).sum()
    assert labels.counts().sum() == (np.array(codes) >= 0).sum()


def test_a_column_comes_back_as_it_was_written(labels):
    tissue = small_tissue(6, image=False)
    write_labels(tissue, "mine", labels)
    again = read_labels(tissue, "mine")
    assert again.names == labels.names
    assert again.colors == labels.colors
    assert np.array_equal(again.codes, labels.codes)
    assert isinstance(tissue.obs["mine"].dtype, pd.CategoricalDtype)
    write_labels(tissue, "none", empty_labels(6))
    assert tissue.obs["none"].isna().all()


def test_a_column_that_is_not_there_is_told():
    with pytest.raises(InputError, match="ground_truth"):
        read_labels(small_tissue(), "missing")
