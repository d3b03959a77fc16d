"""From counts to what methods see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from napari_semst.config import PrepareConfig
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled, InputError
from napari_semst.prepare.section import prepare_section


def steps(tissue, control=None, **settings):
    return prepare_section(
        tissue.X,
        tissue.var_names.to_numpy(dtype=str),
        tissue.obsm["spatial"],
        PrepareConfig(**settings),
        control or RunControl(),
    )


def prepared(tissue, **settings):
    return run_to_end(steps(tissue, **settings))


def test_a_small_panel_is_kept_whole(tissue):
    section = prepared(tissue)
    assert list(section.genes) == list(tissue.var_names)
    assert (section.counts != tissue.X).nnz == 0
    assert section.n_spots == tissue.n_obs


def test_the_most_variable_genes_are_kept_with_their_names(tissue):
    section = prepared(tissue, n_top_genes=30)
    assert len(section.genes) == section.notes["genes"] == 30
    place = tissue.var_names.get_indexer(section.genes)
    assert (np.diff(place) > 0).all()
    assert (section.counts != tissue.X[:, place]).nnz == 0
    # Genes of a band vary more than the 15 that are the same everywhere.
    assert (place < 45).mean() > 0.8


def test_rare_genes_are_left_out(tissue):
    counts = tissue.X.toarray()
    counts[:, 4] = 0
    counts[:5, 4] = 1
    tissue.X = sparse.csr_matrix(counts)
    assert "GENE4" in prepared(tissue, min_cells=5).genes
    section = prepared(tissue, min_cells=6)
    assert "GENE4" not in section.genes
    assert section.notes["min_cells"] == 6


def test_stored_zeros_are_not_expression(tissue):
    row = tissue.X.indices == 4
    tissue.X.data[row] = 0
    section = prepared(tissue)
    assert "GENE4" not in section.genes


def test_the_lattice_is_seen(tissue):
    section = prepared(tissue)
    assert "lattice" in section.notes["spatial_graph"]
    neighbours = np.asarray(section.spatial.sum(axis=1)).ravel()
    # Two rings of a hexagonal lattice.
    assert neighbours.max() == 18
    mean = section.notes["mean_spatial_neighbours"]
    assert mean == pytest.approx(neighbours.mean())
    assert section.near == 6


def test_the_graph_is_symmetric_without_loops(tissue):
    spatial = prepared(tissue).spatial
    assert (spatial != spatial.T).nnz == 0
    assert not spatial.diagonal().any()
    assert set(spatial.data) == {1.0}


def test_averages_keep_constants(tissue):
    average = prepared(tissue).average
    np.testing.assert_allclose(average @ np.ones(tissue.n_obs), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("n_spots", "rounds"), [(50, 1), (400, 1), (900, 2), (1200, 3), (9000, 3)]
)
def test_rounds_of_averaging_by_size(tissue, n_spots, rounds):
    section = prepared(tissue)
    counts = sparse.csr_matrix((n_spots, 3))
    of_size = replace(section, counts=counts)
    assert of_size.smoothing_rounds == rounds


@pytest.mark.parametrize("rounds", [0, 5])
def test_rounds_of_averaging_as_asked(tissue, rounds):
    assert prepared(tissue, smoothing_rounds=rounds).smoothing_rounds == rounds


def test_scaled_expression(tissue):
    scaled = prepared(tissue, clip=2.5).scaled_expression().toarray()
    counts = tissue.X.toarray().astype(float)
    depth = counts / counts.sum(axis=1, keepdims=True) * 1e4
    want = np.minimum(depth / depth.std(axis=0, ddof=1), 2.5)
    np.testing.assert_allclose(scaled, want, rtol=1e-4)


def test_components_do_not_depend_on_depth_alone(tissue):
    section = prepared(tissue)
    _, root, logged, _ = section.components(0)
    assert root.shape == logged.shape == (tissue.n_obs, 30)
    band = tissue.obs["ground_truth"].cat.codes.to_numpy()
    between = [root[band == code, 0].mean() for code in range(3)]
    within = max(root[band == code, 0].std() for code in range(3))
    assert np.ptp(between) > 2 * within
    depth = np.asarray(tissue.X.sum(axis=1)).ravel()
    assert abs(np.corrcoef(depth, root[:, 0])[0, 1]) < 0.5


def test_empty_spots_are_counted(tissue):
    counts = tissue.X.toarray()
    counts[[2, 9]] = 0
    tissue.X = sparse.csr_matrix(counts)
    section = prepared(tissue)
    assert section.notes["empty_spots"] == 2
    assert np.isfinite(section.scaled_expression().data).all()


def test_sections_without_expressed_genes_are_refused(tissue):
    with pytest.raises(InputError, match="at least 500 spots"):
        prepared(tissue, min_cells=500)


def test_events_are_counted_and_cancel_is_heard(tissue):
    events = list(steps(tissue))
    assert [(event.step, event.steps) for event in events] == [(0, 3), (1, 3), (2, 3)]
    for n_events in (1, 2, 3):
        control = RunControl()
        walking = steps(tissue, control)
        for _ in range(n_events):
            next(walking)
        control.cancel()
        with pytest.raises(Cancelled):
            run_to_end(walking)


@pytest.mark.parametrize(
    "work",
    [
        lambda section: section.components(0),
        lambda section: section.deviation,
        lambda section: section.content_hash,
    ],
)
def test_a_cancel_ends_a_pass_over_counts_in_memory(tissue, monkeypatch, work):
    monkeypatch.setattr("napari_semst.prepare.rows._BLOCK_SPOTS", 30)
    control, asked = RunControl(), []
    section = run_to_end(steps(tissue, control))
    blocks = -(-section.n_spots // 30)

    def check():
        asked.append(1)
        if len(asked) == blocks - 1:
            control.cancel()
        control.check()

    with pytest.raises(Cancelled):
        work(replace(section, check=check))
    assert len(asked) == blocks - 1, "the pass had begun, and did not go on"
