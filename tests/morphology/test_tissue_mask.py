import numpy as np
import pytest

from napari_semst.morphology.slide import Slide
from napari_semst.morphology.tissue_mask import tissue_mask
from tests.morphology.slides import GLASS, MARGIN, stained


def test_tissue_is_told_from_glass():
    found = tissue_mask(Slide.of_array(stained()))
    inner = found.mask[MARGIN + 3 : -MARGIN - 3, MARGIN + 3 : -MARGIN - 3]
    assert inner.all()
    assert not found.mask[: MARGIN - 3].any()
    assert np.allclose(found.glass, GLASS, atol=2)


def test_grey_marks_and_grey_glass_are_no_tissue():
    image = (stained() * np.array([0.74, 0.75, 0.73])).astype(np.uint8)
    image[10:20, 10:20] = 120
    found = tissue_mask(Slide.of_array(image))
    assert found.mask[60:-60, 60:-60].all()
    assert not found.mask[: MARGIN - 3].any()


def test_without_glass_all_is_tissue():
    image = stained(300, 40)[40:-40, 40:-40]
    assert tissue_mask(Slide.of_array(image)).mask.mean() > 0.99


def test_black_surroundings_and_a_picture_in_the_picture_are_no_tissue():
    image = stained()
    rows, columns = np.ogrid[:400, :400]
    round_tissue = (rows - 200) ** 2 + (columns - 200) ** 2 < 120**2
    image[~round_tissue] = 0
    image[:60, 300:] = (230, 190, 215)
    found = tissue_mask(Slide.of_array(image)).mask
    assert not found[:60, 300:].any()
    assert found[round_tissue].mean() > 0.95
    assert found[~round_tissue].mean() < 0.02


def test_shares_are_of_the_area_of_a_spot():
    found = tissue_mask(Slide.of_array(stained(), scale=(2.0, 2.0)))
    edge = (MARGIN - 0.0) * 2 - 0.5
    xy = np.array([[400, 400], [20, 400], [edge, 400], [-500, 400]])
    shares = found.share(xy, 40)
    assert np.allclose(shares, [1, 0, 0.5, 0], atol=0.06)
    assert found.share(xy[:1], 1e-3)[0] == pytest.approx(1, abs=1e-3)


def test_in_an_image_of_greys_all_is_tissue_and_that_is_said():
    greys = np.where(np.arange(90_000).reshape(300, 300) % 7 < 3, 0, 180)
    found = tissue_mask(Slide.of_array(greys.astype(np.uint8)))
    assert found.mask.all()
    assert "no colours" in found.note
    assert not tissue_mask(Slide.of_array(stained())).note
