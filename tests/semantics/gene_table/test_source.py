"""Pooling the table's vectors over the genes of each spot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_semst.errors import Cancelled, SemanticsError
from napari_semst.semantics import GeneLists, SemanticSource, source
from napari_semst.semantics.gene_table import pooling
from napari_semst.semantics.gene_table.pooling import pool_gene_vectors
from napari_semst.semantics.gene_table.source import BuiltinTable

if TYPE_CHECKING:
    from napari_semst.genes.table import GeneTable


def lists(genes: list[str], indices: list[list[int]]) -> GeneLists:
    return GeneLists(np.array(genes), np.array(indices, dtype=np.int32))


@given(seed=st.integers(0, 2**32 - 1), chunk=st.sampled_from([1, 3, 100]))
@settings(max_examples=60, deadline=None)
def test_pooling_equals_a_dense_weighted_mean(seed: int, chunk: int) -> None:
    random = np.random.default_rng(seed)
    n_spots, n_listed, n_genes = random.integers(1, 8, size=3)
    vectors = random.normal(size=(n_genes, 4)).astype(np.float32)
    columns = random.integers(n_genes, size=(n_spots, n_listed))
    weights = random.random((n_spots, n_listed)) * random.integers(
        2, size=(n_spots, n_listed)
    )
    dense = np.einsum("sl,sld->sd", weights, vectors[columns])
    dense /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "CHUNK_SPOTS", chunk)
        pooled = pool_gene_vectors(weights, columns, vectors)
    np.testing.assert_allclose(pooled, dense, atol=1e-5)


def test_a_spot_is_the_mean_of_its_known_genes(tiny_table: GeneTable) -> None:
    genes = ["GEN2", "NOTHING", "OLD5", "GEN9"]
    found = BuiltinTable(tiny_table).embed_spots(
        lists(genes, [[0, 1, 2], [3, -1, -1]]), species="human"
    )
    vectors, _ = tiny_table.map_genes(["GEN2", "GEN5", "GEN9"], "human")
    np.testing.assert_allclose(found.embedding[0], vectors[:2].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.embedding[1], vectors[2], atol=1e-6)
    np.testing.assert_allclose(found.coverage, [2 / 3, 1])
    assert found.embedding.dtype == found.coverage.dtype == np.float32
    assert not found.is_empty


def test_weights_move_the_mean(tiny_table: GeneTable) -> None:
    gene_lists = lists(["GEN2", "GEN5", "NOTHING"], [[0, 1, 2]])
    found = BuiltinTable(tiny_table).embed_spots(
        gene_lists, weights=np.array([[3.0, 1.0, 50.0]]), species="human"
    )
    vectors, _ = tiny_table.map_genes(["GEN2", "GEN5"], "human")
    expected = (3 * vectors[0] + vectors[1]) / 4
    np.testing.assert_allclose(found.embedding[0], expected, atol=1e-6)
    assert found.provenance["pooling"] == "weighted mean"


def test_nameless_genes_count_as_unknown(tiny_table: GeneTable) -> None:
    gene_lists = lists(["Gen3", "Gm1234", "1700019D03Rik"], [[0, 1, 2]])
    found = BuiltinTable(tiny_table).embed_spots(gene_lists)
    assert found.provenance["species"] == "mouse"
    np.testing.assert_allclose(found.coverage, [1 / 3])


def test_a_spot_without_known_genes_is_neutral(tiny_table: GeneTable) -> None:
    gene_lists = lists(["GEN2", "GEN5", "NOTHING"], [[0], [1], [2], [-1]])
    found = BuiltinTable(tiny_table).embed_spots(gene_lists, species="human")
    mean = found.embedding[:2].mean(axis=0)
    np.testing.assert_allclose(found.embedding[2:], [mean, mean], atol=1e-6)
    np.testing.assert_allclose(found.coverage, [1, 1, 0, 0])
    assert "2 of 4 spots" in found.warnings[-1]


def test_low_coverage_is_told_and_good_coverage_is_not(tiny_table: GeneTable) -> None:
    low = lists(["GEN2", "X1", "X2"], [[0, 1, 2]])
    good = lists(["GEN2", "GEN5", "X2"], [[0, 1, 2]])
    embed = BuiltinTable(tiny_table).embed_spots
    assert "33%" in embed(low, species="human").warnings[0]
    assert "check the species" in embed(low, species="human").warnings[0]
    assert embed(good, species="human").warnings == ()


@pytest.mark.parametrize(
    ("gene", "told"),
    [("NOTHING", "NOTHING"), ("ENSMUSG00000000001", "Only human Ensembl ids")],
)
def test_data_without_a_known_gene_is_an_error(
    tiny_table: GeneTable, gene: str, told: str
) -> None:
    with pytest.raises(SemanticsError, match=told):
        BuiltinTable(tiny_table).embed_spots(lists([gene], [[0]]))


def test_empty_lists_are_an_error_with_advice(tiny_table: GeneTable) -> None:
    with pytest.raises(SemanticsError, match="no genes at all"):
        BuiltinTable(tiny_table).embed_spots(lists(["GEN2"], [[-1]]))


def test_wrong_weights_are_explained(tiny_table: GeneTable) -> None:
    gene_lists = lists(["GEN2", "GEN5"], [[0, 1]])
    embed = BuiltinTable(tiny_table).embed_spots
    with pytest.raises(SemanticsError, match=r"shape \(1, 2\)"):
        embed(gene_lists, weights=np.ones((2, 1)))
    with pytest.raises(SemanticsError, match="0 or more"):
        embed(gene_lists, weights=np.array([[1.0, -1.0]]))


@pytest.mark.parametrize("bad", [[[2]], [[-2]]])
def test_positions_outside_the_genes_are_refused(bad: list[list[int]]) -> None:
    with pytest.raises(SemanticsError, match="from -1 to 1"):
        lists(["GEN2", "GEN5"], bad)


def test_positions_are_a_table_of_integers() -> None:
    with pytest.raises(SemanticsError, match="1-D"):
        GeneLists(np.array(["A"]), np.array([0], dtype=np.int32))
    with pytest.raises(SemanticsError, match="float64"):
        GeneLists(np.array(["A"]), np.array([[0.0]]))  # type: ignore[arg-type]


def test_progress_and_cancelling(
    tiny_table: GeneTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "CHUNK_SPOTS", 2)
    gene_lists = lists(["GEN2"], [[0]] * 5)
    steps: list[tuple[int, int]] = []
    embed = BuiltinTable(tiny_table).embed_spots
    embed(gene_lists, progress=lambda *step: steps.append(step))
    assert steps == [(2, 5), (4, 5), (5, 5)]
    with pytest.raises(Cancelled):
        embed(gene_lists, cancelled=lambda: len(steps) > 0)


def test_provenance_is_json_and_complete(tiny_table: GeneTable) -> None:
    made: SemanticSource = source("builtin", table=tiny_table)
    found = made.embed_spots(lists(["GEN2"], [[0]]), species="human")
    record = json.loads(json.dumps(found.provenance))
    assert record["source"] == made.name == "builtin"
    assert record["coverage"] == 1
    assert record["revision"] == "2025-07-18, names 4"
    assert set(record) >= {"model", "pooling", "species", "warnings"}
