"""Landmarks kept with a section: what they do to its image, and that they stay."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys, read, write
from napari_semst.errors import InputError, SaveError
from napari_semst.io.alignment import image_placement, share_inside, spot_positions
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.manual_alignment import Adjustment, adjust, adjustment_of
from napari_semst.io.places import registered
from napari_semst.io.places.landmark_facts import (
    error_in_words,
    landmark_notes,
    landmarks_in_words,
    microns_per_unit,
)
from napari_semst.io.places.landmarks import (
    landmarks_of,
    read_landmarks,
    register_image,
    write_landmarks,
)
from napari_semst.io.places.on_image import shares_on_images
from napari_semst.registration.landmarks import landmarks_from
from tests.registration.made import turn
from tests.widgets.stand_in import small_tissue


def turning(tissue, degrees=25, kind="similarity", mirrored=True):
    """Return landmarks that turn the image of a tissue about its middle."""
    (top, left), (bottom, right) = image_placement(tissue).bounds()
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    rng = np.random.default_rng(0)
    image = rng.uniform((left, top), (right, bottom), (8, 2))
    spots = (image - middle) @ turn(degrees, 1.0, mirrored).T + middle
    return landmarks_from(image, spots, kind)


@pytest.mark.parametrize("hand", [Adjustment(), Adjustment(True, False, True, 7, -3)])
@pytest.mark.parametrize("kind", ["similarity", "affine", "spline"])
def test_a_place_of_the_image_is_seen_where_its_landmark_puts_it(kind, hand):
    tissue = small_tissue()
    pixels = tissue.uns["spatial"]["one"]["images"]["hires"]
    pixels[...] = 0
    pixels[20:23, 31:34] = 255
    before = image_placement(tissue)
    spot = np.array([[21.0, 32.0]]) * before.scale + before.translate
    landmarks = turning(tissue, kind=kind)
    wanted = landmarks.image[:, ::-1]
    register_image(tissue, "one", landmarks)
    adjust(tissue, "one", hand)
    placement = image_placement(tissue)
    # Of the pixels on show the middle of light lies where the place is said to be.
    light = placement.image[..., 0] * (placement.image[..., 3] > 0.0)
    rows, columns = np.indices(light.shape)
    middle = np.array([(rows * light).sum(), (columns * light).sum()]) / light.sum()
    seen = middle * placement.scale + placement.translate
    np.testing.assert_allclose(placement.in_world(spot)[0], seen, atol=before.scale[0])
    # There and back, with hands on top.
    there = placement.in_world(wanted)
    np.testing.assert_allclose(placement.in_file(there), wanted, atol=1e-4)
    if hand.is_none:
        np.testing.assert_allclose(there, landmarks.spots[:, ::-1], atol=1e-4)


def test_a_turn_by_hand_alone_has_its_places_too():
    tissue = small_tissue()
    hand = Adjustment(True, True, False, 11.0, 5.0)
    before = image_placement(tissue)
    # The outer corner of the image, and a pixel.
    places = np.array([before.bounds()[0], before.bounds()[0] + (30.0, 70.0)])
    adjust(tissue, "one", hand)
    after = image_placement(tissue)
    moved = after.in_world(places)
    np.testing.assert_allclose(after.in_file(moved), places)
    first, last = after.bounds()
    # Axes exchanged, then flipped left-right.
    np.testing.assert_allclose(moved[0], (first[0], last[1]))
    np.testing.assert_allclose(moved[1], (first[0] + 70, last[1] - 30))


def test_no_spot_no_pixel_of_the_file_and_no_factor_is_changed():
    tissue = small_tissue()
    kept = tissue.uns["spatial"]["one"]["images"]["hires"].copy()
    places, factors = (
        tissue.obsm["spatial"].copy(),
        dict(tissue.uns["spatial"]["one"]["scalefactors"]),
    )
    register_image(tissue, "one", turning(tissue))
    image_placement(tissue)
    assert np.array_equal(tissue.uns["spatial"]["one"]["images"]["hires"], kept)
    assert np.array_equal(tissue.obsm["spatial"], places)
    assert tissue.uns["spatial"]["one"]["scalefactors"] == factors


def test_taken_back_the_image_lies_as_before():
    tissue = small_tissue()
    before = image_placement(tissue)
    register_image(tissue, "one", turning(tissue))
    register_image(tissue, "one", None)
    after = image_placement(tissue)
    assert np.array_equal(after.image, before.image)
    assert (after.scale, after.translate) == (before.scale, before.translate)
    assert keys.LANDMARKS not in tissue.uns


def test_registering_forgets_what_was_turned_by_hand():
    tissue = small_tissue()
    landmarks = turning(tissue)
    adjust(tissue, "one", Adjustment(flip_x=True))
    register_image(tissue, "one", landmarks)
    assert adjustment_of(tissue, "one").is_none


def test_spots_lie_on_the_image_and_not_on_its_rectangle():
    tissue = small_tissue()
    landmarks = turning(tissue, 45)
    register_image(tissue, "one", landmarks)
    place = image_placement(tissue)
    inside = place.holds(spot_positions(tissue))
    (first, last), yx = place.bounds(), spot_positions(tissue)
    assert ((yx >= first) & (yx < last)).all()
    assert 0.3 < inside.mean() < 1
    assert share_inside(tissue) == inside.mean()
    assert shares_on_images(tissue, tissue.obsm["spatial"]) == {"one": inside.mean()}


def test_saved_and_opened_again_it_is_the_same(tmp_path):
    tissue = small_tissue()
    landmarks = turning(tissue, kind="spline")
    register_image(tissue, "one", landmarks)
    back = read(write(tissue, tmp_path / "registered.h5ad"))
    assert landmarks_of(back, "one") == landmarks
    placements = image_placement(tissue), image_placement(back)
    assert np.array_equal(placements[0].image, placements[1].image)
    assert placements[0].translate == placements[1].translate


def test_joined_sections_keep_their_landmarks():
    one, other = small_tissue(), small_tissue()
    register_image(other, "one", turning(other))
    joined = join_sections({"A": one, "B": other})
    assert landmarks_of(joined, "A") is None
    assert landmarks_of(joined, "B") == turning(small_tissue())


def test_what_cannot_be_used_is_refused_and_changes_nothing():
    tissue = small_tissue()
    good = turning(tissue, kind="spline")
    register_image(tissue, "one", good)
    adjust(tissue, "one", Adjustment(flip_x=True))
    folded = good.spots.copy()
    folded[[0, 1]] = folded[[1, 0]]
    with pytest.raises(InputError, match="fold"):
        register_image(tissue, "one", landmarks_from(good.image, folded, "spline"))
    assert landmarks_of(tissue, "one") == good
    assert adjustment_of(tissue, "one") == Adjustment(flip_x=True)


@pytest.mark.parametrize(
    "kept", ["turned", {"kind": "affine"}, {"kind": "affine", "image": [], "spots": []}]
)
def test_what_are_no_landmarks_in_a_file_is_refused_in_words(kept):
    tissue = small_tissue()
    tissue.uns[keys.LANDMARKS] = {"one": kept}
    with pytest.raises(InputError, match=r"Expected uns.*to hold landmarks"):
        image_placement(tissue)


def test_a_table_is_read_as_it_was_written(tmp_path):
    landmarks = turning(small_tissue(), 12.3456789, "affine")
    path = write_landmarks(landmarks, tmp_path / "pairs.csv")
    assert read_landmarks(path) == landmarks
    with pytest.raises(SaveError):
        write_landmarks(landmarks, path)
    text = path.read_text().replace("image_x", "x")
    path.write_text(text)
    with pytest.raises(InputError, match=r"image_x, image_y.*found x, image_y"):
        read_landmarks(path)


def test_a_drawn_image_is_drawn_once_and_kept_no_longer_than_its_pixels():
    tissue = small_tissue()
    register_image(tissue, "one", turning(tissue))
    assert image_placement(tissue).image is image_placement(tissue).image
    source = id(tissue.uns["spatial"]["one"]["images"]["hires"])
    assert any(known[0] == source for known in registered._DRAWN)
    tissue.uns["spatial"]["one"]["images"]["hires"] = np.zeros((4, 4, 3), np.uint8)
    assert not any(known[0] == source for known in registered._DRAWN)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.uint8])
def test_an_image_of_any_type_is_drawn_once(dtype):
    tissue = small_tissue()
    images = tissue.uns["spatial"]["one"]["images"]
    images["hires"] = images["hires"].astype(dtype)
    register_image(tissue, "one", turning(tissue))
    first, again = image_placement(tissue), image_placement(tissue)
    assert np.shares_memory(first.image, again.image)
    images["hires"] = np.zeros_like(images["hires"])
    assert not np.shares_memory(first.image, image_placement(tissue).image)


def test_errors_are_told_in_micrometres_where_these_are_known():
    tissue = small_tissue()
    assert microns_per_unit(tissue, "one") is None
    tissue.uns["spatial"]["one"]["scalefactors"]["microns_per_pixel"] = 0.5
    assert microns_per_unit(tissue, "one") == 0.5
    assert error_in_words(12.0, 0.5) == "6.0 \u00b5m"
    assert error_in_words(1234.0, None) == "1234 units"
    assert error_in_words(0.0, 1.0) == "0 \u00b5m"
    assert error_in_words(float("nan"), 1.0) == "not known"


def test_what_is_told_of_a_registration():
    tissue = small_tissue()
    assert landmark_notes(tissue, "one") == {}
    landmarks = turning(tissue, 30, mirrored=False)
    register_image(tissue, "one", landmarks)
    notes = landmark_notes(tissue, "one")["landmarks"]
    assert (notes["kind"], notes["pairs"]) == ("similarity", 8)
    assert notes["error_left_out"] < 1e-6
    told = landmarks_in_words(landmarks, 1.0)
    assert "similarity map of 8 pairs" in told
    assert "turned 30.0\u00b0 clockwise" in told
    three = landmarks_from(landmarks.image[:3], landmarks.spots[:3], "affine")
    assert "nobody knows" in landmarks_in_words(three, 1.0)
