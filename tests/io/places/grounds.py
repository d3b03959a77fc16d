"""Cells that keep their distance, and samples laid on one another."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse


def cells(side=20, seed=0, loose=0.7):
    """Return places of ``side * side`` cells, one apart, that never touch."""
    chance = np.random.default_rng(seed)
    y, x = np.divmod(np.arange(side * side), side)
    return np.column_stack([x, y]) + (chance.random((side * side, 2)) - 0.5) * loose


def table(parts, column="sample", names=None, shuffled=False):
    """Return obs of samples one after another, and the places of all spots."""
    chance = np.random.default_rng(9)
    places = np.concatenate(parts)
    codes = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    names = names or [f"s{code}" for code in range(len(parts))]
    columns = {
        "cell_type": [f"type {t}" for t in chance.integers(0, 5, len(codes))],
        "n_genes": chance.integers(200, 900, len(codes)),
        "area": chance.random(len(codes)),
        "band": [f"band {b:.0f}" for b in places[:, 0] // (np.ptp(places[:, 0]) / 4)],
        column: np.array(names)[codes],
    }
    obs = pd.DataFrame(columns, index=[f"cell {i}" for i in range(len(codes))])
    order = chance.permutation(len(codes)) if shuffled else np.arange(len(codes))
    return obs.iloc[order], places[order]


def tissue_of(obs, places, n_genes=30):
    """Return a tissue of random counts at these places."""
    counts = np.random.default_rng(3).poisson(1.0, (len(obs), n_genes))
    made = AnnData(sparse.csr_matrix(counts.astype(np.float32)), obs=obs.copy())
    made.var_names = [f"GENE{i}" for i in range(n_genes)]
    made.obsm["spatial"] = np.asarray(places, float)
    return made
