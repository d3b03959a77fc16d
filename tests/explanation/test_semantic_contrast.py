"""What sets a domain apart in meaning, and the parts that genes have in it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.explanation.semantic_contrast import find_meaning, listed_genes
from napari_semst.genes.table import builtin_table
from napari_semst.semantics import GeneLists
from napari_semst.semantics.gene_table.source import BuiltinTable


@pytest.fixture
def lists():
    genes = np.array(["MBP", "PLP1", "GFAP", "NOTAGENE", "SNAP25", "SYT1"])
    indices = np.array(
        [[0, 1, 3], [1, 0, 2], [0, 2, -1], [4, 5, 3], [5, 4, -1], [3, -1, -1]]
    )
    return GeneLists(genes, indices.astype(np.int32))


def test_shares_make_the_semantic_vectors_of_the_source(lists):
    listed = listed_genes(lists, builtin_table(), "human")
    made = listed.shares @ listed.vectors
    theirs = BuiltinTable().embed_spots(lists, species="human")
    np.testing.assert_allclose(made[:5], theirs.embedding[:5], atol=1e-6)
    assert list(listed.told) == [True] * 5 + [False]
    assert listed.coverage == pytest.approx(11 / 14)


def test_parts_of_genes_add_up_to_the_whole_difference(lists):
    listed = listed_genes(lists, builtin_table(), "human")
    codes = np.array([0, 0, 0, 1, 1, 1], np.int32)
    meaning = find_meaning(listed, codes, 2)
    np.testing.assert_allclose(meaning.contribution.sum(axis=1), 1)
    vectors = (listed.shares @ listed.vectors)[:5]
    difference = vectors[:3].mean(axis=0) - vectors[3:].mean(axis=0)
    np.testing.assert_allclose(meaning.difference[0], difference, atol=1e-7)
    # A gene that is missing inside sets the domain apart as well.
    excess = dict(zip(listed.genes, meaning.excess[0], strict=True))
    assert excess["MBP"] > 0 > excess["SNAP25"]
    assert (meaning.contribution[0] > 0).all()


def test_a_domain_of_which_nothing_is_listed_differs_by_nothing(lists):
    listed = listed_genes(lists, builtin_table(), "human")
    codes = np.array([0, 0, 0, 1, 1, 2], np.int32)
    meaning = find_meaning(listed, codes, 3)
    assert not meaning.difference[2].any()
    assert not meaning.contribution[2].any()
    assert np.isfinite(meaning.difference).all()
