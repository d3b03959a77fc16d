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
    predict_signature,
    same_genes,
)
from napari_semst.transfer.signature import Signature
from tests.transfer.planted import planted


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


def prediction(own, like):
    shared = np.abs(own).sum(axis=0) > 0
    like = np.where(shared, 0, like)
    nothing = np.zeros((1, own.shape[1]))
    return PredictedSignature(own, like, like, shared, 0.5, 1.0, nothing)


def test_semantics_get_the_weight_that_held_out_genes_bear_out():
    random = np.random.default_rng(0)
    truth = random.normal(size=(4, 160))
    label = random.integers(4, size=600)
    seen = (truth[label] + 9 * random.normal(size=(600, 160))).astype(np.float32)
    own = np.where(np.arange(160) < 60, truth, 0)
    wrong = 3 * random.normal(size=(4, 160))
    assert semantic_weight(prediction(own, truth), seen, 0) == 1
    assert semantic_weight(prediction(own, wrong), seen, 0) <= 0.1
    few = np.where(np.arange(160) < 9, truth, 0)
    assert semantic_weight(prediction(few, wrong), seen, 0) == 1


def of_planted(target_genes, n_shared=0):
    """Return a prediction, both sides' genes, and the signature it is of."""
    random = np.random.default_rng(0)
    table, places = planted(1), {}
    genes = [f"GENE{place}" for place in range(40)]
    scores = random.normal(size=(3, 40)).astype(np.float32)
    signature = Signature(
        ("a", "b", "c"), tuple(genes), "human", scores, scores[0], np.full(3, 9)
    )
    names = genes[:n_shared] + [f"GENE{place}" for place in target_genes]
    reference = named_genes(genes, "human", table, places)
    target = named_genes(names, "human", table, places)
    return predict_signature(signature, reference, target), reference, target, signature


def test_predicted_genes_count_by_the_inverse_of_their_predictive_covariance():
    found, reference, target, signature = of_planted(range(60, 90))
    inner = reference.features.T @ reference.features
    inner += found.ridge * np.eye(len(inner))
    covariance = np.eye(30)
    covariance += 5 * target.features @ np.linalg.solve(inner, target.features.T)
    expected = np.linalg.solve(covariance, found.foreseen.T).T
    assert np.allclose(found.like, expected)
    scores = signature.scores - signature.scores.mean(axis=1, keepdims=True)
    assert np.allclose(found.like, scores @ found.semantic.T @ target.features.T)
    weights, told = found.joint(1.0)
    assert np.allclose((weights * told).sum(axis=1), 1)


def test_a_shared_gene_keeps_what_the_reference_shows_of_it():
    found, _, _, signature = of_planted(range(60, 90), n_shared=5)
    scores = signature.scores - signature.scores.mean(axis=1, keepdims=True)
    assert found.shared.tolist() == [True] * 5 + [False] * 30
    assert np.allclose(found.own[:, :5], scores[:, :5])
    assert not found.like[:, :5].any()
    assert not found.foreseen[:, :5].any()
    alone = found.joint(0.0)[0]
    assert np.allclose(np.linalg.norm(alone, axis=1), 1)
