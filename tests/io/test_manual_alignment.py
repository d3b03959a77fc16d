"""Alignment by hand: what it does to an image, and that it is kept."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_semst import keys, read, write
from napari_semst.errors import InputError
from napari_semst.io.alignment import image_placement, share_inside, spot_positions
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.manual_alignment import Adjustment, adjust, adjustment_of
from tests.widgets.stand_in import small_tissue

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)
EVERY = [Adjustment(*one) for one in itertools.product((False, True), repeat=3)]


@pytest.mark.parametrize("before", EVERY)
def test_each_turn_follows_what_was_done_before(before):
    seen = before.turned(IMAGE)
    assert np.array_equal(before.flipped("x").turned(IMAGE), np.fliplr(seen))
    assert np.array_equal(before.flipped("y").turned(IMAGE), np.flipud(seen))
    assert np.array_equal(before.swapped().turned(IMAGE), seen.T)
    assert np.array_equal(before.rotated().turned(IMAGE), np.rot90(seen, -1))
    assert before.rotated().rotated().rotated().rotated() == before


@pytest.mark.parametrize("turn", EVERY)
def test_a_turned_section_is_brought_back_onto_its_spots(tissue, turn):
    """Spots of known pixels, on an image that was turned: undone, they meet again."""
    height, width, scale = 48, 64, 4.0
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[30, 11] = 255
    wrong = turn.turned(pixels)
    undo = next(u for u in EVERY if np.array_equal(u.turned(wrong), pixels))
    # The centre of that pixel, in full-resolution pixels.
    tissue.obsm["spatial"][0] = ((11.5) * scale - 0.5, (30.5) * scale - 0.5)
    tissue.uns["spatial"] = {
        "S1": {
            "images": {"hires": wrong},
            "scalefactors": {"tissue_hires_scalef": 1 / scale},
        }
    }
    adjust(tissue, "S1", undo.shifted_to(0, 0))
    placement = image_placement(tissue, "S1")
    seen = np.argwhere(placement.image[..., 0])[0] * placement.scale
    assert np.allclose(seen + placement.translate, spot_positions(tissue)[0])


def test_a_shift_moves_the_image_and_no_spot():
    tissue = small_tissue()
    before = tissue.obsm["spatial"].copy()
    unshifted = image_placement(tissue)
    assert share_inside(tissue) == 1
    adjust(tissue, "one", Adjustment().shifted_to(600, -20))
    placement = image_placement(tissue)
    moved = np.subtract(placement.translate, unshifted.translate)
    assert np.allclose(moved, (-20, 600))
    assert share_inside(tissue) == pytest.approx(0.5, abs=0.1)
    assert np.array_equal(tissue.obsm["spatial"], before)
    adjust(tissue, "one", Adjustment())
    assert keys.ALIGNMENT not in tissue.uns


def test_saved_and_opened_again_it_is_the_same(tmp_path):
    tissue = small_tissue()
    wanted = Adjustment().rotated().flipped("y").shifted_to(12.5, -3)
    adjust(tissue, "one", wanted)
    back = read(write(tissue, tmp_path / "aligned.h5ad"))
    assert adjustment_of(back, "one") == wanted
    placements = image_placement(tissue), image_placement(back)
    assert np.array_equal(placements[0].image, placements[1].image)
    assert placements[0].translate == placements[1].translate


def test_joined_sections_keep_their_alignment():
    one, other = small_tissue(), small_tissue()
    adjust(other, "one", Adjustment(flip_x=True))
    joined = join_sections({"A": one, "B": other})
    assert adjustment_of(joined, "A").is_none
    assert adjustment_of(joined, "B") == Adjustment(flip_x=True)


@pytest.mark.parametrize(
    "kept",
    ["turned", {"swap_axes": True}, {**dict.fromkeys(("swap_axes", "flip_x"), 0)}],
)
def test_what_is_no_alignment_is_refused_in_words(kept):
    tissue = small_tissue()
    tissue.uns[keys.ALIGNMENT] = {"one": kept}
    with pytest.raises(InputError, match=r"Expected uns.*shift_x"):
        image_placement(tissue)


def test_a_shift_that_is_no_number_is_refused():
    tissue = small_tissue()
    adjust(tissue, "one", Adjustment(shift_x=float("nan")))
    with pytest.raises(InputError, match="scale"):
        image_placement(tissue)
