from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_semst.errors import InputError
from napari_semst.prepare.genes import expressed_genes, least_spots, variable_genes
from napari_semst.prepare.variance import standardised_variance


@pytest.mark.parametrize(
    ("n_spots", "n_genes", "asked", "share", "expected"),
    [
        (4000, 20000, 0, 0.025, 100),
        (100_000, 20000, 0, 0.025, 100),
        (260, 16000, 0, 0.025, 6),
        (260, 16000, 0, 0.002, 3),
        (4839, 33, 0, 0.025, 1),
        (260, 16000, 40, 0.025, 40),
    ],
)
def test_least_spots_scales_with_the_section(n_spots, n_genes, asked, share, expected):
    assert least_spots(n_spots, n_genes, asked, share) == expected


def test_expressed_genes_ignores_stored_zeros():
    counts = sparse.csr_matrix(np.array([[1, 0, 2], [0, 0, 3], [1, 5, 0]], float))
    counts.data[counts.data == 5] = 0
    assert expressed_genes(counts, 1).tolist() == [0, 2]
    assert expressed_genes(counts, 3).tolist() == []


def test_variable_genes_prefers_the_overdispersed():
    random = np.random.default_rng(0)
    mean = random.uniform(0.5, 8, 300)
    plain = random.poisson(mean[:280], (300, 280))
    here = random.uniform(size=(300, 20)) < 0.1
    bursts = random.poisson(mean[280:] * 10, (300, 20)) * here
    counts = sparse.csr_matrix(np.hstack([plain, bursts]).astype(np.float32))
    chosen = variable_genes(counts, 20)
    assert len(chosen) == 20
    assert (chosen >= 280).mean() > 0.9


def test_small_panels_are_kept_whole():
    counts = sparse.csr_matrix(np.ones((50, 33), np.float32))
    assert variable_genes(counts, 3000).tolist() == list(range(33))


def test_very_few_spots_still_get_variable_genes():
    random = np.random.default_rng(1)
    counts = sparse.csr_matrix(random.poisson(0.3, (25, 400)).astype(np.float32))
    kept = counts[:, expressed_genes(counts, 3)]
    assert len(variable_genes(kept, 50)) == 50


@pytest.fixture
def failing_fits(monkeypatch):
    """Let the regression fail below a span; return the spans that were tried."""
    tried: list[float] = []
    least = [2.0]

    def fit(counts, span):
        tried.append(span)
        if span < least[0]:
            raise ValueError("svddc failed in l2fit.")
        return -np.arange(counts.shape[1], dtype=float)

    monkeypatch.setattr("napari_semst.prepare.genes.standardised_variance", fit)
    return tried, least


def test_a_failing_fit_is_tried_with_wider_spans(failing_fits):
    tried, least = failing_fits
    counts = sparse.csr_matrix(np.ones((20, 30), np.float32))
    least[0] = 0.7
    assert variable_genes(counts, 5).tolist() == [0, 1, 2, 3, 4]
    assert tried == [0.3, 0.5, 0.7]


def test_no_span_is_above_one_and_the_last_failure_is_told(failing_fits):
    tried, _ = failing_fits
    counts = sparse.csr_matrix(np.ones((20, 30), np.float32))
    with pytest.raises(InputError, match=r"svddc failed.*Keep more spots"):
        variable_genes(counts, 5)
    assert tried == [0.3, 0.5, 0.7, 0.9, 1.0]


@pytest.mark.parametrize("n_sections", [1, 3])
def test_the_genes_are_scanpys(n_sections):
    import scanpy
    from anndata import AnnData

    random = np.random.default_rng(5)
    spread = random.gamma(0.5, 2.0, (90, 400)) * random.uniform(0.2, 5, 400)
    counts = sparse.csr_matrix(random.poisson(spread).astype(np.float32))
    sections = np.arange(90, dtype=np.int32) % n_sections
    holder = AnnData(counts)
    holder.obs["section"] = pd.Categorical(sections)
    table = scanpy.pp.highly_variable_genes(
        holder, n_top_genes=60, flavor="seurat_v3", batch_key="section", inplace=False
    )
    expected = np.flatnonzero(table["highly_variable"].to_numpy())
    found = variable_genes(counts, 60, sections if n_sections > 1 else None)
    assert found.tolist() == expected.tolist()
    if n_sections == 1:
        variance = standardised_variance(counts, 0.3)
        np.testing.assert_allclose(variance, table["variances_norm"], rtol=1e-12)
