"""What no map can be made of is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.registration.landmarks import landmarks_from
from tests.registration.made import pairs

CORNERS = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 80.0], [100.0, 80.0]])


@pytest.mark.parametrize(
    ("image", "spots", "kind", "words"),
    [
        (CORNERS[:2], CORNERS[:2], "similarity", "at least 3 pairs"),
        (CORNERS, CORNERS, "spline", "at least 6 pairs.*affine map, which needs 3"),
        (CORNERS, CORNERS[:3], "affine", "4 on the image and 3 among the spots"),
        (CORNERS, CORNERS, "projective", "kind of map"),
        (CORNERS * np.nan, CORNERS, "affine", "two finite numbers"),
        (np.zeros((3, 3)), CORNERS[:3], "affine", "two finite numbers"),
        ([], [], "affine", "found 0"),
        (CORNERS[:, :1] * [1, 2], CORNERS, "affine", "on the image lie nearly on one"),
        (CORNERS, CORNERS[:, :1] * [1, 2], "affine", "among the spots lie nearly on"),
        (CORNERS * 0, CORNERS, "affine", "nearly on one line"),
        (CORNERS[[0, 1, 2, 1]], CORNERS, "affine", "pairs 2 and 4 are at the same"),
        (np.tile(CORNERS, (200, 1)), np.tile(CORNERS, (200, 1)), "affine", "at most"),
    ],
)
def test_what_makes_no_map_is_refused(image, spots, kind, words):
    with pytest.raises(InputError, match=words):
        landmarks_from(image, spots, kind)


def test_nearly_collinear_is_judged_by_shape_and_not_by_size():
    """A strip 2 % as wide as long is refused at any scale, one of 10 % is not."""
    for scale in (1e-3, 1.0, 1e6):
        thin = CORNERS * [1, 0.02 * 100 / 80] * scale
        with pytest.raises(InputError, match="one line"):
            landmarks_from(thin, CORNERS, "affine")
        assert len(landmarks_from(CORNERS * [1, 0.2] * scale, CORNERS, "affine")) == 4


def test_equal_landmarks_are_equal_and_others_are_not():
    one, same = pairs(5, np.eye(2)), pairs(5, np.eye(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != one.without(0)
    assert one.token != one.without(4).token
    assert one != landmarks_from(one.image, one.spots, "affine")
