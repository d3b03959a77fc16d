"""The majority of the nearest spots, as published, at no loss of a small section."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import KDTree

from napari_semst.core.sections import Sections
from napari_semst.domains.majority import majority_labels

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
    found = majority_labels(specked, section(places), 6)
    away = np.abs(places[:, 0] - SIDE / 2) > 2
    np.testing.assert_array_equal(found[away], labels[away])
    assert found.dtype == labels.dtype


@pytest.mark.parametrize("n_neighbours", [7, 25])
def test_it_counts_the_nearest_and_takes_the_first_of_equals(n_neighbours):
    rng = np.random.default_rng(3)
    places, labels = rng.random((900, 2)), rng.integers(0, 3, 900)
    nearest = KDTree(places).query(places, k=n_neighbours + 1)[1][:, 1:]
    wanted = [np.bincount(labels[row], minlength=3).argmax() for row in nearest]
    found = majority_labels(labels, section(places), n_neighbours)
    np.testing.assert_array_equal(found, wanted)


def test_none_vote_where_none_are_asked_for():
    places, labels = square()
    assert majority_labels(labels, section(places), 0) is labels


def test_few_vote_in_a_small_section():
    places, labels = square(10)
    # Two domains of 50: five neighbours, so that a stripe of two columns stays.
    labels[:] = places[:, 0] >= 8
    found = majority_labels(labels, section(places), 50)
    assert found.sum() > 0.7 * labels.sum()


def test_sections_do_not_vote_for_each_other():
    places, labels = square()
    both = Sections(np.repeat([0, 1], len(places)), ("a", "b"))
    twice = section(np.vstack([places, places]), both)
    found = majority_labels(np.concatenate([labels, 1 - labels]), twice, 18)
    alone = majority_labels(labels, section(places), 18)
    np.testing.assert_array_equal(found[: len(places)], alone)


def test_spots_at_one_place_have_no_vote_for_themselves():
    places = np.repeat(np.random.default_rng(0).random((200, 2)), 3, axis=0)
    labels = np.tile([0, 1, 1], 200)
    found = majority_labels(labels, section(places), 2)
    assert np.isin(found, [0, 1]).all()
