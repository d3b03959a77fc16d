"""Sections whose counts stay in their file, beside the same sections in memory."""

from __future__ import annotations

import json

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from napari_semst.config import Request
from napari_semst.core import chunks
from napari_semst.core.progress import run_to_end
from napari_semst.io import stored_counts
from napari_semst.io.formats import h5ad_on_disk
from napari_semst.io.matrices import is_stored
from napari_semst.io.read import read
from napari_semst.io.stored_counts import StoredCounts
from napari_semst.methods.resolve import resolve
from napari_semst.methods.spec import method_spec
from napari_semst.pipeline.inputs import section_inputs
from napari_semst.pipeline.inspection import inspect_input
from napari_semst.pipeline.run import find_domains
from napari_semst.prepare import components
from napari_semst.sample import simulated_cortex
from tests.cli.test_main import call


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A section of spots, one feature of which is no gene."""
    tissue = simulated_cortex(150, 60, image=False)
    tissue.var["feature_types"] = ["Gene Expression"] * 59 + ["Negative Control Probe"]
    path = tmp_path_factory.mktemp("section") / "section.h5ad"
    tissue.write_h5ad(path)
    return path


@pytest.fixture
def stays(monkeypatch):
    """Counts of any size stay in their file, and are read in small pieces."""
    monkeypatch.setattr(h5ad_on_disk, "LARGE_SHARE", 0.0)
    monkeypatch.setattr(stored_counts, "BLOCK_VALUES", 500)


def run(file, output, *more):
    words = ("run", file, "-k", 3, "--preset", "quick", "--truth", "ground_truth")
    told = call(*words, "-o", output, "--json", *more)
    return json.loads(told), anndata.read_h5ad(output)


@pytest.mark.parametrize("most", [20_000, 60], ids=["all", "sampled"])
def test_a_run_finds_the_same_bits_in_memory_and_on_disk(
    file, tmp_path, monkeypatch, request, most
) -> None:
    # As large sections are: axes and mixtures are found on a sample.
    monkeypatch.setattr(components, "FITTED_SPOTS", most)
    monkeypatch.setattr(chunks, "FITTED_SPOTS", most)
    told, memory = run(file, tmp_path / "memory.h5ad")
    request.getfixturevalue("stays")
    seen = []
    found = stored_counts.stored_counts
    monkeypatch.setattr(
        stored_counts,
        "stored_counts",
        lambda *given: seen.append(found(*given)) or seen[-1],
    )
    again, disk = run(file, tmp_path / "disk.h5ad")
    assert seen
    assert all(isinstance(one, StoredCounts) for one in seen)
    pd.testing.assert_frame_equal(disk.obs, memory.obs)
    for key in memory.obsm:
        np.testing.assert_array_equal(disk.obsm[key], memory.obsm[key])
    kept = disk[:, memory.var_names].X
    assert (kept != memory.X).nnz == 0
    # What is no gene stays in the file, and takes no part.
    assert disk.n_vars == memory.n_vars + 1
    one, other = (t.uns["semst"]["default"] for t in (memory, disk))
    for entry in ("input_hash", "content", "section", "hierarchy"):
        assert str(one[entry]) == str(other[entry])
    assert told["spatial_scores"] == again["spatial_scores"]


def test_the_output_holds_the_counts_as_the_input_packs_them(
    file, tmp_path, stays
) -> None:
    run(file, tmp_path / "out.h5ad")
    with h5py.File(file) as one, h5py.File(tmp_path / "out.h5ad") as other:
        assert dict(one["X"].attrs).keys() == dict(other["X"].attrs).keys()
        for name in ("data", "indices", "indptr"):
            before, after = one["X"][name], other["X"][name]
            np.testing.assert_array_equal(before[:], after[:])
            assert (before.dtype, before.chunks) == (after.dtype, after.chunks)


def test_counts_stay_only_where_that_was_asked_for(file, stays, monkeypatch) -> None:
    assert not is_stored(read(file).X)
    tissue = read(file, on_disk=True)
    assert is_stored(tissue.X)
    tissue.X.group.file.close()
    assert not is_stored(read(file, counts="X", on_disk=False).X)
    monkeypatch.setattr(h5ad_on_disk, "LARGE_SHARE", 0.25)
    assert not is_stored(read(file, on_disk=True).X)


def test_what_is_trained_on_samples_is_the_same_in_memory_and_on_disk(
    file, stays
) -> None:
    settings = {
        "domains": {"n_domains": 3, "n_starts": 1},
        "training": {"epochs": 2, "batch_spots": 32, "decoded_spots": 8},
    }
    stored = read(file, on_disk=True)
    assert is_stored(stored.X)
    one, other = (
        run_to_end(find_domains(tissue, Request(overrides=settings)))
        for tissue in (read(file), stored)
    )
    stored.X.group.file.close()
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.latent, other.latent)
    np.testing.assert_array_equal(one.modulation, other.modulation)
    assert one.provenance["losses"] == other.provenance["losses"]
    assert one.provenance["input_hash"] == other.provenance["input_hash"]
    np.testing.assert_array_equal(one.model.deviation, other.model.deviation)


def test_published_recipes_read_counts_into_memory(file, stays) -> None:
    config = resolve(Request("dlpfc"))
    assert not method_spec(config.model.method).counts_by_rows(config)
    tissue = read(file, on_disk=True)
    assert not isinstance(section_inputs(tissue, config).counts, StoredCounts)
    tissue.X.group.file.close()


def test_an_inspection_says_the_same_of_counts_on_disk(file, request) -> None:
    memory = inspect_input(file)
    request.getfixturevalue("stays")
    disk = inspect_input(file)
    assert disk["left_out"] == memory["left_out"] != {}
    for told in (memory, disk):
        for changing in ("forecasts", "counts", "warnings"):
            told.pop(changing)
    assert disk == memory
