import numpy as np
import pytest
from PIL import Image

from napari_semst.config import MorphologyConfig
from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled, InputError
from napari_semst.morphology import patches as module
from napari_semst.morphology.patches import diameter_and_source, patch_at, patches
from napari_semst.morphology.slide import Slide
from tests.morphology.slides import places, stained


def all_patches(slide, xy, side, pixels):
    parts = list(patches(slide, xy, side, pixels, RunControl()))
    order = np.argsort(np.concatenate([spots for spots, _, _ in parts]))
    found = [np.concatenate([part[i] for part in parts])[order] for i in (1, 2)]
    return len(parts), *found


def test_every_spot_comes_once_whatever_the_blocks(monkeypatch):
    slide, xy = Slide.of_array(stained()), places()
    once, whole, inside = all_patches(slide, xy, 30, 12)
    monkeypatch.setattr(module, "_BLOCK", 64)
    monkeypatch.setattr(module, "_AT_ONCE", 12 * 12 * 3 * 7)
    often, parts, _ = all_patches(slide, xy, 30, 12)
    assert (once, often) == (1, -(-len(xy) // 7))
    assert np.array_equal(whole, parts)
    assert (inside == 1).all()
    assert np.array_equal(whole[5], patch_at(slide, tuple(xy[5]), 30, 12))


@pytest.mark.parametrize(("side", "pixels"), [(31.4, 31), (80.0, 16), (9.0, 32)])
def test_they_are_resampled_as_pillow_does(side, pixels):
    image = stained()
    x, y = 153.3, 201.8
    found = patch_at(Slide.of_array(image), (x, y), side, pixels)
    # Pillow counts from the outer corner, and knows nothing beyond the box.
    box = (
        x + 0.5 - side / 2,
        y + 0.5 - side / 2,
        x + 0.5 + side / 2,
        y + 0.5 + side / 2,
    )
    theirs = Image.fromarray(image).resize(
        (pixels, pixels), Image.Resampling.BILINEAR, box
    )
    inner = slice(2, -2)
    apart = np.abs(found.astype(int) - np.asarray(theirs))[inner, inner]
    assert apart.max() <= 2


def test_outside_of_the_image_its_edge_goes_on():
    image = stained()
    slide = Slide.of_array(image)
    xy = np.array([[-0.5, 200.0], [399.5, 399.5], [-500.0, 200.0], [200.0, 200.0]])
    _, found, inside = all_patches(slide, xy, 20, 10)
    assert np.allclose(inside, [0.5, 0.25, 0, 1])
    assert np.array_equal(found[0][:, 0], found[0][:, 3])
    assert (found[2].std(axis=(0, 1)) < 40).all()


def test_large_patches_come_from_coarse_levels():
    image = stained()
    coarse = np.full((100, 100, 3), 9, np.uint8)
    slide = Slide.of_array([image, coarse])
    assert (patch_at(slide, (200, 200), 80, 20) == 9).all()
    assert (patch_at(slide, (200, 200), 79, 20) != 9).any()


def test_a_cancelled_run_ends_between_blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 64)
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    control = RunControl()
    steps = patches(Slide.of_array(stained()), places(), 30, 8, control)
    next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        list(steps)


def test_what_cannot_be_cut_is_told():
    slide = Slide.of_array(stained())
    with pytest.raises(InputError, match="1 of 2 have none"):
        all_patches(slide, np.array([[1.0, np.nan], [1, 1]]), 5, 5)
    with pytest.raises(InputError, match="positive side"):
        patch_at(slide, (1, 1), 0, 5)
    with pytest.raises(InputError, match="pyramidal TIFF"):
        patch_at(slide, (1, 1), 9000, 5)


def test_the_diameter_is_set_or_stated_or_measured(tissue):
    xy = tissue.obsm["spatial"]
    measured, why = diameter_and_source(tissue, xy, MorphologyConfig())
    assert measured == pytest.approx(100, abs=0.1)
    assert "nearest" in why
    factors = {"spot_diameter_fullres": 55.0}
    tissue.uns["spatial"] = {"one": {"images": {}, "scalefactors": factors}}
    stated, why = diameter_and_source(tissue, xy, MorphologyConfig())
    assert (stated, "file" in why) == (55.0, True)
    assert diameter_and_source(tissue, xy, MorphologyConfig(spot_diameter=7))[0] == 7
    del tissue.uns["spatial"]
    with pytest.raises(InputError, match="spot diameter"):
        diameter_and_source(tissue, xy[:1], MorphologyConfig())
