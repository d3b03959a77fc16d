"""Maps of landmarks, against known ones and those of scikit-image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.registration.maps import is_mirrored, map_in_words, map_of
from tests.registration.made import bent, bent_pairs, pairs, turn

ANYWHERE = np.random.default_rng(1).uniform(-500, 1500, (40, 2))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 17.3, 90, 179.9, -120])
@pytest.mark.parametrize("kind", ["similarity", "affine"])
def test_a_known_map_comes_back_at_any_angle_and_mirrored(kind, degrees, mirrored):
    linear = turn(degrees, 0.37, mirrored)
    made = map_of(pairs(3, linear, (5000, -40), kind))
    np.testing.assert_allclose(made.matrix[:2, :2], linear, atol=1e-9)
    assert is_mirrored(made.matrix) == mirrored
    wanted = ANYWHERE @ linear.T + (5000, -40)
    np.testing.assert_allclose(made.to_spots(ANYWHERE), wanted, atol=1e-6)
    np.testing.assert_allclose(made.to_image(wanted), ANYWHERE, atol=1e-6)


def test_an_affine_map_shears_and_a_similarity_does_not():
    sheared = np.array([[1.0, 0.4], [0.0, 1.2]])
    affine = map_of(pairs(6, sheared, kind="affine"))
    np.testing.assert_allclose(affine.matrix[:2, :2], sheared, atol=1e-9)
    similar = map_of(pairs(6, sheared, kind="similarity")).matrix[:2, :2]
    np.testing.assert_allclose(
        similar @ similar.T, np.eye(2) * np.linalg.det(similar), atol=1e-9
    )


def test_a_similarity_is_scikit_images():
    from skimage.transform import SimilarityTransform

    noisy = pairs(9, turn(33, 1.7), (10, 20), noise=8)
    if hasattr(SimilarityTransform, "from_estimate"):
        wanted = SimilarityTransform.from_estimate(noisy.image, noisy.spots)
    else:  # scikit-image before 0.26
        wanted = SimilarityTransform()
        assert wanted.estimate(noisy.image, noisy.spots)
    np.testing.assert_allclose(map_of(noisy).matrix, wanted.params, rtol=1e-7)


def test_an_affine_map_has_the_least_squares_of_all():
    """scikit-image's has those of another sum, in which places are divided."""
    noisy = pairs(9, turn(33, 1.7), (10, 20), "affine", noise=8)
    extended = np.column_stack([noisy.image, np.ones(9)])
    wanted = np.linalg.solve(extended.T @ extended, extended.T @ noisy.spots).T
    np.testing.assert_allclose(map_of(noisy).matrix[:2], wanted, rtol=1e-7)


def test_a_spline_passes_its_landmarks_and_follows_what_is_bent():
    landmarks = bent_pairs()
    made = map_of(landmarks)
    np.testing.assert_allclose(
        made.to_image(landmarks.spots), landmarks.image, atol=1e-7
    )
    between = np.random.default_rng(2).uniform(100, 900, (50, 2))
    away = np.linalg.norm(made.to_spots(between) - bent(between), axis=1)
    straight = map_of(bent_pairs(kind="affine")).to_spots(between)
    # Landmarks every 250: what bends over 300 is followed to a few units.
    assert away.max() < 4
    assert np.linalg.norm(straight - bent(between), axis=1).max() > 15


def test_a_spline_is_scikit_images_but_for_its_precision():
    from skimage.transform import ThinPlateSplineTransform

    landmarks = bent_pairs()
    if hasattr(ThinPlateSplineTransform, "from_estimate"):
        theirs = ThinPlateSplineTransform.from_estimate(
            landmarks.spots / 1000, landmarks.image
        )
    else:  # scikit-image before 0.26
        theirs = ThinPlateSplineTransform()
        assert theirs.estimate(landmarks.spots / 1000, landmarks.image)
    mine = map_of(landmarks).to_image(ANYWHERE)
    np.testing.assert_allclose(mine, theirs(ANYWHERE / 1000), atol=0.05)


def test_a_splines_two_ways_are_each_others():
    made = map_of(bent_pairs())
    inside = ANYWHERE[(ANYWHERE > 0).all(axis=1) & (ANYWHERE < 1000).all(axis=1)]
    np.testing.assert_allclose(made.to_image(made.to_spots(inside)), inside, atol=1e-5)
    assert np.isnan(made.to_image(np.full((1, 2), np.nan))).all()


def test_a_spline_that_folds_the_image_is_refused():
    good = bent_pairs()
    exchanged = good.spots.copy()
    exchanged[[6, 7]] = exchanged[[7, 6]]
    with pytest.raises(InputError, match="fold it over"):
        map_of(landmarks_from(good.image, exchanged, "spline"))


def test_what_a_map_does_is_told_as_it_is_seen():
    """y runs down: a positive angle turns clockwise on the screen."""
    assert map_in_words(map_of(pairs(4, turn(30)))) == "turned 30.0° clockwise"
    assert "30.0° anticlockwise" in map_in_words(map_of(pairs(4, turn(-30))))
    told = map_in_words(map_of(pairs(4, turn(10, 0.5, mirrored=True))))
    assert told == "flipped left-right, turned 10.0° clockwise, scaled by 0.5"
    assert map_in_words(map_of(pairs(4, np.eye(2), (9, 9)))) == "shifted"
    stretched = map_of(pairs(4, np.diag([1.0, 2.0]), kind="affine"))
    assert map_in_words(stretched) == "scaled by 1 to 2"
