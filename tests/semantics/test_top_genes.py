"""Ranking the genes of spots, against a plain sort of one spot after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from napari_semst.errors import Cancelled, SemanticsError
from napari_semst.semantics import rank_genes, top_genes

GENES = ["PLP1", "MT-CO1", "GFAP", "RPL13", "Gm1234", "MBP", "AC012345.1", "SST"]


def reference(dense: np.ndarray, n_listed: int) -> np.ndarray:
    """Sort every spot on its own: highest first, then gene order, zeros left out."""
    rows = []
    for values in dense:
        order = sorted(range(len(values)), key=lambda gene: (-values[gene], gene))
        listed = [gene for gene in order if values[gene] > 0][:n_listed]
        rows.append(listed + [-1] * (n_listed - len(listed)))
    return np.array(rows, dtype=np.int32).reshape(len(dense), n_listed)


@given(
    dense=hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 12), st.integers(1, 9)),
        elements=st.sampled_from([0, 0, 0, 0.5, 1, 1, 2, 10, 10]),
    ),
    n_listed=st.integers(1, 12),
    budget=st.sampled_from([1, 20, 10_000]),
)
@settings(max_examples=150, deadline=None)
def test_ranking_equals_a_plain_sort(
    dense: np.ndarray, n_listed: int, budget: int
) -> None:
    names = [f"GENE{i}" for i in range(dense.shape[1])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(top_genes, "CHUNK_VALUES", budget)
        lists = rank_genes(sparse.csr_matrix(dense), names, n_listed)
    np.testing.assert_array_equal(lists.indices, reference(dense, n_listed))


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array, np.asarray])
def test_integer_counts_of_any_kind_are_ranked(kind: type) -> None:
    lists = rank_genes(kind(np.array([[3, 0, 7], [0, 0, 0]])), ["A1", "B1", "C1"], 2)
    assert lists.indices.tolist() == [[2, 0], [-1, -1]]
    assert lists.names(0) == ["C1", "A1"]
    assert lists.names(1) == []


def test_genes_that_say_little_are_left_out_unless_asked_for() -> None:
    values = np.arange(8, 0, -1)[None, :]
    assert rank_genes(values, GENES, 8).names(0) == ["PLP1", "GFAP", "MBP", "SST"]
    assert rank_genes(values, GENES, 8, leave_out_uninformative=False).names(0) == GENES


def test_ensembl_ids_are_judged_and_named_by_their_symbols() -> None:
    genes = ["ENSG00000198804", "ENSG00000123560"]  # MT-CO1, PLP1
    lists = rank_genes(np.array([[9, 1]]), genes, 2)
    assert lists.names(0) == ["PLP1"]


def test_unsorted_and_repeated_entries_are_read_right_and_left_alone() -> None:
    matrix = sparse.csr_matrix(
        (np.array([1.0, 2.0, 2.0]), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 3)
    )
    lists = rank_genes(matrix, ["A1", "B1", "C1"], 2)
    assert lists.indices.tolist() == [[2, 0]]
    assert matrix.indices.tolist() == [2, 0, 2]
    assert matrix.data.tolist() == [1, 2, 2]


def test_stored_zeros_are_not_expressed() -> None:
    matrix = sparse.csr_matrix(
        (np.array([0.0, 1.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2)
    )
    assert rank_genes(matrix, ["A1", "B1"], 2).indices.tolist() == [[1, -1]]


def test_wrong_input_is_explained() -> None:
    with pytest.raises(SemanticsError, match="has 3 genes, the list of names 2"):
        rank_genes(np.ones((1, 3)), ["A1", "B1"])
    with pytest.raises(SemanticsError, match="1 or more genes"):
        rank_genes(np.ones((1, 1)), ["A1"], 0)
    with pytest.raises(SemanticsError, match="finite"):
        rank_genes(np.array([[np.nan]]), ["A1"])


def test_progress_ends_at_all_spots_and_cancelling_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(top_genes, "CHUNK_VALUES", 4)
    steps: list[tuple[int, int]] = []
    rank_genes(np.ones((5, 2)), ["A1", "B1"], 1, progress=lambda *s: steps.append(s))
    assert steps == [(2, 5), (4, 5), (5, 5)]
    with pytest.raises(Cancelled):
        rank_genes(np.ones((5, 2)), ["A1", "B1"], 1, cancelled=lambda: True)
