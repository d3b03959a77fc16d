from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_semst.errors import Cancelled, InputError
from napari_semst.prepare import nearest


def blobs(n, width=6, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(5, width))
    return (centres[random.integers(5, size=n)] + random.normal(size=(n, width))) * 3


def by_hand(points, k):
    length = np.linalg.norm(points, axis=1, keepdims=True)
    unit = points / np.where(length == 0, 1, length)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    return np.argsort(-cosine, axis=1, kind="stable")[:, :k], cosine


@pytest.mark.parametrize("n", [5, 16, 300])
def test_all_are_compared_with_all(n, monkeypatch):
    monkeypatch.setattr(nearest, "_JOB_SPOTS", 128)
    monkeypatch.setattr(nearest, "_EXACT_SPOTS", 50)
    monkeypatch.setattr(nearest, "_SCORES", 256)
    points = blobs(n)
    found = nearest.nearest_by_cosine(points, 4)
    np.testing.assert_array_equal(found, by_hand(points, 4)[0])


def test_a_spot_is_never_its_own_neighbour_and_empty_ones_have_some():
    points = np.repeat(blobs(10), 4, axis=0)
    points[7] = 0
    for found in (
        nearest.nearest_by_cosine(points, 5),
        nearest.nearest_in_groups(points, 5, 0)[0],
    ):
        assert (found != np.arange(40)[:, None]).all()
        assert found.min() >= 0
        assert all(len(set(row)) == 5 for row in found)
        # The three copies come first.
        assert set(found[12, :3]) == {13, 14, 15}


def test_all_groups_looked_into_is_exact():
    points = blobs(900)
    found, n_groups = nearest.nearest_in_groups(points, 7, seed=1)
    assert n_groups == 46 < nearest.LOOKED_INTO
    np.testing.assert_array_equal(found, by_hand(points, 7)[0])


def test_few_groups_find_most_and_no_other_than_the_nearest_there(monkeypatch):
    monkeypatch.setattr(nearest, "LOOKED_INTO", 8)
    points = blobs(1200)
    found, n_groups = nearest.nearest_in_groups(points, 10, seed=0)
    wanted, cosine = by_hand(points, 10)
    assert n_groups == 52
    shares = [np.isin(a, b).mean() for a, b in zip(wanted, found, strict=True)]
    assert 0.9 < np.mean(shares) < 1
    scores = np.take_along_axis(cosine, found.astype(np.int64), axis=1)
    assert (np.diff(scores, axis=1) < 1e-6).all()


def test_places_that_small_groups_leave_are_empty(monkeypatch):
    monkeypatch.setattr(nearest, "LOOKED_INTO", 1)
    found, _ = nearest.nearest_in_groups(blobs(60), 30, seed=0)
    assert found.min() == -1
    assert ((found >= 0) | (np.cumsum(found < 0, axis=1) > 0)).all()


def test_any_number_of_threads_gives_the_same_lists(monkeypatch):
    monkeypatch.setattr(nearest, "LOOKED_INTO", 12)
    monkeypatch.setattr(nearest, "_JOB_SPOTS", 256)
    points = blobs(1500, width=30)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(nearest.nearest_in_groups(points, 15, seed=3)[0])
    torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)
    other = nearest.nearest_in_groups(points, 15, seed=4)[0]
    assert (other != found[0]).any()


@pytest.mark.parametrize(
    "search",
    [
        lambda points, check: nearest.nearest_by_cosine(points, 5, check),
        lambda points, check: nearest.nearest_in_groups(points, 5, 0, check),
    ],
)
def test_a_cancelled_search_ends_between_pieces(search):
    asked = []

    def check():
        asked.append(1)
        if len(asked) == 3:
            raise Cancelled("Stop.")

    points = blobs(4000)
    with pytest.raises(Cancelled):
        search(points, check)
    assert len(asked) == 3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(value):
    points = blobs(60)
    points[[3, 8], 2] = value
    for search in (
        lambda: nearest.nearest_by_cosine(points, 5),
        lambda: nearest.nearest_in_groups(points, 5, 0),
    ):
        with pytest.raises(InputError, match="that of 2 is not"):
            search()
