"""Errors of landmarks: believable ones, and the pair that is off."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.registration.accuracy import landmark_errors
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.registration.maps import map_of
from tests.registration.made import bent_pairs, pairs, turn


def moved(landmarks, pair, by):
    spots = landmarks.spots.copy()
    spots[pair] += by
    return landmarks_from(landmarks.image, spots, landmarks.kind)


def test_three_pairs_of_an_affine_map_claim_no_error():
    errors = landmark_errors(pairs(3, turn(20), kind="affine", noise=20))
    assert np.allclose(errors.fitted, 0, atol=1e-6)
    assert np.isnan(errors.left_out).all()
    assert np.isnan(errors.left_out_mean)


def test_three_pairs_of_a_similarity_are_judged_by_the_other_two():
    errors = landmark_errors(pairs(3, turn(20, mirrored=True), noise=20))
    assert (errors.left_out > errors.fitted).all()
    exact = landmark_errors(pairs(3, turn(20, mirrored=True)))
    assert np.allclose(exact.left_out, 0, atol=1e-6)
    assert exact.far_off == ()


@pytest.mark.parametrize(("kind", "n"), [("similarity", 6), ("affine", 8)])
def test_left_out_is_the_error_of_the_map_without_the_pair(kind, n):
    landmarks = pairs(n, turn(50, 1.3), (7, 8), kind, noise=10)
    errors = landmark_errors(landmarks)
    for pair in range(n):
        others = map_of(landmarks.without(pair))
        place = others.to_spots(landmarks.image[[pair]])[0]
        away = np.linalg.norm(place - landmarks.spots[pair])
        assert errors.left_out[pair] == pytest.approx(away)
    assert errors.left_out_mean == pytest.approx(np.sqrt((errors.left_out**2).mean()))
    assert errors.fitted_mean < errors.left_out_mean


def test_errors_are_in_the_unit_of_the_spots():
    """Twice as large an image is no less accurate."""
    landmarks = pairs(6, turn(5), noise=10)
    larger = landmarks_from(landmarks.image * 50, landmarks.spots)
    mine, theirs = landmark_errors(landmarks), landmark_errors(larger)
    np.testing.assert_allclose(mine.left_out, theirs.left_out)


def test_a_spline_has_no_error_of_its_own_but_one_when_pairs_are_left_out():
    errors = landmark_errors(bent_pairs())
    assert errors.fitted_mean < 1e-4
    assert errors.left_out_mean > 1


@pytest.mark.parametrize(
    ("kind", "n"), [("similarity", 5), ("affine", 7), ("spline", 16)]
)
def test_a_pair_far_off_is_named(kind, n):
    landmarks = pairs(n, turn(40), kind=kind, noise=3, seed=3)
    assert landmark_errors(landmarks).far_off == ()
    for pair in (0, n - 1):
        assert landmark_errors(moved(landmarks, pair, (180, -90))).far_off == (pair,)


def test_exact_pairs_with_one_off_by_little_name_it_too():
    errors = landmark_errors(moved(pairs(6, turn(10)), 2, (1.0, 0.0)))
    assert errors.far_off == (2,)


def test_pairs_all_rough_alike_accuse_none():
    """Of 100 sets of eight rough pairs at most three."""
    accused = [
        landmark_errors(pairs(8, turn(70), noise=40, seed=seed)).far_off
        for seed in range(100)
    ]
    assert sum(map(bool, accused)) <= 3


def test_a_folded_spline_tells_which_pairs_are_off():
    good = bent_pairs()
    errors = landmark_errors(moved(good, 7, (-500.0, 0.0)))
    assert errors.folded > 0
    assert errors.far_off == (7,)
