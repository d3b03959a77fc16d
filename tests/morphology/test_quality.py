import numpy as np
import pytest
from anndata import read_h5ad
from scipy.ndimage import gaussian_filter

from napari_semst.core.progress import RunControl
from napari_semst.morphology.patches import diameter_and_source, patches
from napari_semst.morphology.quality import flag_spots, measure_quality
from napari_semst.morphology.slide import Slide
from napari_semst.morphology.tissue_mask import tissue_mask
from tests.morphology.slides import SIDE, places, stained

DIAMETER = 16.0


def quality_of(image, xy, diameter=DIAMETER, slide=None):
    slide = slide or Slide.of_array(image)
    mask, control = tissue_mask(slide), RunControl()
    spot = np.empty((len(xy), 16, 16, 3), np.uint8)
    context = np.empty((len(xy), 48, 48, 3), np.uint8)
    inside = np.empty(len(xy))
    for spots, pixels, share in patches(slide, xy, diameter, 16, control):
        spot[spots], inside[spots] = pixels, share
    for spots, pixels, _ in patches(slide, xy, 3 * diameter, 48, control):
        context[spots] = pixels
    measured = measure_quality(spot, context, mask.glass)
    return flag_spots(measured, inside, mask.share(xy, diameter))


def disc(x, y, radius):
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return ((columns - x) ** 2 + (rows - y) ** 2 < radius**2)[..., None]


def within(xy, x, y, radius):
    return np.hypot(xy[:, 0] - x, xy[:, 1] - y) < radius


def test_nothing_is_flagged_on_a_good_image():
    found = quality_of(stained(), places())
    assert found.usable.mean() > 0.99


def test_what_was_planted_is_found():
    image, xy = stained().astype(float), places()
    image = np.where(disc(120, 120, 60), gaussian_filter(image, (2.5, 2.5, 0)), image)
    folded = image**2 / 238
    image = np.where(disc(290, 280, 50), folded, image).astype(np.uint8)
    xy = np.concatenate([xy, [[-60, 200], [15, 200], [SIDE + 500, 200]]])
    found = quality_of(image, xy)
    blurred, fold = within(xy, 120, 120, 36), within(xy, 290, 280, 38)
    assert blurred.sum() > 5
    assert fold.sum() > 5
    assert found.flags["blurred"][blurred].all()
    assert found.flags["folded"][fold].all()
    assert np.flatnonzero(found.flags["outside"]).tolist() == [len(xy) - 3, len(xy) - 1]
    assert np.flatnonzero(found.flags["background"]).tolist() == [len(xy) - 2]
    # Elsewhere all is well, save where a patch reaches into what was planted.
    far = ~within(xy, 120, 120, 100) & ~within(xy, 290, 280, 90)
    assert found.usable[far][:-3].mean() > 0.98


def test_few_spots_are_not_judged_and_that_is_said():
    found = quality_of(stained(), places()[:4])
    assert found.usable.all()
    assert "only 4 spots" in found.notes["not_judged"]


@pytest.mark.parametrize(
    ("name", "most"), [("DLPFC_151673", 0.025), ("HER2ST_A1", 0.02)]
)
def test_little_of_real_tissue_is_flagged(shared_data, name, most):
    section = read_h5ad(shared_data / "tissue" / f"{name}.h5ad")
    xy = section.obsm["spatial"]
    from napari_semst.config import MorphologyConfig

    diameter, _ = diameter_and_source(section, xy, MorphologyConfig())
    found = quality_of(None, xy, diameter, Slide.of_tissue(section))
    assert 1 - found.usable.mean() < most
