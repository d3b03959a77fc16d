"""Counts less what depth and image lead to expect."""

from __future__ import annotations

import numpy as np
import pytest

from napari_semst.core.progress import RunControl
from napari_semst.errors import Cancelled
from napari_semst.methods.image_guided import gene_residuals
from napari_semst.methods.image_guided.gene_residuals import (
    PearsonResiduals,
    UnpredictedGenes,
    _leading,
    averaging,
    unevenness,
    unpredicted_directions,
)
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.prediction import ImagePredictor, spatial_folds
from tests.guided import guided

EVERY = np.ones(300, bool)


@pytest.fixture(scope="module")
def made():
    part, config = guided()
    inputs = guided_inputs(part, config)
    folds = spatial_folds(inputs, part.coordinates)
    return ImagePredictor(inputs, part, folds), inputs, part


def directions(predictor, inputs, part, control=None):
    genes = UnpredictedGenes(predictor, part, EVERY, control or RunControl())
    return unpredicted_directions(genes, inputs, part)


def test_residuals_have_the_variance_that_counts_have(made):
    part = made[2]
    residuals = PearsonResiduals(part)
    spots = np.array([0, 7, 299])
    counts = part.counts.toarray().astype(float)
    mean = counts.sum(axis=1)[:, None] * counts.sum(axis=0) / counts.sum()
    expected = ((counts - mean) / np.sqrt(mean + mean**2 / 5))[spots]
    np.testing.assert_allclose(
        residuals[spots], np.clip(expected, -10, 10), rtol=1e-4, atol=1e-5
    )
    assert residuals.shape == counts.shape


def test_an_average_reads_usable_spots_alone(made):
    part, usable = made[2], EVERY.copy()
    usable[::5] = False
    near = averaging(part, usable)
    values = np.where(usable, 3.0, 1e9)
    found = near @ values
    reached = np.diff(near.indptr) > 0
    np.testing.assert_allclose(found[reached], 3.0)
    assert reached.mean() > 0.9


def test_averages_of_few_spots_are_held_for_what_they_vary_more(made):
    part, usable = made[2], EVERY.copy()
    # Of a quarter of the section one spot in four can be used.
    quarter = (part.coordinates < np.median(part.coordinates, axis=0)).all(axis=1)
    usable[np.flatnonzero(quarter)[np.arange(quarter.sum()) % 4 > 0]] = False
    near = averaging(part, usable)
    noise = np.random.default_rng(0).normal(0, 1, (300, 200)) * usable[:, None]
    varies = (near @ noise).std(axis=1)
    few, many = quarter & usable, ~quarter
    assert varies[few].mean() > 1.4 * varies[many].mean()
    even = varies / unevenness(near, usable)
    assert even[few].mean() < 1.15 * even[many].mean()


def test_directions_by_rows_are_those_by_columns():
    values = np.random.default_rng(0).normal(0, 1, (12, 40)).astype(np.float32)
    values[:, :3] *= 5
    square = values.T.astype(np.float64) @ values
    expected = gene_residuals.falling(square)[1][:, :4]
    np.testing.assert_allclose(_leading(values, 4), expected, atol=1e-4)


def test_counts_in_their_file_are_read_once(made):
    part = made[2]
    read = []

    class Stored:
        sections = part.sections

        @property
        def counts_in_memory(self):
            read.append(1)
            return part.counts_in_memory

    residuals = PearsonResiduals(Stored())
    assert len(read) == 1
    spots = np.arange(5)
    np.testing.assert_allclose(residuals[spots], PearsonResiduals(part)[spots])


def test_directions_do_not_depend_on_the_size_of_chunks(made, monkeypatch):
    whole = directions(*made)
    monkeypatch.setattr(gene_residuals, "_CHUNK_SPOTS", 77)
    parts = directions(*made)
    np.testing.assert_allclose(whole, parts, atol=2e-3)
    usable = made[1].usable
    np.testing.assert_allclose(whole[usable].std(axis=0), 1, rtol=1e-3)


def test_directions_do_not_depend_on_the_size_of_blocks_of_genes(made, monkeypatch):
    whole = directions(*made)
    monkeypatch.setattr(gene_residuals, "_BLOCK_GENES", 37)
    parts = directions(*made)
    np.testing.assert_allclose(whole, parts, atol=2e-3)


def test_no_more_than_a_block_of_genes_is_dense_at_once(made, monkeypatch):
    read = PearsonResiduals.__getitem__
    widest = []

    def noted(residuals, spots):
        found = read(residuals, spots)
        widest.append(found.shape)
        return found

    monkeypatch.setattr(PearsonResiduals, "__getitem__", noted)
    monkeypatch.setattr(gene_residuals, "_BLOCK_GENES", 40)
    monkeypatch.setattr(gene_residuals, "_CHUNK_VALUES", 40 * 60)
    directions(*made)
    n_genes = made[2].counts.shape[1]
    assert max(width for _, width in widest) == 40 < n_genes
    # Learning reads more spots of a block; what is left over is read in parts.
    assert sum(rows <= 60 for rows, _ in widest) >= 2 * 5 * -(-n_genes // 40)


def test_it_is_given_up_between_blocks(made, monkeypatch):
    monkeypatch.setattr(gene_residuals, "_BLOCK_GENES", 40)
    control, checked = RunControl(), []

    def check():
        checked.append(1)
        if len(checked) > 20:
            raise Cancelled

    monkeypatch.setattr(control, "check", check)
    with pytest.raises(Cancelled):
        directions(*made, control)
    assert len(checked) == 21


def test_library_size_is_left_out(made):
    predictor, inputs, part = made
    found = directions(predictor, inputs, part)
    size = averaging(part, inputs.usable) @ inputs.log_library
    known = inputs.usable
    tied = [abs(np.corrcoef(size[known], one[known])[0, 1]) for one in found.T]
    assert max(tied) < 0.3


def test_some_spots_have_the_residuals_that_all_have(made):
    predictor, _, part = made
    genes = UnpredictedGenes(predictor, part, EVERY, RunControl())
    whole = np.zeros(genes.shape, np.float32)
    for block, spots, apart in genes.residuals():
        whole[spots, block] = apart
    some = np.array([250, 3, 77])
    np.testing.assert_allclose(genes.of_spots(some), whole[some], atol=2e-3)


def test_of_a_genome_the_genes_counted_most_are_read(made, monkeypatch):
    predictor, _, part = made
    some = np.array([250, 3, 77])
    whole = UnpredictedGenes(predictor, part, EVERY, RunControl()).of_spots(some)
    monkeypatch.setattr(gene_residuals, "_BLOCK_GENES", 37)
    found = UnpredictedGenes(predictor, part, EVERY, RunControl()).of_spots(some)
    counted = np.asarray(part.counts.sum(axis=0)).ravel()
    most = np.sort(np.argsort(-counted, kind="stable")[:37])
    np.testing.assert_allclose(found, whole[:, most], atol=1e-3)
