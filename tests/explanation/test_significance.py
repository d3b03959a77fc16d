"""Which terms are tested, how, and which of them say the same."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from napari_semst.core.sections import Sections
from napari_semst.explanation import terms as of_terms
from napari_semst.explanation.random_domains import make_patches
from napari_semst.explanation.semantic_contrast import Listed, find_meaning
from napari_semst.explanation.significance import by_places, compare_terms
from napari_semst.explanation.terms import TermSet, distinct
from napari_semst.prepare.graphs import nearest_graph

N_GENES, SIDE = 60, 24


def section(programme, seed=0):
    """Return spots of three bands; band 2 lists the genes of a programme."""
    rng = np.random.default_rng(seed)
    row, column = np.divmod(np.arange(SIDE**2), SIDE)
    band = (row // 8).astype(np.int32)
    lists = np.stack([rng.permutation(N_GENES)[:8] for _ in row])
    own = [rng.permutation(programme)[:5] for _ in row]
    lists[band == 2, :5] = np.array(own)[band == 2]
    spots = np.repeat(np.arange(SIDE**2), 8)
    shares = sparse.coo_matrix((np.full(len(spots), 0.125), (spots, lists.ravel())))
    vectors = rng.normal(size=(N_GENES, 16)).astype(np.float32)
    # Genes of one term mean much the same.
    vectors[:10, 0] += 4
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = np.array([f"G{n}" for n in range(N_GENES)])
    rows = sparse.identity(N_GENES, format="csr")
    shares = sparse.csr_matrix(shares, shape=(SIDE**2, N_GENES))
    listed = Listed(names, vectors, rows, shares, 1.0)
    places = np.column_stack([column, row]).astype(float)
    whole = Sections.one(SIDE**2)
    return listed, band, make_patches(places, whole, nearest_graph(places, 4))


def terms_of(listed, seed=1):
    """Return term 0, of genes 0 to 9, and 39 terms of ten genes drawn from all."""
    rng = np.random.default_rng(seed)
    genes = [np.arange(10), *(rng.permutation(N_GENES)[:10] for _ in range(39))]
    columns = np.repeat(np.arange(40), 10)
    members = sparse.csc_matrix((np.ones(400), (np.concatenate(genes), columns)))
    directions = members.T @ listed.vectors
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return TermSet(np.arange(40), members, directions.astype(np.float32))


def compared(programme, n_draws=199):
    listed, band, patches = section(programme)
    steps = []
    found = compare_terms(
        terms_of(listed), listed, find_meaning(listed, band, 3), patches,
        np.array([np.bincount(band)]), n_draws, 0,
        lambda *step: steps.append(step),
    )  # fmt: skip
    assert steps[-1][0] == steps[-1][1]
    return found


def test_a_planted_term_is_found_where_it_was_planted_only():
    found = compared(np.arange(10), 1999)
    assert found.q[2, 0] <= 0.05
    assert found.cosine[2].argmax() == 0
    assert found.p_domains[2, 0] < 0.01
    assert found.own[2, 0] > 0.5
    assert (found.q[:2, 0] > 0.05).all()


def test_a_programme_of_no_term_is_not_found():
    # One gene of every six: no term has more than a few of them.
    found = compared(np.arange(0, N_GENES, 6))
    assert (found.q > 0.05).all()


def test_no_p_value_is_below_what_draws_can_tell():
    found = compared(np.arange(10))
    assert found.p_domains.min() == pytest.approx(1 / 200)
    assert found.p_genes.min() >= 1 / 200
    larger = np.maximum(found.p_domains, found.p_genes)
    assert (found.q >= larger)[found.q < 1].all()
    assert (found.q >= found.q_genes).all()


def test_scores_that_follow_space_but_not_the_domains_are_no_meaning():
    # Bands of another course than the domains: these cut straight across.
    listed, _, patches = section(np.arange(10))
    across = np.tile(np.arange(SIDE) // 8, SIDE).astype(np.int32)
    found = compare_terms(
        terms_of(listed), listed, find_meaning(listed, across, 3), patches,
        np.array([np.bincount(across)]), 199, 0, lambda *step: None,
    )  # fmt: skip
    assert (found.q > 0.05).all()


def test_domains_laid_at_random_have_p_values_as_chance_has_them():
    listed, _, patches = section(np.arange(10))
    tested, (row, column) = terms_of(listed), np.divmod(np.arange(SIDE**2), SIDE)
    below = []
    for seed in range(20):
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        order = np.argsort(row * np.sin(angle) + column * np.cos(angle))
        laid = np.empty(SIDE**2, np.int32)
        laid[order] = np.repeat([0, 1, 2], SIDE**2 // 3)
        wanted = np.array([np.bincount(laid)])
        score = find_meaning(listed, laid, 3).difference @ tested.directions.T
        p = by_places(
            tested, listed, patches, wanted, score, np.arange(40), 99, seed,
            lambda done: None,
        )  # fmt: skip
        assert p.min() >= 0.01
        below.append((p <= 0.1).mean())
    # Terms of one map rise and fall together: the mean over many domains is told.
    assert 0.03 < np.mean(below) < 0.17


def test_terms_with_the_same_listed_genes_are_tested_once():
    genes = {"wide": range(6), "narrow": range(6), "other": range(4, 12), "few": (1, 2)}
    sizes = {"wide": 40, "narrow": 8, "other": 9, "few": 5}
    rows, columns = [], []
    for term, name in enumerate(genes):
        hidden = range(20 + 50 * term, 20 + 50 * term + sizes[name] - len(genes[name]))
        rows += [term] * sizes[name]
        columns += [*genes[name], *hidden]
    members = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(4, 250))
    listed = SimpleNamespace(rows=sparse.csr_matrix(np.eye(12, 250)))
    terms = SimpleNamespace(
        members=members, directions=lambda table: np.eye(4, dtype=np.float32)
    )
    found = of_terms.choose_terms(terms, None, listed)
    assert found.index.tolist() == [1, 2]
    assert found.members.sum(axis=0).tolist() == [[6, 8]]


def test_of_terms_that_say_the_same_the_first_is_told():
    members = sparse.csc_matrix(
        np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 1.0]])
    )
    directions = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0.6, 0.8]], np.float32)
    tested = TermSet(np.arange(4), members, directions)
    excess = np.array([0.3, 0.2, 0.1, -0.9])
    order = np.arange(4)
    # 1 has the genes of 0 in excess; 3 lies where 2 does.
    assert distinct(order, tested, excess, 4) == [0, 2]
    assert distinct(order[::-1], tested, excess, 4) == [3, 0]
    assert distinct(order, tested, excess, 1) == [0]
