"""Foremost axes are the section's, and what is read along them is one thing for all."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.config import Config
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.pipeline.inputs import section_inputs
from napari_semst.transfer.balance import sample_profiles
from napari_semst.transfer.estimator import name_spots
from napari_semst.transfer.foremost import N_AXES, foremost_axes
from napari_semst.transfer.profiles import mean_of_groups, read_profiles
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.signature import signature_of
from tests.transfer.planted import layered, planted


@pytest.mark.parametrize("shape", [(40, 90), (90, 40)])
def test_axes_are_those_along_which_profiles_differ_most(shape):
    random = np.random.default_rng(0)
    sample = random.normal(size=shape) + 5
    sample += np.outer(random.normal(size=shape[0]), random.normal(size=shape[1]))
    axes, counts = foremost_axes(sample)
    assert np.allclose(axes @ axes.T, np.eye(N_AXES), atol=1e-9)
    centred = sample - sample.mean(axis=0)
    size, direct = np.linalg.svd(centred, full_matrices=False)[1:]
    direct = direct[:N_AXES]
    assert np.allclose(axes.T @ axes, direct.T @ direct, atol=1e-9)
    share = (size[:N_AXES] / size[0]) ** 2
    assert np.allclose(counts, 1 / (1 + share / 2))


def test_profiles_that_differ_along_one_axis_have_one_and_equal_ones_none():
    line = np.outer(np.arange(20.0), np.arange(1.0, 6.0))
    axes, counts = foremost_axes(line)
    assert axes.shape == (1, 5)
    assert np.allclose(counts, 2 / 3)
    assert foremost_axes(np.ones((20, 5)))[0].shape == (0, 5)


def test_sums_and_means_are_read_along_the_same_axes():
    inputs = section_inputs(layered(range(60), 0), Config())
    whole = read_profiles(inputs, TransferSettings())
    along = whole.along_foremost(sample_profiles(whole, 0))
    axes, counts = along.foremost.axes, along.foremost.counts
    each = np.arange(whole.n_spots)
    dense = whole.group_means(mean_of_groups(each, whole.n_spots))
    told = dense @ (axes.T * counts) @ axes
    weights = np.random.default_rng(1).normal(size=(60, 3))
    assert np.allclose(along.weighted_sums(weights), told @ weights, atol=1e-4)
    means = along.group_means(mean_of_groups(each % 7, 7))
    direct = [told[each % 7 == group].mean(axis=0) for group in range(7)]
    assert np.allclose(means, direct, atol=1e-4)
    assert np.allclose(along.whole.weighted_sums(weights), dense @ weights, atol=1e-3)
    assert np.allclose(along.lengths(), np.linalg.norm(told, axis=1), atol=1e-4)
    with pytest.raises(ValueError, match="along axes"):
        along.whole.lengths()


def test_spots_are_named_more_rightly_along_them():
    target = layered(range(60), 1)
    # Few counts, and a reference that is mostly noise.
    random, right = np.random.default_rng(2), []
    target.X = random.poisson(target.X.toarray() * 0.08).astype(np.float32)
    signature = run_to_end(signature_of(layered(range(60), 0), "layer", RunControl()))
    noise = random.normal(size=signature.scores.shape) * 2 * signature.scores.std()
    signature.scores[:] += noise.astype(np.float32)
    settings = TransferSettings(n_rounds=0)
    found = run_to_end(
        name_spots([signature], target, planted(2), RunControl(), settings)
    )
    for profiles in (found.profiles.whole, found.profiles):
        best = profiles.weighted_sums(found.weights.T).argmax(axis=1)
        names = np.array(found.labels)[best]
        right.append((names == target.obs["layer"]).mean())
    assert right[1] > right[0] + 0.05
