from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score

from napari_semst.domains.metrics import spatial_scores, truth_scores
from napari_semst.errors import InputError


def test_a_renamed_truth_is_a_perfect_score():
    truth = pd.Series(["a", "a", "b", "b", "c", None], name="layer", dtype="category")
    scores = truth_scores(np.array([2, 2, 0, 0, 1, 1]), truth)
    for name in ("ari", "nmi", "ami", "acc", "f1_macro", "f1_weighted"):
        assert scores[name] == pytest.approx(1), name
    assert scores["n_scored"] == 5
    assert scores["n_classes"] == 3


def test_accuracy_matches_domains_one_to_one():
    truth = pd.Series(["a"] * 6 + ["b"] * 4)
    # Two domains inside "a": only the larger may be called "a".
    codes = np.array([0, 0, 0, 0, 2, 2, 1, 1, 1, 1])
    scores = truth_scores(codes, truth)
    assert scores["acc"] == pytest.approx(0.8)
    assert scores["homogeneity"] == pytest.approx(1)
    assert scores["completeness"] < 1


def test_more_classes_than_domains():
    truth = pd.Series(list("aabbcc"))
    scores = truth_scores(np.array([0, 0, 1, 1, 1, 1]), truth)
    assert scores["acc"] == pytest.approx(4 / 6)


def test_an_empty_annotation_is_refused():
    with pytest.raises(InputError, match="annotation"):
        truth_scores(np.zeros(3, int), pd.Series([None, None, None], name="layer"))


def test_coherent_domains_score_better_in_space():
    random = np.random.default_rng(0)
    points = np.argwhere(np.ones((20, 20))).astype(float)
    halves = (points[:, 0] > 9.5).astype(int)
    good = spatial_scores(halves, points)
    bad = spatial_scores(random.permutation(halves), points)
    assert good["chaos"] < bad["chaos"]
    assert good["pas"] == 0
    assert bad["pas"] > 0.2
    assert good["spatial_silhouette"] > bad["spatial_silhouette"]


def test_the_silhouette_is_scikit_learns_of_the_same_spots(monkeypatch):
    random = np.random.default_rng(1)
    points = random.uniform(0, 9, (150, 2))
    codes = (points[:, 0] // 3).astype(int)
    codes[7] = 5  # alone in its domain
    monkeypatch.setattr("napari_semst.domains.metrics._SILHOUETTE_BLOCK", 64)
    found = spatial_scores(codes, points)["spatial_silhouette"]
    assert found == pytest.approx(silhouette_score(points, codes))
    monkeypatch.setattr("napari_semst.domains.metrics._SILHOUETTE_SPOTS", 90)
    found = spatial_scores(codes, points, seed=4)["spatial_silhouette"]
    some = {"sample_size": 90, "random_state": 4}
    assert found == pytest.approx(silhouette_score(points, codes, **some))
    assert "spatial_silhouette" not in spatial_scores(np.zeros(150, int), points)
