"""What hosts read of a section."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled
from napari_semst.methods.hosts.base import HostInputs
from napari_semst.methods.hosts.inputs import (
    ended_by,
    leading_scores,
    log_expression,
    spatial_tiles,
    two_graphs,
    with_feature_graph,
)
from napari_semst.methods.hosts.stagate import HOST
from napari_semst.methods.resolve import resolve
from napari_semst.prepare.graphs import feature_graph, nearest_graph
from napari_semst.prepare.section import prepare_section


def test_tiles_hold_every_spot_once_and_neighbours_together():
    places = np.random.default_rng(0).random((1000, 2))
    tiles = spatial_tiles(places, 100)
    assert sorted(np.concatenate(tiles)) == list(range(1000))
    assert max(map(len, tiles)) <= 100
    # Sixteen tiles of a square are about a quarter of its side.
    assert np.mean([np.ptp(places[tile], axis=0).mean() for tile in tiles]) < 0.4


def test_spots_on_one_place_come_to_an_end():
    assert len(spatial_tiles(np.zeros((50, 2)), 10)) >= 5


def test_leading_scores_keep_what_the_first_axes_hold():
    values = sparse.random(40, 12, 0.5, format="csr", random_state=0)
    scores = leading_scores(values, 5, 0)
    left, sizes, _ = np.linalg.svd(values.toarray(), full_matrices=False)
    want = (left * sizes)[:, :5]
    signs = np.sign((scores * want).sum(0))
    np.testing.assert_allclose(scores * signs, want, atol=1e-5)
    assert leading_scores(values, 99, 0).shape == (40, 11)


def test_neighbours_by_expression_of_a_sample_are_those_of_the_sparse_search():
    values = sparse.random(60, 20, 0.5, format="csr", random_state=0)
    config = resolve(Request(overrides={"model": {"method": "stdcl"}}))
    have = with_feature_graph(HostInputs(values, {}), config).graphs["feature"]
    want, _ = feature_graph(values, config.prepare.feature_neighbours)
    assert have.nnz > 0
    assert np.array_equal(have.toarray(), want.toarray())


@pytest.mark.parametrize(("components", "width"), [(5, 5), (30, 30), (99, 30), (0, 30)])
def test_stagate_reads_axes_of_wide_panels_and_genes_of_narrow_ones(components, width):
    random = np.random.default_rng(0)
    counts = sparse.csr_matrix(random.poisson(1.0, (60, 30)).astype(np.float32))
    model = {"method": "stagate", "input_components": components}
    config = resolve(Request(overrides={"model": model}))
    section = run_to_end(
        prepare_section(
            counts,
            np.array([f"G{n}" for n in range(30)]),
            random.random((60, 2)),
            config.prepare,
            RunControl(),
        )
    )
    features = HOST.read(section, config).features
    assert features.shape == (60, width)
    # Axes only turn what they hold: lengths of spots stay, or shrink.
    dense = features if isinstance(features, np.ndarray) else features.toarray()
    lengths, all_of = (np.linalg.norm(m, axis=1) for m in (dense, logged_of(section)))
    if width == 30:
        np.testing.assert_allclose(lengths, all_of, rtol=1e-5)
    else:
        assert (lengths <= all_of * (1 + 1e-5)).all()


def logged_of(section):
    return log_expression(section).toarray()


def test_a_sample_has_the_neighbours_that_are_in_it():
    random = np.random.default_rng(0)
    graph = nearest_graph(random.random((30, 2)), 3)
    values = sparse.csr_matrix(random.random((30, 4)))
    whole = HostInputs(values, {"spatial": graph}, values, {"row": np.arange(30)})
    spots = np.array([3, 4, 9, 20])
    some = whole.sample(spots)
    assert np.array_equal(some.features.toarray(), values.toarray()[spots])
    want = graph.toarray()[np.ix_(spots, spots)]
    assert np.array_equal(some.graphs["spatial"].toarray(), want)
    assert np.array_equal(some.arrays["row"], spots)
    assert some.n_spots == some.counts.shape[0] == 4


def test_a_cancelled_search_for_neighbours_ends(monkeypatch, tissue):
    monkeypatch.setattr("napari_semst.prepare.graphs.EXACT_FEATURE_SPOTS", 50)
    config = resolve(Request("auto"))
    genes = tissue.var_names.to_numpy(dtype=str)
    places, control = tissue.obsm["spatial"], RunControl()
    section = run_to_end(
        prepare_section(tissue.X, genes, places, config.prepare, control)
    )
    with ended_by(control.check):
        assert two_graphs(section, config).graphs["feature"].nnz > 0
        control.cancel()
        with pytest.raises(Cancelled):
            two_graphs(section, config)
    assert two_graphs(section, config).graphs["feature"].nnz > 0
