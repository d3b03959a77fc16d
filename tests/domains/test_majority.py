"""The majority of the nearest spots, as published, at no loss of a small section."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import KDTree

from napari_semst.core.progress import RunControl
from napari_semst.core.sections import Sections
from napari_semst.domains import majority
from napari_semst.domains.majority import majority_labels
from napari_semst.errors import Cancelled

SIDE = 30


def square(side=SIDE):
    """Return places of a square, and its two halves as labels."""
    rows, columns = np.divmod(np.arange(side * side), side)
    places = np.column_stack([columns + 0.5 * (rows % 2), 0.866 * rows])
    return places, (columns >= side // 2).astype(np.int32)


def section(places, sections=None):
    """Return what the majority reads of a section."""
    return SimpleNamespace(
        coordinates=places, sections=sections or Sections.one(len(places))
    )


def test_a_speck_takes_what_surrounds_it_and_has_no_vote_itself():
    places, labels = square()
    specked = labels.copy()
    specked[[SIDE * 5 + 4, SIDE * 20 + 22]] ^= 1
    found = majority_labels(specked, section(places), 6, RunControl())
    away = np.abs(places[:, 0] - SIDE / 2) > 2
    np.testing.assert_array_equal(found[away], labels[away])
    assert found.dtype == labels.dtype


@pytest.mark.parametrize("n_neighbours", [7, 25])
def test_it_counts_the_nearest_and_takes_the_first_of_equals(n_neighbours):
    rng = np.random.default_rng(3)
    places, labels = rng.random((900, 2)), rng.integers(0, 3, 900)
    nearest = KDTree(places).query(places, k=n_neighbours + 1)[1][:, 1:]
    wanted = [np.bincount(labels[row], minlength=3).argmax() for row in nearest]
    found = majority_labels(labels, section(places), n_neighbours, RunControl())
    np.testing.assert_array_equal(found, wanted)


def test_none_vote_where_none_are_asked_for():
    places, labels = square()
    assert majority_labels(labels, section(places), 0, RunControl()) is labels


def test_few_vote_in_a_small_section():
    places, labels = square(10)
    # Two domains of 50: five neighbours, so that a stripe of two columns stays.
    labels[:] = places[:, 0] >= 8
    found = majority_labels(labels, section(places), 50, RunControl())
    assert found.sum() > 0.7 * labels.sum()


def test_sections_do_not_vote_for_each_other():
    places, labels = square()
    both = Sections(np.repeat([0, 1], len(places)), ("a", "b"))
    twice = section(np.vstack([places, places]), both)
    found = majority_labels(
        np.concatenate([labels, 1 - labels]), twice, 18, RunControl()
    )
    alone = majority_labels(labels, section(places), 18, RunControl())
    np.testing.assert_array_equal(found[: len(places)], alone)


def test_spots_at_one_place_have_no_vote_for_themselves():
    places = np.repeat(np.random.default_rng(0).random((200, 2)), 3, axis=0)
    labels = np.tile([0, 1, 1], 200)
    found = majority_labels(labels, section(places), 2, RunControl())
    # Two of the other label against one; one of each, of which the first wins.
    np.testing.assert_array_equal(found, np.tile([1, 0, 0], 200))


def test_a_spot_alone_in_its_section_keeps_its_domain():
    places, labels = square(10)
    labels = np.append(labels, 1)
    both = Sections(np.append(np.zeros(100, np.int64), 1), ("a", "b"))
    alone = section(np.vstack([places, [[0, 0]]]), both)
    assert majority_labels(labels, alone, 6, RunControl())[-1] == 1


def test_chunks_change_nothing_and_it_can_be_given_up_between_them(monkeypatch):
    rng = np.random.default_rng(5)
    places, labels = rng.random((900, 2)), rng.integers(0, 3, 900)
    whole = majority_labels(labels, section(places), 18, RunControl())
    monkeypatch.setattr(majority, "_CHUNK_SPOTS", 77)
    parts = majority_labels(labels, section(places), 18, RunControl())
    np.testing.assert_array_equal(whole, parts)
    control, checked = RunControl(), []

    def check():
        checked.append(1)
        if len(checked) > 3:
            raise Cancelled

    monkeypatch.setattr(control, "check", check)
    with pytest.raises(Cancelled):
        majority_labels(labels, section(places), 18, control)
