"""What genes say of other genes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.genes.table import builtin_table
from napari_semst.transfer.balance import semantic_weight
from napari_semst.transfer.kernel import (
    PredictedSignature,
    fit_ridge,
    named_genes,
    same_genes,
)


def test_left_out_genes_are_predicted_as_by_leaving_each_out():
    random = np.random.default_rng(0)
    features = random.normal(size=(30, 5))
    observed = features @ random.normal(size=(5, 2)) + random.normal(size=(30, 2))
    ridge, explained, solve = fit_ridge(features, observed)
    left_out = np.zeros_like(observed)
    for gene in range(30):
        kept = np.arange(30) != gene
        inner = features[kept].T @ features[kept] + ridge * np.eye(5)
        fit = np.linalg.solve(inner, features[kept].T @ observed[kept])
        left_out[gene] = features[gene] @ fit
    share = 1 - ((observed - left_out) ** 2).sum() / (observed**2).sum()
    assert explained == pytest.approx(share)
    inner = features.T @ features + ridge * np.eye(5)
    assert np.allclose(solve, np.linalg.solve(inner, features.T))


def test_vectors_that_say_nothing_explain_nothing():
    random = np.random.default_rng(0)
    features, observed = random.normal(size=(300, 5)), random.normal(size=(300, 2))
    assert fit_ridge(features, observed)[1] < 0.02


def test_mouse_and_human_genes_are_the_same_by_homology():
    table, places = builtin_table(), {}
    human = named_genes(["PLP1", "MBP", "NOSUCHGENE"], "human", table, places)
    mouse = named_genes(["Mbp", "Nosuchgene", "Gad1"], "mouse", table, places)
    same = same_genes(human, mouse).toarray()
    assert same.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_an_id_says_which_gene_it_is_where_the_name_does_not():
    table, places = builtin_table(), {}
    mbp = "ENSG00000197971"
    named = named_genes(["MBP"], "human", table, places)
    told = named_genes(["unheard", "unheard"], "human", table, places, [mbp, ""])
    assert same_genes(named, told).toarray().tolist() == [[1], [0]]
    assert told.known.tolist() == [True, False]


def prediction(own, like, explained=0.5):
    shared = np.abs(own).sum(axis=0) > 0
    nothing = np.zeros((1, own.shape[1]))
    return PredictedSignature(own, like, shared, explained, 1.0, nothing)


def test_semantics_get_the_weight_that_held_out_genes_bear_out():
    random = np.random.default_rng(0)
    truth = random.normal(size=(4, 80))
    label = random.integers(4, size=600)
    seen = (truth[label] + 6 * random.normal(size=(600, 80))).astype(np.float32)
    own = np.where(np.arange(80) < 20, truth, 0)
    right = semantic_weight(prediction(own, truth), seen, 0)
    wrong = semantic_weight(prediction(own, random.normal(size=(4, 80))), seen, 0)
    assert right > wrong
    assert semantic_weight(prediction(own, truth, explained=0.0), seen, 0) == 0
    assert semantic_weight(prediction(0 * own, truth), seen, 0) == 1
