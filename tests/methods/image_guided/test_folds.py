"""Parts of a section that are predicted from each other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from napari_semst.methods.image_guided.inputs import attention_graph, guided_inputs
from napari_semst.methods.image_guided.prediction import spatial_folds
from tests.guided import guided


def asked(folds, usable, seed=0):
    config = SimpleNamespace(
        image_guided=SimpleNamespace(folds=folds), training=SimpleNamespace(seed=seed)
    )
    return SimpleNamespace(config=config, usable=usable)


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_folds_are_balanced_and_the_same_each_time(folds):
    places = np.random.default_rng(0).uniform(0, 1, (600, 2))
    usable = np.random.default_rng(1).random(600) < 0.9
    found = spatial_folds(asked(folds, usable), places)
    assert np.array_equal(found, spatial_folds(asked(folds, usable), places))
    assert len(found) == (1 if folds == 1 else 4)
    for one in found:
        sizes = np.bincount(one[usable], minlength=folds)
        assert len(sizes) == folds
        assert sizes.min() > 0.3 * sizes.max()


def test_partitions_are_cut_elsewhere():
    places = np.random.default_rng(0).uniform(0, 1, (600, 2))
    one, other, *_ = spatial_folds(asked(2, np.ones(600, bool)), places)
    together = [part[:, None] == part for part in (one, other)]
    assert (together[0] != together[1]).mean() > 0.1


def test_folds_are_few_connected_pieces():
    section, config = guided()
    graph, _ = attention_graph(section, config.image_guided)
    found = spatial_folds(guided_inputs(section, config), section.coordinates)[0]
    for fold in range(3):
        own = found == fold
        n_pieces, _ = connected_components(graph[own][:, own])
        # Pieces of a fold, five of them, may touch each other.
        assert 1 <= n_pieces <= 5


def test_no_fold_holds_all_usable_spots_however_few_there_are():
    places = np.random.default_rng(0).uniform(0, 1, (500, 2))
    usable = np.zeros(500, bool)
    usable[np.linalg.norm(places, axis=1).argsort()[:10]] = True
    found = spatial_folds(asked(5, usable), places)
    assert found.shape == (4, 500)
    for one in found:
        assert np.bincount(one[usable]).max() <= 6
