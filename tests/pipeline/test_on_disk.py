"""Sections whose counts stay in their file, beside the same sections in memory."""

from __future__ import annotations

import json
import shutil

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_semst.config import Request
from napari_semst.core import chunks
from napari_semst.core.progress import run_to_end
from napari_semst.errors import InputError
from napari_semst.explanation.explain import explain
from napari_semst.explore.spot_values import gene_values, unit_of_genes
from napari_semst.io import stored_counts
from napari_semst.io.formats import anndata_on_disk
from napari_semst.io.matrices import is_stored
from napari_semst.io.read import read
from napari_semst.io.stored_counts import StoredCounts
from napari_semst.methods.resolve import resolve
from napari_semst.methods.spec import method_spec
from napari_semst.pipeline.inputs import section_inputs
from napari_semst.pipeline.inspection import inspect_input
from napari_semst.pipeline.run import attach, find_domains
from napari_semst.prepare import components
from napari_semst.sample import simulated_cortex
from napari_semst.transfer.api import make_signature
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
    monkeypatch.setattr(anndata_on_disk, "LARGE_SHARE", 0.0)
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
    monkeypatch.setattr(anndata_on_disk, "LARGE_SHARE", 0.25)
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
    # A copy holds its counts.
    attached = attach(stored, other)
    assert (stored.X[:] != attached.X).nnz == 0
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
        for changing in ("forecasts", "warnings"):
            told.pop(changing)
    assert disk == memory


def test_an_inspection_leaves_features_out_beside_a_layer_on_disk(
    file, tmp_path, request
) -> None:
    tissue = anndata.read_h5ad(file)
    tissue.layers["counts"] = tissue.X.copy()
    tissue.X = tissue.X.toarray()
    tissue.write_h5ad(tmp_path / "dense.h5ad")
    memory = inspect_input(tmp_path / "dense.h5ad")
    request.getfixturevalue("stays")
    disk = inspect_input(tmp_path / "dense.h5ad")
    for told in (memory, disk):
        for changing in ("forecasts", "warnings"):
            told.pop(changing)
    assert memory["n_genes"] == 59
    assert disk == memory


def test_features_that_are_no_genes_need_not_be_counted(file, tmp_path, request):
    tissue = anndata.read_h5ad(file)
    values = tissue.X.toarray()
    values[:, 59] = 0.3
    tissue.X = sparse.csr_matrix(values)
    tissue.write_h5ad(tmp_path / "proteins.h5ad")
    memory, _ = run(tmp_path / "proteins.h5ad", tmp_path / "memory.h5ad")
    request.getfixturevalue("stays")
    told = inspect_input(tmp_path / "proteins.h5ad")
    assert told["can_run"]
    disk, _ = run(tmp_path / "proteins.h5ad", tmp_path / "disk.h5ad")
    assert disk["domain_sizes"] == memory["domain_sizes"]


def test_virtual_counts_are_read_into_memory(file, tmp_path, stays) -> None:
    # A copy of a mapping reads as zeros where the mapped values are not.
    place = tmp_path / "virtual.h5ad"
    shutil.copy(file, place)
    with h5py.File(place, "r+") as opened:
        opened.move("X/indices", "uns/elsewhere")
        held = opened["uns/elsewhere"]
        layout = h5py.VirtualLayout(held.shape, held.dtype)
        layout[:] = h5py.VirtualSource(".", "uns/elsewhere", held.shape, held.dtype)
        opened["X"].create_virtual_dataset("indices", layout)
    tissue = read(place, on_disk=True)
    assert not is_stored(tissue.X)
    assert (tissue.X != read(file).X).nnz == 0


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_features_that_are_no_genes_do_not_change_the_names_of_genes(
    tmp_path, request
) -> None:
    """A protein stands before its gene, and most features are no genes."""
    tissue = simulated_cortex(60, 50, image=False)[:, :20].copy()
    numbers = (131095, 171885, 167281, 104888, 128683, 157005, 146469)
    ids = [f"ENSG{number:011d}" for number in numbers]
    names = ["MBP", "PLP1", *[f"Protein{n}" for n in range(9)], "MBP", *ids, "PLP1"]
    genes = np.array([False] * 11 + [True] * 9)
    tissue.var = pd.DataFrame(
        {"feature_types": np.where(genes, "Gene Expression", "Antibody Capture")},
        index=names,
    )
    tissue.write_h5ad(tmp_path / "names.h5ad")
    memory = read(tmp_path / "names.h5ad")
    request.getfixturevalue("stays")
    disk = read(tmp_path / "names.h5ad", on_disk=True)
    assert is_stored(disk.X)
    assert list(disk.var_names[genes]) == list(memory.var_names)
    assert {"MBP", "PLP1", "GFAP"} <= set(memory.var_names)
    assert disk.var_names.is_unique
    for column in memory.var:
        assert list(disk.var[column][genes]) == list(memory.var[column])
    config = resolve(Request("quick"))
    for name in ("symbols", "gene_ids"):
        one, other = (getattr(section_inputs(t, config), name) for t in (memory, disk))
        np.testing.assert_array_equal(one, other)
    disk.X.group.file.close()


def test_an_account_counts_the_genes_of_the_run(file, tmp_path, request) -> None:
    memory, _ = run(file, tmp_path / "memory.h5ad")
    request.getfixturevalue("stays")
    disk, _ = run(file, tmp_path / "disk.h5ad")
    assert memory["n_genes"] == disk["n_genes"] == 59


def test_spots_that_are_left_out_are_left_out_on_disk_too(
    file, tmp_path, request
) -> None:
    tissue = anndata.read_h5ad(file)
    tissue.obsm["spatial"][3] = np.nan
    tissue.obs.loc[tissue.obs_names[7], "ground_truth"] = np.nan
    tissue.write_h5ad(tmp_path / "gaps.h5ad")
    drop = "--drop-unannotated"
    one, memory = run(tmp_path / "gaps.h5ad", tmp_path / "memory.h5ad", drop)
    request.getfixturevalue("stays")
    other, disk = run(tmp_path / "gaps.h5ad", tmp_path / "disk.h5ad", drop)
    assert one["n_spots"] == other["n_spots"] == 148
    assert one["n_genes"] == other["n_genes"] == 59
    pd.testing.assert_frame_equal(disk.obs, memory.obs)


def test_damaged_rows_are_refused_where_some_spots_are_left_out(
    file, tmp_path, stays
) -> None:
    place = tmp_path / "damaged.h5ad"
    shutil.copy(file, place)
    with h5py.File(place, "r+") as opened:
        opened["obsm/spatial"][3] = np.nan
        opened["X/indices"][-1] = 10**6
    with pytest.raises(InputError, match="damaged"):
        read(place, on_disk=True)


def test_what_reads_a_result_takes_counts_from_disk_as_from_memory(
    file, tmp_path, request
) -> None:
    run(file, tmp_path / "result.h5ad")
    # Whole, as on disk: features that are no genes stay beside the others there.
    memory = read(tmp_path / "result.h5ad")
    request.getfixturevalue("stays")
    disk = read(tmp_path / "result.h5ad", on_disk=True)
    assert is_stored(disk.X)
    assert not is_stored(memory.X)
    gene = memory.var_names[3]
    np.testing.assert_array_equal(gene_values(disk, gene), gene_values(memory, gene))
    assert unit_of_genes(disk) == unit_of_genes(memory)
    one, other = explain(memory), explain(disk)
    assert one["domains"] == other["domains"]
    one, other = (make_signature(t, "ground_truth") for t in (memory, disk))
    np.testing.assert_array_equal(one.scores, other.scores)
    disk.X.group.file.close()
