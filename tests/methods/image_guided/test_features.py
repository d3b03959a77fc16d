"""What the comparison of image and expression reads of each spot."""

from __future__ import annotations

import anndata
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from napari_semst.methods.image_guided import features
from napari_semst.methods.image_guided.features import (
    average_of_usable,
    expression_of,
    falling,
    image_of,
    leading_axes,
    projected,
)
from napari_semst.methods.image_guided.inputs import guided_inputs
from tests.guided import guided, simulated
from tests.guided import image_of as features_of

EVERY = np.ones(300, bool)


def test_components_have_variances_of_one_and_distances_a_mean_of_two():
    section, config = guided()
    inputs = guided_inputs(section, config)
    known = inputs.usable
    expressed, image = expression_of(inputs, section), image_of(inputs, section)
    np.testing.assert_allclose(expressed[known].var(axis=0), 1, atol=1e-3)
    apart = image[known][:, None] - image[known]
    assert abs(np.square(apart).sum(axis=2).mean() - 2) < 0.01


def test_sections_are_centred_one_by_one():
    slides = {"left": simulated()[:170].copy(), "right": simulated()[170:].copy()}
    tissue = anndata.concat(slides, label="slide", uns_merge="first")
    section, config = guided(
        tissue, features_of(simulated()), prepare={"section_key": "slide"}
    )
    inputs = guided_inputs(section, config)
    assert inputs.sections is not None
    for values in (expression_of(inputs, section), image_of(inputs, section)):
        for one in range(2):
            own = (inputs.sections == one) & inputs.usable
            np.testing.assert_allclose(values[own].mean(axis=0), 0, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 9999), n=st.integers(3, 60), width=st.integers(1, 6),
    wanted=st.integers(1, 8),
)  # fmt: skip
def test_leading_axes_are_principal_axes_of_the_spots_kept(seed, n, width, wanted):
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, width)).astype(np.float32)
    kept = random.random(n) < 0.7
    kept[:2] = True
    values -= values[kept].mean(axis=0)
    variance, axes = leading_axes(values, kept, wanted)
    assert 1 <= len(variance) <= min(width, wanted)
    expected = PCA(svd_solver="full").fit(values[kept].astype(np.float64))
    n_axes = len(variance)
    np.testing.assert_allclose(
        variance,
        expected.explained_variance_[:n_axes] * (kept.sum() - 1) / kept.sum(),
        rtol=1e-3, atol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(
        projected(values, axes)[kept].var(axis=0), variance, rtol=1e-3, atol=1e-5
    )


def test_an_average_hears_usable_spots_alone():
    section, _ = guided()
    usable = EVERY.copy()
    usable[::7] = False
    values = np.where(usable[:, None], 2.0, 1e9).astype(np.float32)
    found = average_of_usable(values, section, usable, 1)
    np.testing.assert_allclose(found[usable], 2.0, rtol=1e-5)
    nobody = average_of_usable(values, section, np.zeros(300, bool), 2)
    assert not nobody.any()


def test_axes_of_many_spots_are_those_of_some(monkeypatch):
    values = np.random.default_rng(0).normal(size=(4000, 3)).astype(np.float32)
    values *= np.array([5, 2, 1], np.float32)
    kept = np.ones(4000, bool)
    whole = leading_axes(values, kept, 2)
    monkeypatch.setattr(features, "FITTED_SPOTS", 500)
    some = leading_axes(values, kept, 2)
    assert not np.array_equal(whole[0], some[0])
    np.testing.assert_allclose(whole[0], some[0], rtol=0.2)
    np.testing.assert_allclose(np.abs((whole[1] * some[1]).sum(axis=0)), 1, atol=0.02)


def test_axes_have_a_sign_of_their_own():
    square = np.array([[2.0, -1.0], [-1.0, 3.0]])
    values, axes = falling(square)
    assert values[0] > values[1]
    largest = axes[np.abs(axes).argmax(axis=0), [0, 1]]
    assert (largest > 0).all()
    np.testing.assert_allclose(axes @ np.diag(values) @ axes.T, square, atol=1e-9)
