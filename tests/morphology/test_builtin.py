"""Measures of patches: what they see, and that they see one patch at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from napari_semst.errors import InputError
from napari_semst.morphology.builtin import describe_patches
from tests.morphology_images import PALE, PINK, stained


def measured(*patches):
    stack = np.stack(patches)
    values, names = describe_patches(stack, stack)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert len(set(names)) == len(names) == values.shape[1]
    return dict(zip(names, values.T, strict=True))


def test_more_nuclei_are_counted_and_stain_more():
    found = measured(*(stained((64, 64), n, seed=2) for n in (0, 4, 12, 30)))
    number = found["nuclei, number, spot"]
    assert number[0] == 0
    for name in ("nuclei, number", "nuclei, share of area", "haematoxylin, mean"):
        assert all(a < b for a, b in pairwise(found[f"{name}, spot"])), name


def test_larger_nuclei_are_larger_and_not_more():
    small, large = (stained((64, 64), 6, 3, radius) for radius in (2.5, 5.0))
    found = measured(small, large)
    area, number = found["nuclei, mean area, spot"], found["nuclei, number, spot"]
    assert area[1] > 1.5 * area[0]
    assert number[1] <= number[0]


def test_texture_has_a_size_and_a_direction():
    _, x = np.mgrid[:64, :64]
    fine, coarse = (
        np.repeat((150 + 60 * np.sin(2 * np.pi * x / w))[..., None], 3, 2).astype("u1")
        for w in (6, 24)
    )
    noise = np.random.default_rng(0).integers(90, 210, (64, 64, 1), np.uint8)
    found = measured(fine, coarse, np.repeat(noise, 3, 2))
    assert found["density, fine texture, spot"].argmin() == 1
    assert found["density, coarse texture, spot"].argmax() == 1
    parallel = found["coarse gradient, parallel, spot"]
    assert (parallel[:2] > 0.9).all()
    assert parallel[2] < 0.3


def test_a_turned_patch_measures_nearly_the_same():
    patch = stained((64, 64), 12, seed=4)
    found = measured(patch, np.rot90(patch), patch[:, ::-1])
    for name, (first, *others) in found.items():
        assert np.allclose(first, others, atol=0.03 + 0.02 * abs(first)), name


def test_corners_do_not_count():
    patch = stained((64, 64), 12, seed=5)
    cut = patch.copy()
    cut[:6, :6] = 0
    found = measured(patch, cut)
    for name in ("haematoxylin, mean, spot", "red, mean, spot", "nuclei, number, spot"):
        first, second = found[name]
        assert first == second, name


def test_a_patch_measures_the_same_in_any_company():
    patches = np.stack([stained((32, 32), n, seed=n) for n in range(9)])
    together, _ = describe_patches(patches, patches)
    alone = [describe_patches(one[None], one[None])[0] for one in patches]
    assert np.allclose(together, np.concatenate(alone), atol=1e-5)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), PINK, PALE])
def test_a_patch_of_one_colour_has_finite_measures(colour):
    found = measured(np.full((32, 32, 3), colour, np.uint8))
    assert found["nuclei, number, spot"] == 0


def test_other_shapes_are_refused():
    good = np.zeros((2, 32, 32, 3), np.uint8)
    for bad in (good.astype(float), good[..., 0], good[:, :8, :8], good[:, :, :16]):
        with pytest.raises(InputError, match="uint8 of shape"):
            describe_patches(good, bad)
    with pytest.raises(InputError, match="as many patches"):
        describe_patches(good, good[:1])
