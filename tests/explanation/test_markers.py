"""Rank sums of genes, against scanpy's and against counting by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse, stats

from napari_semst.explanation import markers


@pytest.fixture
def sparse_counts():
    rng = np.random.default_rng(1)
    mean = (0.1 + rng.gamma(0.5, 1.0, size=40)) * (1 + np.arange(90)[:, None] % 3)
    counts = sparse.csr_matrix(rng.poisson(mean), dtype=np.float32)
    return markers.log_normalised(counts), (np.arange(90) % 3).astype(np.int32)


def test_rank_sums_are_scanpys_with_ties_corrected(sparse_counts):
    import scanpy

    logged, codes = sparse_counts
    holder = AnnData(logged.copy(), obs=pd.DataFrame(index=map(str, range(90))))
    holder.obs["domain"] = pd.Categorical(codes.astype(str))
    holder.uns["log1p"] = {"base": None}
    scanpy.tl.rank_genes_groups(
        holder, "domain", method="wilcoxon", tie_correct=True, n_genes=40
    )
    found = markers.find_markers(logged, codes, 3)
    for domain in range(3):
        theirs = scanpy.get.rank_genes_groups_df(holder, str(domain))
        theirs = theirs.set_index(theirs["names"].astype(int)).sort_index()
        np.testing.assert_allclose(found.score[domain], theirs["scores"], atol=1e-4)
        np.testing.assert_allclose(
            found.p_adjusted[domain], theirs["pvals_adj"], rtol=1e-3
        )
        np.testing.assert_allclose(
            found.log2_fold_change[domain], theirs["logfoldchanges"], rtol=1e-3
        )


def test_chunks_of_genes_change_nothing(sparse_counts, monkeypatch):
    logged, codes = sparse_counts
    # A gene without counts, alone in its chunk.
    logged = logged.tolil()
    logged[:, 3] = 0
    logged = logged.tocsr()
    whole = markers.find_markers(logged, codes, 3)
    monkeypatch.setattr(markers, "_CHUNK_VALUES", 50)
    steps = []
    parts = markers.find_markers(logged, codes, 3, lambda *step: steps.append(step))
    assert len(steps) > 5
    assert steps[-1] == (40, 40)
    for name in ("score", "auc", "share_in"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name))


def test_auc_and_shares_are_those_counted_pair_by_pair(sparse_counts):
    logged, codes = sparse_counts
    found = markers.find_markers(logged, codes, 3)
    dense = logged.toarray()[:, 7]
    inside, outside = dense[codes == 1], dense[codes != 1]
    u = stats.mannwhitneyu(inside, outside).statistic
    assert found.auc[1, 7] == pytest.approx(u / (len(inside) * len(outside)))
    assert found.share_in[1, 7] == pytest.approx((inside > 0).mean())
    assert found.share_out[1, 7] == pytest.approx((outside > 0).mean())


def test_a_gene_that_is_the_same_everywhere_says_nothing():
    logged = sparse.csr_matrix(np.ones((12, 2), np.float32))
    found = markers.find_markers(logged, np.repeat([0, 1], 6).astype(np.int32), 2)
    assert (found.score == 0).all()
    assert (found.p_adjusted == 1).all()
    assert (found.auc == 0.5).all()
