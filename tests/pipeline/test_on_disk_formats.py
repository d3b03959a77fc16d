"""Counts of every kind of input that can leave them on disk, beside those in memory."""

from __future__ import annotations

import json
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_semst.config import Request
from napari_semst.core import memory
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import Cancelled, CountsError, InputError
from napari_semst.io import stored_counts
from napari_semst.io.counts import find_counts
from napari_semst.io.export.h5ad import write
from napari_semst.io.formats import anndata_on_disk
from napari_semst.io.matrices import is_stored, stored_matrices
from napari_semst.io.read import read
from napari_semst.io.readers import h5ad
from napari_semst.io.stored_counts import StoredCounts, counts_open
from napari_semst.methods.resolve import resolve
from napari_semst.methods.semst import minibatch
from napari_semst.pipeline import job
from napari_semst.pipeline.inputs import section_inputs
from napari_semst.pipeline.run import find_domains
from napari_semst.sample import simulated_cortex
from tests.cli.test_main import call
from tests.io.folders import write_xenium
from tests.io.outs import write_outs
from tests.io.stores import group, point, write_shapes, write_table


@pytest.fixture(scope="module")
def tissue():
    found = simulated_cortex(150, 60, image=False)
    found.X = sparse.csr_matrix(found.X)
    found.var["gene_ids"] = [f"ENSG{place:011d}" for place in range(found.n_vars)]
    found.obs["array_row"] = found.obs["array_col"] = np.arange(found.n_obs)
    return found


@pytest.fixture
def stays(monkeypatch):
    """Counts of any size stay on disk, and are read in small pieces."""
    monkeypatch.setattr(anndata_on_disk, "LARGE_SHARE", 0.0)
    monkeypatch.setattr(stored_counts, "BLOCK_VALUES", 500)


def layer(tissue, folder):
    saved = tissue.copy()
    saved.layers["counts"] = saved.X.copy()
    saved.X = saved.X * np.float32(0.37)
    saved.write_h5ad(folder / "layer.h5ad")
    return folder / "layer.h5ad", ("--counts-layer", "counts")


def raw(tissue, folder):
    """More genes than X has, in another order."""
    saved = tissue[:, 5:].copy()
    saved.raw = tissue[:, ::-1].copy()
    saved.X = saved.X * np.float32(0.37)
    saved.write_h5ad(folder / "raw.h5ad")
    return folder / "raw.h5ad", ("--counts-layer", "raw")


def zarr(tissue, folder, zarr_format=3):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with anndata.settings.override(zarr_write_format=zarr_format):
            tissue.write_zarr(folder / "section.zarr")
    return folder / "section.zarr", ()


def zarr_of_the_second_format(tissue, folder):
    return zarr(tissue, folder, 2)


def spatialdata(tissue, folder):
    store = folder / "store.zarr"
    group(store, {"spatialdata_attrs": {"version": "0.2"}}, 3)
    write_table(store, "table", tissue, "spots", 3)
    places = np.asarray(tissue.obsm["spatial"])
    write_shapes(store, "spots", [point(*xy) for xy in places], 3, radius=1.5)
    return store, ()


def visium(tissue, folder):
    return write_outs(folder / "visium", tissue), ()


def xenium(tissue, folder):
    placed = tissue.copy()
    placed.obs["ground_truth"] = placed.obs["ground_truth"].astype(str)
    return write_xenium(folder / "xenium", placed), ()


KINDS = (layer, raw, zarr, zarr_of_the_second_format, spatialdata, visium, xenium)


def run(file, output, *more):
    told = call(
        "run", file, "-k", 3, "--preset", "quick", "-o", output, "--json", *more
    )
    return json.loads(told), anndata.read_h5ad(output)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_finds_the_same_bits(kind, tissue, tmp_path, request, monkeypatch):
    file, options = kind(tissue, tmp_path)
    told, in_memory = run(file, tmp_path / "memory.h5ad", *options)
    request.getfixturevalue("stays")
    seen = []
    found = stored_counts.stored_counts
    monkeypatch.setattr(
        stored_counts,
        "stored_counts",
        lambda *given: seen.append(found(*given)) or seen[-1],
    )
    again, on_disk = run(file, tmp_path / "disk.h5ad", *options)
    assert seen
    assert all(isinstance(one, StoredCounts) for one in seen)
    pd.testing.assert_frame_equal(on_disk.obs, in_memory.obs)
    for key in in_memory.obsm:
        np.testing.assert_array_equal(on_disk.obsm[key], in_memory.obsm[key])
    genes = in_memory.var_names
    held = [("X", on_disk[:, genes].X, in_memory.X)]
    held += [(n, on_disk.layers[n], in_memory.layers[n]) for n in in_memory.layers]
    if in_memory.raw is not None:
        held.append(("raw", on_disk.raw.X, in_memory.raw.X))
        assert list(on_disk.raw.var_names) == list(in_memory.raw.var_names)
    for name, one, other in held:
        assert (one != other).nnz == 0, name
    one, other = (t.uns["semst"]["default"] for t in (in_memory, on_disk))
    for entry in ("input_hash", "content", "section", "hierarchy"):
        assert str(one[entry]) == str(other[entry])
    assert told["spatial_scores"] == again["spatial_scores"]
    assert told["n_genes"] == again["n_genes"]


@pytest.mark.parametrize("kind", [layer, raw, visium])
def test_what_is_trained_finds_the_same_bits(kind, tissue, tmp_path, request):
    file, options = kind(tissue, tmp_path)
    settings = {
        "prepare": {"counts_layer": options[1] if options else ""},
        "domains": {"n_domains": 3, "n_starts": 1},
        "training": {"epochs": 2, "batch_spots": 32, "decoded_spots": 8},
    }
    asked = Request(overrides=settings)
    one = run_to_end(find_domains(read(file), asked))
    request.getfixturevalue("stays")
    stored = read(file, on_disk=True)
    with counts_open(stored):
        other = run_to_end(find_domains(stored, asked))
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.latent, other.latent)
    assert one.provenance["losses"] == other.provenance["losses"]


@pytest.mark.parametrize("kind", [layer, raw, zarr])
def test_a_store_takes_what_stayed_on_disk(kind, tissue, tmp_path, stays):
    file, _ = kind(tissue, tmp_path)
    stored = read(file, on_disk=True)
    with counts_open(stored):
        output = write(stored, tmp_path / "result.zarr")
        assert set(stored_matrices(stored)) >= {"X"}
    expected, found = read(file), anndata.read_zarr(output)
    assert (found.X != expected.X).nnz == 0
    for name in expected.layers:
        assert (found.layers[name] != expected.layers[name]).nnz == 0
    assert (found.raw is None) == (expected.raw is None)


def test_a_cancel_is_heard_inside_a_pass(tissue, tmp_path, stays) -> None:
    """Nothing of the pass is told: it is heard while counts are read."""
    file, _ = zarr(tissue, tmp_path)
    control, read_by_then = RunControl(), []
    stored = read(file, on_disk=True)
    rows = StoredCounts._rows

    def cancelling(self, spots, dtype):
        read_by_then.append(spots)
        if len(read_by_then) == 3:
            control.cancel()
        return rows(self, spots, dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredCounts, "_rows", cancelling)
        with pytest.raises(Cancelled):
            run_to_end(
                find_domains(
                    stored, Request("quick", {"domains": {"n_domains": 3}}), control
                )
            )
    n_blocks = sum(1 for _ in stored_counts.stored_counts(stored).blocks())
    assert len(read_by_then) == 3 < n_blocks


def test_spots_outside_the_tissue_take_the_others_into_memory(
    tissue, tmp_path, stays, monkeypatch
) -> None:
    folder = write_outs(tmp_path / "visium", tissue)
    places = folder / "spatial" / "tissue_positions.csv"
    table = pd.read_csv(places)
    table.loc[table["barcode"] == tissue.obs_names[4], "in_tissue"] = 0
    table.to_csv(places, index=False)
    rows = []
    with monkeypatch.context() as patch:
        # Row by row, and all of them once more, they would be held twice.
        patch.setattr(
            anndata.AnnData,
            "copy",
            lambda self, copy=anndata.AnnData.copy: (
                rows.append(is_stored(self._adata_ref.X)) or copy(self)
            ),
        )
        found = read(folder, on_disk=True)
    assert rows == [False]
    assert not stored_matrices(found)
    assert found.X.dtype == np.float32
    assert (found.X != read(folder).X).nnz == 0


def test_spots_without_a_place_are_left_out_of_every_matrix(
    tissue, tmp_path, stays
) -> None:
    unplaced = tissue.copy()
    unplaced.obsm["spatial"] = np.asarray(unplaced.obsm["spatial"], float)
    unplaced.obsm["spatial"][3] = np.nan
    file, _ = raw(unplaced, tmp_path)
    found, expected = read(file, on_disk=True), read(file)
    assert not stored_matrices(found)
    assert found.raw.shape == expected.raw.shape == (149, 60)
    assert (found.raw.X != expected.raw.X).nnz == 0
    # Nothing is left to be read, and nobody is kept from the file.
    h5py.File(file, "r+").close()


def test_cells_without_a_place_are_left_out_and_the_file_is_closed(
    tissue, tmp_path, stays
) -> None:
    folder, _ = xenium(tissue, tmp_path)
    places = folder / "cells.parquet"
    table = pd.read_parquet(places)
    table.loc[3, "x_centroid"] = np.nan
    table.to_parquet(places, index=False)
    found, expected = read(folder, on_disk=True), read(folder)
    assert not stored_matrices(found)
    assert found.n_obs == tissue.n_obs - 1
    assert (found.X != expected.X).nnz == 0
    h5py.File(folder / "cell_feature_matrix.h5", "r+").close()


def test_counts_by_gene_are_read_into_memory_or_refused(
    tissue, tmp_path, stays, monkeypatch
) -> None:
    by_gene = tissue.copy()
    by_gene.X = sparse.csc_matrix(by_gene.X)
    by_gene.write_h5ad(tmp_path / "genes.h5ad")
    assert not stored_matrices(read(tmp_path / "genes.h5ad", on_disk=True))
    monkeypatch.setattr(memory, "_total", lambda: 1e3)
    with pytest.raises(InputError, match=r"stored by spot \(CSR\).*adata.X.tocsr"):
        read(tmp_path / "genes.h5ad", on_disk=True)


@pytest.mark.parametrize("part", ["indices", "indptr", "bytes"])
@pytest.mark.parametrize("where", ["X", "raw/X"])
def test_what_is_damaged_beside_the_counts_is_refused_before_the_work(
    tissue, tmp_path, stays, monkeypatch, where, part
) -> None:
    """In memory it is refused as it is read; here it would be read at the very end."""
    saved = tissue.copy()
    saved.layers["counts"] = saved.X.copy()
    saved.raw = tissue.copy()
    saved.write_h5ad(tmp_path / "damaged.h5ad", compression="gzip")
    with h5py.File(tmp_path / "damaged.h5ad", "r+") as opened:
        if part != "bytes":
            opened[f"{where}/{part}"][-2] = 10**6
        else:
            piece = opened[f"{where}/data"].id.get_chunk_info(0)
    if part == "bytes":
        with (tmp_path / "damaged.h5ad").open("r+b") as opened:
            opened.seek(piece.byte_offset)
            opened.write(bytes(piece.size))
    begun = []
    monkeypatch.setattr(StoredCounts, "blocks", lambda self: begun.append(self))
    words = ("-k", 3, "--preset", "quick", "--counts-layer", "counts")
    with pytest.raises(InputError, match="damaged"):
        call("run", tmp_path / "damaged.h5ad", *words, "-o", tmp_path / "out.h5ad")
    assert not begun


def test_a_store_packed_as_one_piece_is_read_whole(
    tissue, tmp_path, stays, monkeypatch
) -> None:
    file, _ = zarr(tissue, tmp_path)
    assert stored_matrices(read(file, on_disk=True))
    monkeypatch.setattr(anndata_on_disk, "_LARGEST_PIECE", 100)
    assert not stored_matrices(read(file, on_disk=True))


def test_what_is_no_count_says_where(tissue, tmp_path, stays) -> None:
    file, _ = layer(tissue, tmp_path)
    stored = read(file, on_disk=True)
    with counts_open(stored):
        assert set(stored_matrices(stored)) == {"X", "layers/counts"}
        with pytest.raises(CountsError, match="choose 'counts' as counts layer"):
            _ = stored_counts.stored_counts(stored).summary
    with h5py.File(file, "r+") as opened:
        opened["layers/counts/data"][0] = 0.5
    stored = read(file, on_disk=True)
    with (
        counts_open(stored),
        pytest.raises(CountsError, match=r"in layers\['counts'\]"),
    ):
        _ = stored_counts.stored_counts(stored, "counts").summary


def test_a_store_that_changes_meanwhile_is_noticed(tissue, tmp_path, stays) -> None:
    file, _ = zarr(tissue, tmp_path)
    with counts_open(read(file, on_disk=True)) as check_unchanged:
        check_unchanged()
        (file / "X" / "data" / "more").write_bytes(b"more")
        with pytest.raises(InputError, match="it was changed"):
            check_unchanged()


@pytest.mark.parametrize("come", ["another", "nothing"])
def test_a_store_that_is_replaced_or_deleted_meanwhile_is_noticed(
    tissue, tmp_path, stays, come
) -> None:
    """Its chunks are looked up at every read, and those that are gone are zeros."""
    file, _ = zarr(tissue, tmp_path)
    other = tissue.copy()
    other.X = other.X * 2
    (tmp_path / "other").mkdir()
    replacement, _ = zarr(other, tmp_path / "other")
    stored = read(file, on_disk=True)
    with counts_open(stored) as check_unchanged:
        before = stored_counts.stored_counts(stored).summary.totals
        file.rename(tmp_path / "before.zarr")
        if come == "another":
            replacement.rename(file)
        now = stored_counts.stored_counts(stored).long_rows(slice(None)).sum()
        assert now == (2 * before.sum() if come == "another" else 0)
        with pytest.raises(InputError, match="it was changed"):
            check_unchanged()


def test_a_file_that_is_replaced_or_deleted_stays_what_it_was(
    tissue, tmp_path, stays
) -> None:
    file, _ = layer(tissue, tmp_path)
    stored = read(file, on_disk=True)
    with counts_open(stored) as check_unchanged:
        before = stored.X[:].sum()
        file.unlink()
        check_unchanged()
        file.write_bytes(b"another")
        check_unchanged()
        assert stored.X[:].sum() == before


def test_an_input_that_is_locked_by_the_end_costs_no_result(
    tissue, tmp_path, monkeypatch
) -> None:
    """Another process has opened it for writing meanwhile."""
    file, _ = layer(tissue, tmp_path)
    said = []

    def locked(*given):
        said.append(given)
        raise BlockingIOError(11, "unable to lock file")

    save = job._save

    def save_locked(*given):
        with monkeypatch.context() as patch:
            patch.setattr(h5ad, "open_hdf5", locked)
            return save(*given)

    monkeypatch.setattr(job, "_save", save_locked)
    _, found = run(file, tmp_path / "out.h5ad", "--counts-layer", "counts")
    assert said
    assert (found.layers["counts"] != tissue.X).nnz == 0


def test_numbers_of_another_order_are_refused_as_in_memory(
    tissue, tmp_path, stays
) -> None:
    tissue.write_h5ad(tmp_path / "big.h5ad")
    with h5py.File(tmp_path / "big.h5ad", "r+") as opened:
        values = opened["X/data"][:]
        del opened["X/data"]
        opened["X/data"] = values.astype(">f4")
    with pytest.raises(InputError, match="does not support dtype >f4"):
        read(tmp_path / "big.h5ad", on_disk=True)


def test_raw_counts_of_other_genes_are_not_offered(tissue, tmp_path, stays) -> None:
    """As in memory: asked for, they would be refused."""
    saved = tissue.copy()
    saved.raw = tissue[:, :40].copy()
    saved.X = saved.X * np.float32(0.37)
    saved.write_h5ad(tmp_path / "few.h5ad")
    stored = read(tmp_path / "few.h5ad", on_disk=True)
    with counts_open(stored):
        assert set(stored_matrices(stored)) == {"X", "raw/X"}
        with pytest.raises(CountsError, match="20 of the 60 genes of X are not in it"):
            _ = stored_counts.stored_counts(stored).summary


@pytest.mark.parametrize("name", ["visium_seurat", "xenium_sfe"])
def test_real_matrices_of_10x_are_the_same_on_disk(instruments, name, request) -> None:
    expected = find_counts(read(instruments / name)).matrix
    request.getfixturevalue("stays")
    stored = read(instruments / name, on_disk=True)
    with counts_open(stored):
        inputs = section_inputs(stored, resolve(Request("quick")))
        assert isinstance(inputs.counts, StoredCounts)
        found = inputs.counts.take(np.arange(stored.n_obs))
    assert (found != expected).nnz == 0


def test_what_steps_reconstruct_is_read_in_one_pass(
    tissue, tmp_path, stays, monkeypatch
) -> None:
    """Taken step by step, a packed piece would be read for every spot."""
    file, _ = visium(tissue, tmp_path)
    settings = {
        "domains": {"n_domains": 3, "n_starts": 1},
        "training": {"epochs": 3, "batch_spots": 32, "decoded_spots": 8},
    }
    taken, take = [], StoredCounts.take
    monkeypatch.setattr(
        StoredCounts, "take", lambda self, some: taken.append(some) or take(self, some)
    )
    found = []
    for most in (minibatch._MOST_BYTES_AHEAD, 0):
        monkeypatch.setattr(minibatch, "_MOST_BYTES_AHEAD", most)
        stored = read(file, on_disk=True)
        taken.clear()
        with counts_open(stored):
            found.append(run_to_end(find_domains(stored, Request(overrides=settings))))
        found[-1] = found[-1].latent, len(taken)
    (ahead, n_ahead), (by_step, n_by_step) = found
    np.testing.assert_array_equal(ahead, by_step)
    assert n_by_step == n_ahead + 3 * 4
