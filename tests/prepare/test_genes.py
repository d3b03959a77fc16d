from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from napari_semst.prepare.genes import expressed_genes, least_spots, variable_genes


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
